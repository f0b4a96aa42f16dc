"""Time `diffaug-bio fit` against scVI's defaults on the same file, as whole processes in one run.

    python tests/benchmarks/time_vs_scvi.py cells.h5ad --scvi-python other-venv/bin/python --repeats 3

scvi-tools lives in an environment of its own, whose interpreter is named. The two take turns, so that a
drift of the machine's speed hits both. Both read the file, train with their defaults, embed all cells and
write the embedding.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SCVI = """
import sys, anndata, numpy, scvi, torch
torch.set_num_threads({threads})
scvi.settings.seed = {seed}
adata = anndata.read_h5ad(sys.argv[1])
scvi.model.SCVI.setup_anndata(adata)
model = scvi.model.SCVI(adata)
model.train(accelerator="cpu", enable_progress_bar=False)
numpy.save(sys.argv[2], model.get_latent_representation())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--scvi-python", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for scVI's embeddings, to be scored")
    arguments = parser.parse_args()
    ratios = []
    for seed in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            keep = arguments.keep or Path(folder)
            keep.mkdir(parents=True, exist_ok=True)
            ours = [sys.executable, "-m", "diffaug_bio.cli", "fit", str(arguments.data)]
            ours += [
                "-o",
                f"{folder}/run",
                "--threads",
                str(arguments.threads),
                "--seed",
                str(seed),
                "--quiet",
            ]
            script = SCVI.format(threads=arguments.threads, seed=seed)
            theirs = [str(arguments.scvi_python), "-W", "ignore", "-c", script]
            theirs += [str(arguments.data), str(keep / f"scvi_{seed}.npy")]
            seconds = [_time(ours), _time(theirs)]
        ratios.append(seconds[0] / seconds[1])
        sys.stdout.write(
            f"seed {seed}: diffaug-bio {seconds[0]:.1f} s, scVI {seconds[1]:.1f} s, "
            f"ratio {ratios[-1]:.3f}\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"median ratio {np.median(ratios):.3f} of {len(ratios)}\n")


def _time(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
