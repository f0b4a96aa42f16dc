"""Make panels of a few genes out of sets of counts, to compare what is done with their totals.

    python tests/benchmarks/panels.py cells.h5ad more.h5ad --n-genes 40 150 -o panels
    diffaug-bio benchmark panels/*.h5ad --label-key cell_type --methods diffaug,pca \\
        --config settings.toml -o panels_scored

where `settings.toml` holds `[features]` and `target_sum = 10000`, the median total that is printed, or
`totals = "kept"`. A panel holds the genes whose counts vary most, which no label chooses.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import anndata
import numpy as np
from scipy import sparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="h5ad files with counts in .X")
    parser.add_argument("--n-genes", type=int, nargs="+", default=[40, 150])
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the panels")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for path in arguments.data:
        adata = anndata.read_h5ad(path)
        counts = sparse.csr_matrix(adata.X, dtype=np.float64)
        mean = np.asarray(counts.mean(0)).ravel()
        variance = np.asarray(counts.multiply(counts).mean(0)).ravel() - mean**2
        for n_genes in arguments.n_genes:
            most_variable = np.sort(np.argsort(-variance)[:n_genes])
            panel = anndata.AnnData(
                adata.X[:, most_variable], obs=adata.obs, var=adata.var.iloc[most_variable]
            )
            target = arguments.output / f"{path.stem}_{n_genes}.h5ad"
            panel.write_h5ad(target)
            depth = np.median(np.asarray(panel.X.sum(1)))
            sys.stdout.write(f"{target}: {panel.n_obs} x {panel.n_vars}, median total {depth:g}\n")


if __name__ == "__main__":
    main()
