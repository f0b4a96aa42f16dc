"""How long it takes to draw embeddings of many rows.

    python tests/benchmarks/plots.py

Each figure is drawn and saved as PNG in a process of its own, `--repeats` times. The table has the median,
in seconds and as a multiple of the first line's, without the start of Python and the imports. Rows are
normal clusters of 64 latent dimensions, and two coordinates.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd

import diffaug_bio as db

if TYPE_CHECKING:
    from anndata import AnnData

CASES = {  # rows, coordinates are there, what points are coloured by, classes
    "100,000 rows, coordinates, 20 classes (dots)": (100_000, True, "class", 20),
    "1,000,000 rows, coordinates, one colour": (1_000_000, True, None, 20),
    "1,000,000 rows, coordinates, 20 classes": (1_000_000, True, "class", 20),
    "1,000,000 rows, coordinates, 200 classes": (1_000_000, True, "class", 200),
    "1,000,000 rows, coordinates, a number": (1_000_000, True, "number", 20),
    "1,000,000 rows, UMAP of 5000 for the moment, 20 classes": (1_000_000, False, "class", 20),
}


def make(n_obs: int, *, has_coordinates: bool, n_classes: int) -> AnnData:
    """Clusters of rows, as an embedding and, if asked for, with coordinates."""
    rng = np.random.default_rng(0)
    label = rng.integers(n_classes, size=n_obs)
    obs = pd.DataFrame(
        {
            "class": pd.Categorical.from_codes(label, pd.Index([f"class {i}" for i in range(n_classes)])),
            "number": rng.normal(size=n_obs).astype(np.float32),
        },
        index=pd.RangeIndex(n_obs).astype(str),
    )
    adata = anndata.AnnData(obs=obs)
    centers = 3 * rng.normal(size=(n_classes, 64)).astype(np.float32)
    latent = rng.standard_normal((n_obs, 64), dtype=np.float32)
    latent += centers[label]
    adata.obsm["X_diffaug"] = latent
    if has_coordinates:
        adata.obsm["X_umap_diffaug"] = latent[:, :2]
    return adata


def measure(case: str) -> float:
    """Draw and save one figure; seconds."""
    import matplotlib.pyplot as plt
    import scanpy as sc

    n_obs, has_coordinates, color, n_classes = CASES[case]
    adata = make(n_obs, has_coordinates=has_coordinates, n_classes=n_classes)
    sc.settings.autoshow = False
    plt.figure()  # the first one loads what all need
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        db.pl.embedding(adata, color=color, save=Path(folder, "embedding.png"))
        return time.perf_counter() - started


def main() -> None:
    mpl.use("Agg")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", choices=CASES, help="measure only this one, in this process")
    arguments = parser.parse_args()
    if arguments.case is not None:
        sys.stdout.write(f"{measure(arguments.case)}\n")
        return
    first = None
    sys.stdout.write("| figure | seconds | times the first |\n|---|---|---|\n")
    for case in CASES:
        command = [sys.executable, __file__, "--case", case]
        seconds = median(
            float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(arguments.repeats)
        )
        first = first or seconds
        sys.stdout.write(f"| {case} | {seconds:.1f} | {seconds / first:.1f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
