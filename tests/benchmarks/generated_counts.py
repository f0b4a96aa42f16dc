"""Whether generated counts look like real ones: library sizes, zeros, and how variance grows with the mean.

    python tests/benchmarks/generated_counts.py CELLS.h5ad... --seeds 3 -o counts.csv
    python tests/benchmarks/generated_counts.py --table -o counts.csv

A model is fitted to all cells, and one cell is generated from each. Ratios of generated to real:

- `library`: median of the totals of cells; `library sd`: standard deviation of their logarithms
- `zeros`: share of zeros among the genes that the model kept; `non-zeros`: share of the others
- `variance`: of genes with a mean of at least 0.01, in ten bins by their real mean, the median of the bins'
  median variance; `variance, worst bin`: that of the bin that is furthest off
- `changed`: share of those genes' counts that differ from the source's, no ratio
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio.features import FittedFeatures

MIN_MEAN, N_BINS = 0.01, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strength", type=float, nargs="*", default=[0.5, 1.0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="Print what the output holds.")
    arguments = parser.parse_args()
    if arguments.table:
        print_table(pd.read_csv(arguments.output))
        return
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        for path in arguments.data:
            for seed in range(arguments.seeds):
                scores = run(path, seed, arguments.strength)
                is_new = not arguments.output.exists()
                scores.to_csv(arguments.output, mode="a", header=is_new, index=False)
                sys.stdout.write(scores.round(3).to_string(index=False) + "\n")
                sys.stdout.flush()


def run(path: Path, seed: int, strengths: list[float]) -> pd.DataFrame:
    adata = db.io.read(path)
    adata.X = sparse.csr_matrix(adata.X)
    model = db.tl.fit_model(adata, random_state=seed, device="cpu")
    features = model.features_
    assert isinstance(features, FittedFeatures)
    rows = []
    for strength in strengths:
        made = db.tl.augment(adata, model, strength=strength, random_state=seed)
        real, new = (part.X[:, features.selected].toarray() for part in (adata, made))
        totals, new_totals = (np.asarray(part.X.sum(1)).ravel() for part in (adata, made))
        means, variances, new_variances = real.mean(0), real.var(0), new.var(0)
        seen = means >= MIN_MEAN
        order = np.array_split(np.argsort(means[seen]), N_BINS)
        bins = np.array(
            [np.median(new_variances[seen][b]) / np.median(variances[seen][b]) for b in order if len(b)]
        )
        rows.append(
            {
                "data": path.name.split(".")[0],
                "seed": seed,
                "strength": strength,
                "library": np.median(new_totals) / np.median(totals),
                "library sd": np.log1p(new_totals).std() / np.log1p(totals).std(),
                "zeros": (new == 0).mean() / (real == 0).mean(),
                "non-zeros": (new > 0).mean() / (real > 0).mean(),
                "variance": np.median(bins),
                "variance, worst bin": bins[np.abs(np.log(bins)).argmax()],
                "changed": (new != real).mean(),
            }
        )
    return pd.DataFrame(rows)


def print_table(scores: pd.DataFrame) -> None:
    """Means over seeds."""
    means = scores.drop(columns="seed").groupby(["strength", "data"], sort=False).mean()
    sys.stdout.write(
        f"| strength | data | {' | '.join(map(str, means.columns))} |\n|---|---|{'---|' * means.shape[1]}\n"
    )
    for names, row in zip(means.index.to_list(), means.to_numpy(), strict=True):
        cells = [*map(str, names), *(f"{value:.2f}" for value in row)]
        sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
