"""Peak memory of `diffaug-bio fit` on a sparse matrix in memory, from the operating system.

    python tests/benchmarks/peak_memory.py --rows 100000 --features 20000 --density 0.05

Writes random counts to a temporary h5ad file, fits with short phases in a process of its own, and compares
the largest resident memory of that process with the budget of 1.3 times the CSR matrix plus 700 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import anndata
import numpy as np
from scipy import sparse

CONFIG = 'preset = "quick"\n[train]\nwarmup_epochs = 1\ngenerator_epochs = 1\nencoder_epochs = 1\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=20_000)
    parser.add_argument("--density", type=float, default=0.05)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, config = Path(folder, "cells.h5ad"), Path(folder, "short.toml")
        config.write_text(CONFIG, encoding="utf-8")
        matrix = _random_counts(arguments)
        megabytes = (matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes) / 1e6
        anndata.AnnData(matrix).write_h5ad(data)
        del matrix
        command = [sys.executable, "-m", "diffaug_bio.cli", "fit", str(data), "-o", f"{folder}/run"]
        subprocess.run([*command, "--config", str(config)], check=True)
        run = json.loads(Path(folder, "run", "run.json").read_text(encoding="utf-8"))
    peak = run["peak_memory_mb"]
    budget = 1.3 * megabytes + 700
    sys.stdout.write(
        f"CSR {megabytes:.0f} MB, peak {peak:.0f} MB, budget {budget:.0f} MB, ratio {peak / budget:.2f}\n"
    )


def _random_counts(arguments: argparse.Namespace) -> sparse.csr_matrix:
    """Poisson-like counts with genes of very different abundance."""
    rng = np.random.default_rng(0)
    per_row = int(arguments.features * arguments.density)
    weights = rng.gamma(0.5, size=arguments.features)
    columns = rng.choice(arguments.features, size=(arguments.rows, per_row), p=weights / weights.sum())
    columns = np.sort(columns, axis=1).astype(np.int32)
    values = np.ones(columns.size, np.float32)
    pointers = np.arange(0, columns.size + 1, per_row)
    matrix = sparse.csr_matrix(
        (values, columns.ravel(), pointers), shape=(arguments.rows, arguments.features)
    )
    matrix.sum_duplicates()
    return matrix


if __name__ == "__main__":
    main()
