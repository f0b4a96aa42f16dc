"""Cells as another batch would have measured them: do they look like that batch, and keep their type?

    python tests/benchmarks/counterfactual.py KANG.h5ad MIXOLOGY.h5ad --seeds 3 -o counterfactual.csv
    python tests/benchmarks/counterfactual.py --table -o counterfactual.csv

Counts in `.X`; batches are `.obs["batch"]`, labels `.obs["cell_type"]`, which no fit sees. A model is
fitted with `batch_key`, and each batch in turn is asked for: all cells of other batches, of types that it
has, are made as it would have measured them. Made cells are put among the real ones by 50 principal
components of these, and their 15 nearest are asked:

- `batch`: share of these that are of the batch asked for, over what real cells of that batch have, the
  source itself left out: 0 percent would be nothing of it, and 100 as real cells of it
- `label`: whether most of them are of the type of the source
- `label_in_batch`: the same of the nearest that are of the batch that is asked for
- `changed`: share of the kept genes' counts that differ from those of the source
- `profile`: correlation over genes of the change of the mean of a type (log of its share, plus one in ten
  thousand) with that from the real cells of the source's batch to those of the other; mean over types and
  batches with 20 cells on either side

Ways: `source`, the cells as they are; `strength X`, `tl.augment(batch=..., strength=X)`; `corrected`,
`tl.correct_expression(batch=...)`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio.features import FittedFeatures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAug

BATCH, LABEL = "batch", "cell_type"
N_COMPONENTS, N_NEIGHBORS, LEAST_CELLS = 50, 15, 20
STRENGTHS = (0.3, 0.5, 0.75, 1.0)
COLUMNS = ("batch", "label", "label_in_batch", "changed", "profile")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="Print what the output holds.")
    arguments = parser.parse_args()
    if not arguments.table:
        torch.set_num_threads(arguments.threads)
        with threadpool_limits(arguments.threads):
            for path in arguments.data:
                for seed in range(arguments.seeds):
                    found = pd.DataFrame(run(path, seed))
                    is_new = not arguments.output.exists()
                    found.to_csv(arguments.output, mode="a", header=is_new, index=False)
    print_table(pd.read_csv(arguments.output))


def run(path: Path, seed: int) -> Iterator[dict[str, object]]:
    adata = anndata.read_h5ad(path)
    adata.X = sparse.csr_matrix(adata.X)
    adata.obs = adata.obs[[BATCH, LABEL]].astype(str)
    model = db.tl.fit(adata, batch_key=BATCH, random_state=seed, device="cpu")
    features = model.features_
    assert isinstance(features, FittedFeatures)
    real = features.baseline(adata.X, adata.X, width=N_COMPONENTS, seed=seed)
    for batch in np.unique(adata.obs[BATCH]):
        types = adata.obs[LABEL].to_numpy()[(adata.obs[BATCH] == batch).to_numpy()]
        chosen = ((adata.obs[BATCH] != batch) & adata.obs[LABEL].isin(types)).to_numpy()
        of_it = (adata.obs[BATCH] == batch).to_numpy()
        expected = share_of(real[of_it], real, adata, batch, own=np.flatnonzero(of_it))[0]
        for way, made in ways(adata, model, batch, seed):
            rows = features.baseline(adata.X, made[chosen], width=N_COMPONENTS, seed=seed)
            share, agrees, agrees_there = share_of(rows, real, adata, batch, own=np.flatnonzero(chosen))
            changed = (made[chosen][:, features.selected] != adata.X[chosen][:, features.selected]).mean()
            yield {
                "data": path.stem,
                "seed": seed,
                "asked": batch,
                "way": way,
                "batch": share / expected,
                "label": agrees,
                "label_in_batch": agrees_there,
                "changed": changed,
                "profile": profile(adata, made, batch, features),
            }


def ways(adata: AnnData, model: DiffAug, batch: str, seed: int) -> Iterator[tuple[str, sparse.csr_matrix]]:
    yield "source", adata.X
    for strength in STRENGTHS:
        made = db.tl.augment(adata, model, batch=batch, strength=strength, random_state=seed)
        yield f"strength {strength:g}", made.X
    db.tl.correct_expression(adata, model, batch=batch, random_state=seed)
    yield "corrected", adata.layers["diffaug_corrected"]


def share_of(
    rows: NDArray[np.float32],
    real: NDArray[np.float32],
    adata: AnnData,
    batch: str,
    *,
    own: NDArray[np.int64],
) -> tuple[float, float, float]:
    """Share of the batch among the nearest, and whether their labels are that of the source."""
    labels, is_there = adata.obs[LABEL].to_numpy(), (adata.obs[BATCH] == batch).to_numpy()
    near = NearestNeighbors(n_neighbors=N_NEIGHBORS + 1).fit(real).kneighbors(rows, return_distance=False)
    # The source itself is not asked: where it is not among the nearest, the last of them is left out.
    near = np.array(
        [[n for n in line if n != source][:N_NEIGHBORS] for line, source in zip(near, own, strict=True)]
    )
    there = np.flatnonzero(is_there)
    found = (
        NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(real[there]).kneighbors(rows, return_distance=False)
    )
    agrees = (labels[near] == labels[own][:, None]).mean(1) > 0.5
    agrees_there = (labels[there][found] == labels[own][:, None]).mean(1) > 0.5
    return float(is_there[near].mean()), float(agrees.mean()), float(agrees_there.mean())


def profile(adata: AnnData, made: sparse.csr_matrix, batch: str, features: FittedFeatures) -> float:
    """Compare the change of types' means with that of real cells from batch to batch."""
    labels, batches = (adata.obs[key].to_numpy() for key in (LABEL, BATCH))
    found = []
    for label in np.unique(labels):
        there = (labels == label) & (batches == batch)
        for other in np.unique(batches[batches != batch]):
            here = (labels == label) & (batches == other)
            if min(there.sum(), here.sum()) < LEAST_CELLS:
                continue
            before, after, wanted = (
                mean_of(matrix[rows][:, features.selected])
                for matrix, rows in ((adata.X, here), (made, here), (adata.X, there))
            )
            change = after - before
            found.append(np.corrcoef(change, wanted - before)[0, 1] if change.std() > 0 else 0.0)
    return float(np.mean(found))


def mean_of(counts: sparse.csr_matrix) -> NDArray[np.float64]:
    total = np.asarray(counts.sum(0), dtype=np.float64).ravel()
    logged: NDArray[np.float64] = np.log(total / total.sum() + 1e-4)
    return logged


def print_table(scores: pd.DataFrame) -> None:
    """Mean over batches, then mean and spread over seeds, in percent."""
    seeds = scores.groupby(["data", "way", "seed"], sort=False)[list(COLUMNS)].mean()
    table = 100 * seeds.groupby(["data", "way"], sort=False).agg(["mean", "std"])
    sys.stdout.write(f"| data | way | {' | '.join(COLUMNS)} |\n|---|---|{'---|' * len(COLUMNS)}\n")
    for (data, way), (_, row) in zip(table.index, table.iterrows(), strict=True):
        cells = [f"{row[column, 'mean']:.1f} ± {row[column, 'std']:.1f}" for column in COLUMNS]
        sys.stdout.write(f"| {data} | {way} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
