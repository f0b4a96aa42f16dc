"""Throughput and peak memory of DNA: reading, encoding and embedding, beside reading the file alone.

    python tests/benchmarks/sequences.py --sequences 100000 --length 251 --encoder cnn

Writes random sequences to a temporary FASTA file, fits a model to the first thousand, embeds all of them in
a process of its own (reading and encoding included), and prints sequences per second of each part and the
largest resident memory of that process, as the operating system tells it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dnaio
import numpy as np

CONFIG = "[train]\nwarmup_epochs = 1\ngenerator_epochs = 1\nencoder_epochs = 1\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=251)
    parser.add_argument("--encoder", choices=["cnn", "mlp"], default="cnn")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        everything, first = Path(folder, "all.fa"), Path(folder, "first.fa")
        _write_random(everything, arguments.sequences, arguments.length)
        _write_random(first, 1000, arguments.length)
        Path(folder, "short.toml").write_text(CONFIG, encoding="utf-8")
        started = time.perf_counter()
        with dnaio.open(everything) as reader:
            n_letters = sum(len(record.sequence) for record in reader)
        reading = time.perf_counter() - started
        command = [sys.executable, "-m", "diffaug_bio.cli"]
        shared = ["--threads", str(arguments.threads), "--quiet"]
        fit = ["fit", str(first), "-o", f"{folder}/run", "--encoder", arguments.encoder]
        subprocess.run([*command, *fit, "--config", f"{folder}/short.toml", *shared], check=True)
        embed = ["embed", str(everything), "--model", f"{folder}/run", "-o", f"{folder}/out", "--json"]
        done = subprocess.run([*command, *embed, *shared], check=True, capture_output=True, text=True)
    run = json.loads(done.stdout)
    seconds, n = run["seconds"], arguments.sequences
    times = {part: seconds[part] / reading for part in ("read", "embed", "write")}
    sys.stdout.write(
        f"{n} sequences, {n_letters} letters: dnaio alone {n / reading:.0f} a second; of a run of "
        f"embed, in units of that time: read and count words {times['read']:.1f}, embed "
        f"{times['embed']:.1f} ({n / seconds['embed']:.0f} a second), write {times['write']:.1f}; "
        f"peak memory {run['peak_memory_mb']:.0f} MB\n"
    )


def _write_random(path: Path, n_sequences: int, length: int) -> None:
    """Sequences of random letters, in FASTA."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="ascii") as stream:
        for number in range(n_sequences):
            letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, length)].tobytes().decode()
            stream.write(f">s{number}\n{letters}\n")


if __name__ == "__main__":
    main()
