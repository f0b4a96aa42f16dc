"""How well later rows of a class that a model never saw are told from those of known ones.

    python tests/benchmarks/unknown_classes.py DATA... -o unknown.csv
    python tests/benchmarks/unknown_classes.py --table -o unknown.csv

Three tenths of the rows are the query. Each class in turn (of more than eight with five rows or more, eight
evenly spaced by their names) is left out of the rest, to which a model is fitted without labels. The query
is embedded by `tl.project`, and the area under the ROC curve says how well a score tells the rows of the
class that was left out from the others: `distance`, `denoising` and `density` as `tl.project` writes them;
beside them `pca distance` and `pca density`, the first and last of 50 principal components in place of the
embedding. A query of fewer than 50 rows has no density; means are over the runs that have all scores.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio.mapping._novelty import density_ratio, relative_distance

if TYPE_CHECKING:
    from anndata import AnnData

LABELS = ("cell_type", "label")
MAX_CLASSES, MIN_ROWS, N_COMPONENTS = 8, 5, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--table", action="store_true", help="Print what the output holds.")
    arguments = parser.parse_args()
    if arguments.table:
        print_table(pd.read_csv(arguments.output))
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        for path in arguments.data:
            adata = db.io.read(path)
            for seed in range(arguments.seeds):
                scores = run(adata, path.name.split(".")[0], seed)
                is_new = not arguments.output.exists()
                scores.to_csv(arguments.output, mode="a", header=is_new, index=False)
                sys.stdout.write(scores.round(3).to_string(index=False) + "\n")
                sys.stdout.flush()


def run(adata: AnnData, name: str, seed: int) -> pd.DataFrame:
    label_key = next(key for key in LABELS if key in adata.obs)
    y = np.asarray(adata.obs[label_key].astype(str))
    classes, sizes = np.unique(y, return_counts=True)
    stratified = np.where(np.isin(y, classes[sizes >= 2]), y, classes[sizes.argmax()])
    train, query = train_test_split(
        np.arange(len(y)), test_size=0.3, stratify=stratified, random_state=seed
    )
    chosen = classes[sizes >= MIN_ROWS]
    if len(chosen) > MAX_CLASSES:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MAX_CLASSES).round().astype(int)]
    rows = []
    for unseen in chosen:
        known = adata[np.sort(train[y[train] != unseen])].copy()
        new = adata[np.sort(query)].copy()
        is_unseen = np.asarray(new.obs[label_key].astype(str)) == unseen
        if not is_unseen.any():
            continue
        config = db.DiffAugConfig().replace(encoder={"kind": "mlp"})  # words of DNA
        model = db.tl.fit(known, config=config, random_state=seed, device="cpu")
        db.tl.project(new, model)
        seen, later = (model.features_.project(part.X)[:, :N_COMPONENTS] for part in (known, new))
        found = {
            "distance": new.obs["diffaug_distance"],
            "denoising": new.obs["diffaug_denoising"],
            "density": new.obs["diffaug_density"],
            "pca distance": relative_distance(later, seen),
            "pca density": density_ratio(later, seen),
        }
        # A query of fewer than 50 rows has no density; that is no score, not a bad one.
        aucs = {
            key: np.nan if np.isnan(values).any() else roc_auc_score(is_unseen, values)
            for key, values in found.items()
        }
        rows.append({"data": name, "seed": seed, "unseen": unseen, "n_unseen": is_unseen.sum(), **aucs})
    return pd.DataFrame(rows)


def print_table(scores: pd.DataFrame) -> None:
    """Mean over classes and seeds for each data set, and over all runs."""
    n_runs = len(scores)
    scores = scores.dropna()
    kinds = ["distance", "denoising", "density", "pca distance", "pca density"]
    sys.stdout.write(f"| data | classes | {' | '.join(kinds)} |\n|---|---|{'---|' * len(kinds)}\n")
    for name, part in scores.groupby("data", sort=False):
        cells = [f"{part[kind].mean():.3f}" for kind in kinds]
        sys.stdout.write(f"| {name} | {part['unseen'].nunique()} | {' | '.join(cells)} |\n")
    by_data = scores.groupby("data")[kinds].mean()
    for title, values in (("mean of all runs", scores[kinds].mean()), ("mean of sets", by_data.mean())):
        sys.stdout.write(f"| {title} | | {' | '.join(f'{values[kind]:.3f}' for kind in kinds)} |\n")
    sys.stdout.write(f"| runs | {len(scores)} of {n_runs} |{' |' * len(kinds)}\n")
    by_seed = scores.groupby("seed")[kinds].mean()
    spread = " | ".join(f"{by_seed[kind].std():.3f}" for kind in kinds)
    sys.stdout.write(f"| spread over seeds | | {spread} |\n")


if __name__ == "__main__":
    main()
