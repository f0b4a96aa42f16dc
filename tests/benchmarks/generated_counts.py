"""Whether generated counts look like real ones: library sizes, zeros, and how variance grows with the mean.

    python tests/benchmarks/generated_counts.py CELLS.h5ad... --seeds 3 -o counts.csv
    python tests/benchmarks/generated_counts.py --table -o counts.csv

A model is fitted to half of the cells, one cell is generated from each of these, and they are compared with
the other half, which took no part. `real` compares the half that the model saw with the other: the best
that can be. Ratios to the cells that took no part:

- `library`: median of the totals of cells; `library sd`: standard deviation of their logarithms
- `zeros`: share of zeros among the genes that the model kept; `non-zeros`: share of the others
- `variance`: of genes with a mean of at least 0.01, in ten bins by their real mean, the median of the bins'
  median variance; `variance, worst bin`: that of the bin that is furthest off
- `correlations`: no ratio, but how the correlations of the 100 most frequent genes (logged) with each other
  agree with those of the other half, as a correlation itself
- `changed`: no ratio, but the share of counts that differ from the source's
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio.features import FittedFeatures

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

MIN_MEAN, N_BINS, N_FREQUENT = 0.01, 10, 100


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
    order = np.random.default_rng(seed).permutation(adata.n_obs)
    seen, other = (adata[np.sort(part)].copy() for part in np.array_split(order, 2))
    model = db.tl.fit(seen, random_state=seed, device="cpu")
    features = model.features_
    assert isinstance(features, FittedFeatures)
    name = path.name.split(".")[0]
    kept = features.selected
    rows = [{"data": name, "seed": seed, "cells": "real", **compared(seen, other, kept), "changed": 0.0}]
    for strength in strengths:
        made = db.tl.augment(seen, model, strength=strength, random_state=seed)
        changed = (made.X[:, kept] != seen.X[:, kept]).mean()
        found = {**compared(made, other, kept), "changed": changed}
        rows.append({"data": name, "seed": seed, "cells": f"strength {strength}", **found})
    return pd.DataFrame(rows)


def compared(one: AnnData, other: AnnData, kept: NDArray[np.int64]) -> dict[str, float]:
    """What sets counts apart from real ones; see above."""
    new, real = (np.asarray(part.X[:, kept].toarray()) for part in (one, other))
    new_totals, totals = (np.asarray(part.X.sum(1)).ravel() for part in (one, other))
    means, variances, new_variances = real.mean(0), real.var(0), new.var(0)
    order = np.argsort(means)
    bins = np.array(
        [
            np.median(new_variances[b]) / np.median(variances[b])
            for b in np.array_split(order[means[order] >= MIN_MEAN], N_BINS)
            if len(b)
        ]
    )
    frequent = order[-N_FREQUENT:]
    pairs = np.triu_indices(len(frequent), 1)
    together = [np.corrcoef(np.log1p(part[:, frequent]).T)[pairs] for part in (new, real)]
    return {
        "library": np.median(new_totals) / np.median(totals),
        "library sd": np.log1p(new_totals).std() / np.log1p(totals).std(),
        "zeros": (new == 0).mean() / (real == 0).mean(),
        "non-zeros": (new > 0).mean() / (real > 0).mean(),
        "variance": np.median(bins),
        "variance, worst bin": bins[np.abs(np.log(bins)).argmax()],
        "correlations": np.corrcoef(*together)[0, 1],
    }


def print_table(scores: pd.DataFrame) -> None:
    """Means over seeds."""
    means = scores.drop(columns="seed").groupby(["cells", "data"], sort=False).mean()
    sys.stdout.write(
        f"| cells | data | {' | '.join(map(str, means.columns))} |\n|---|---|{'---|' * means.shape[1]}\n"
    )
    for names, row in zip(means.index.to_list(), means.to_numpy(), strict=True):
        cells = [*map(str, names), *(f"{value:.2f}" for value in row)]
        sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
