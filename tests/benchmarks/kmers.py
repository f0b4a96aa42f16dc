"""Time counting words of k letters, beside reading the same sequences from a FASTA file.

    taskset -c 0 python tests/benchmarks/kmers.py --sequences 20000 --length 251 --repeats 5

Writes random sequences to a temporary FASTA file. Reading it into a list of strings with dnaio, which
`diffaug_bio.io.read` uses, and counting them take turns, so that a drift of the machine's speed hits both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import dnaio
import numpy as np

from diffaug_bio import pp

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ENCODINGS = [
    *(pp.KmerEncoding(k=(k,)) for k in (4, 6, 8)),
    pp.KmerEncoding(k=(3, 4, 5)),
    pp.KmerEncoding(k=(6,), canonical=True),
    pp.KmerEncoding(k=(6,), n_bins=8),
    pp.KmerEncoding(k=(3, 4, 5), n_bins=8),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=251)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    megaletters = arguments.sequences * arguments.length / 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "random.fasta")
        _write_random(path, arguments.sequences, arguments.length)
        sequences = _read(path)
        for encoding in ENCODINGS:
            seconds = _take_turns(encoding, sequences, path, arguments.repeats)
            reading, counting = np.median(seconds, axis=0)
            settings = ", ".join(f"{key} {value}" for key, value in encoding.to_dict().items())
            sys.stdout.write(
                f"{settings}: median {counting:.3f} s, best {seconds[:, 1].min():.3f} s, "
                f"{megaletters / counting:.0f} million letters/s; reading {reading:.3f} s, "
                f"{megaletters / reading:.0f} million letters/s, ratio {counting / reading:.2f}\n"
            )
            sys.stdout.flush()


def _take_turns(
    encoding: pp.KmerEncoding, sequences: list[str], path: Path, repeats: int
) -> NDArray[np.float64]:
    return np.array(
        [[_time(lambda: _read(path)), _time(lambda: encoding.encode(sequences))] for _ in range(repeats)]
    )


def _write_random(path: Path, n_sequences: int, length: int) -> None:
    letters = np.frombuffer(b"ACGT", np.uint8)[
        np.random.default_rng(0).integers(0, 4, (n_sequences, length))
    ]
    with path.open("wb") as file:
        for number, row in enumerate(letters):
            file.write(b">s%d\n%s\n" % (number, row.tobytes()))


def _read(path: Path) -> list[str]:
    with path.open("rb") as stream:
        return [record.sequence for record in dnaio.FastaReader(stream)]


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
