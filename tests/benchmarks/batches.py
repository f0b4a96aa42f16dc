"""Batches brought together: DiffAug with `batch_key`, beside none, Harmony and scVI, by scIB's scores.

    python tests/benchmarks/batches.py PANCREAS.h5ad KANG.h5ad --seeds 3 -o batches.csv
    python tests/benchmarks/batches.py PANCREAS.h5ad --leave-out delta:mouse1 -o batches.csv
    python tests/benchmarks/batches.py --table -o batches.csv

Harmony needs harmonypy, scVI scvi-tools (extra `eval`). Counts in `.X`; batches are `.obs["batch"]`, labels
`.obs["cell_type"]`, which no method sees. Each is fitted to all cells, by the 2,000 genes that DiffAug's
preprocessing keeps:

- `pca`: 50 components, and nothing done about batches
- `diffaug`: `tl.embed`, and nothing done about batches
- `harmony`: these 50 components, by harmonypy with its defaults, which may stop after one round
- `harmony_20`: the same in 20 rounds
- `scvi`: scVI with the batch as covariate, and else with its defaults (10 dimensions)
- `mnn_contrastive`: `tl.embed(batch_key=...)`, the warm-up only (`rounds = 0`): no generator
- `diffaug_batch`: `tl.embed(batch_key=...)`

Scores are those of `diffaug_bio.metrics.integration`, with the 50 components as what was there before, and
`transfer_accuracy` and `transfer_macro_f1`: each batch in turn gets labels from the others by a vote of the
15 nearest, weighted by inverse distance; labels that no other batch has do not count; mean over batches.
With `--leave-out TYPE:BATCH` the cells of a type are taken out of a batch beforehand, which a method that
mixes too much will cover with others: `left_out_f1` is the F1 of the best Leiden cluster for that type, and
`left_out_purity` the share of the same type among the 15 nearest of its cells. Data without that type or
batch are left out then. `seconds` are those of the fit.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import torch
from sklearn.metrics import accuracy_score, f1_score
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio import DiffAugConfig, metrics
from diffaug_bio.features import fit_features
from diffaug_bio.metrics._clusters import leiden_grid
from diffaug_bio.metrics._isolated import isolated_f1
from diffaug_bio.metrics._nearest import find_neighbors
from diffaug_bio.metrics.labels import check_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.features import FittedFeatures

BATCH, LABEL = "batch", "cell_type"
N_COMPONENTS, N_NEIGHBORS = 50, 15
HARMONY: dict[str, dict[str, float]] = {
    "harmony": {},
    "harmony_20": {"max_iter_harmony": 20, "epsilon_harmony": -1},
}
METHODS = ("pca", "diffaug", *HARMONY, "scvi", "mnn_contrastive", "diffaug_batch")
SHOWN = {
    "integration_total": "total",
    "batch_mixing": "mixing",
    "bio_conservation": "labels",
    "graph_connectivity": "connectivity",
    "silhouette_batch": "batch ASW",
    "ilisi": "iLISI",
    "kbet": "kBET",
    "pcr_comparison": "PCR",
    "clisi": "cLISI",
    "silhouette_label": "label ASW",
    "best_of_grid_nmi": "NMI",
    "best_of_grid_ari": "ARI",
    "isolated_silhouette": "isolated ASW",
    "isolated_f1": "isolated F1",
    "batch_knn_accuracy": "batch kNN",
    "batch_chance": "chance",
    "transfer_accuracy": "transfer",
    "transfer_macro_f1": "transfer F1",
    "left_out_f1": "left out F1",
    "left_out_purity": "left out purity",
    "seconds": "seconds",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--methods", default=",".join(METHODS), help="With commas.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="TYPE:BATCH")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="Folder of embeddings: kept there, and taken from there.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="CSV file to add rows to.")
    parser.add_argument("--table", action="store_true", help="Print what the output holds.")
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")
    if unknown := sorted(set(methods) - set(METHODS)):
        parser.error(f"unknown methods {', '.join(unknown)}; there are {', '.join(METHODS)}")
    if not arguments.table:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        torch.set_num_threads(arguments.threads)
        with threadpool_limits(arguments.threads):
            for name, left_out, adata in data_sets(arguments.data, arguments.leave_out):
                for method in methods:
                    for seed in range(arguments.seeds):
                        row = {"data": name, "left_out": left_out, "method": method, "seed": seed}
                        kept = arguments.keep and arguments.keep / f"{name}-{left_out}-{method}-{seed}.npz"
                        row |= score(adata, method, seed, left_out=left_out.rpartition(":")[0], kept=kept)
                        add_row(row, arguments.output)
    print_tables(pd.read_csv(arguments.output, keep_default_na=True))


def data_sets(paths: list[Path], leave_out: list[str]) -> Iterator[tuple[str, str, AnnData]]:
    """Data sets by name; with something to leave out, once for each such that they have."""
    for path in paths:
        adata = anndata.read_h5ad(path)
        labels, batches = (np.asarray(adata.obs[key].astype(str)) for key in (LABEL, BATCH))
        for entry in leave_out or [""]:
            kind, _, batch = entry.rpartition(":")
            outside = (labels == kind) & (batches == batch)
            if entry and not outside.any():
                continue
            yield path.stem, entry, adata[~outside].copy()


def score(adata: AnnData, method: str, seed: int, *, left_out: str, kept: Path | None) -> dict[str, float]:
    """Fit a method, or take what it gave from a file, and score that."""
    features = fit_features(adata.X, DiffAugConfig().features, seed=seed)
    components = features.baseline(adata.X, adata.X, width=N_COMPONENTS, seed=seed)
    if kept is not None and kept.exists():
        with np.load(kept) as file:
            embedding, seconds = file["embedding"], float(file["seconds"])
    else:
        started = time.perf_counter()
        embedding = embed(adata, method, seed, features=features, components=components)
        seconds = time.perf_counter() - started
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(kept, embedding=embedding, seconds=seconds)
    known = check_labels(adata.obs[LABEL].to_numpy(dtype=object), key=LABEL, log=False)
    batches, labels = (np.asarray(adata.obs[key].astype(str))[known] for key in (BATCH, LABEL))
    rows = embedding[known]
    scores = metrics.integration(rows, batches, labels, before=components[known], random_state=seed)
    scores |= transfer(rows, batches, labels)
    if left_out:
        inside = labels == left_out
        near = find_neighbors(rows, N_NEIGHBORS + 1).indices[inside, 1:]
        grid = leiden_grid(rows, random_state=seed)
        scores["left_out_f1"] = isolated_f1(grid, labels, np.array([left_out]))
        scores["left_out_purity"] = float((labels[near] == left_out).mean())
    return {**scores, "seconds": seconds, "width": embedding.shape[1]}


def embed(
    adata: AnnData,
    method: str,
    seed: int,
    *,
    features: FittedFeatures,
    components: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Embed all cells."""
    if method == "pca":
        return components
    if method in HARMONY:
        import harmonypy

        found = harmonypy.run_harmony(
            components, adata.obs[[BATCH]], [BATCH], random_state=seed, verbose=False, **HARMONY[method]
        )
        return np.asarray(found.Z_corr, np.float32)
    if method == "scvi":
        return scvi_embedding(adata, features, seed)
    copy = adata.copy()
    config = DiffAugConfig()
    if method == "mnn_contrastive":
        config = config.replace(train={"rounds": 0})
    if method == "diffaug":
        db.tl.embed(copy, config=config, random_state=seed, device="cpu")
    else:
        db.tl.embed(copy, config=config, batch_key=BATCH, random_state=seed, device="cpu")  # type: ignore[call-arg, unused-ignore]
    return np.asarray(copy.obsm["X_diffaug"], np.float32)


def scvi_embedding(adata: AnnData, features: FittedFeatures, seed: int) -> NDArray[np.float32]:
    import scvi

    scvi.settings.seed, scvi.settings.verbosity = seed, logging.ERROR
    kept = anndata.AnnData(X=adata.X[:, features.selected].copy(), obs=adata.obs[[BATCH]].astype(str))
    scvi.model.SCVI.setup_anndata(kept, batch_key=BATCH)
    model = scvi.model.SCVI(kept)
    model.train(accelerator="cpu", enable_progress_bar=False, logger=False, enable_checkpointing=False)
    return np.asarray(model.get_latent_representation(), np.float32)


def transfer(
    rows: NDArray[np.float32], batches: NDArray[np.str_], labels: NDArray[np.str_]
) -> dict[str, float]:
    """Label each batch by all others."""
    accuracies, f1 = [], []
    for batch in np.unique(batches):
        others = batches != batch
        asked = ~others & np.isin(labels, labels[others])
        vote = KNeighborsClassifier(min(N_NEIGHBORS, int(others.sum())), weights="distance")
        found = vote.fit(rows[others], labels[others]).predict(rows[asked])
        accuracies.append(accuracy_score(labels[asked], found))
        f1.append(f1_score(labels[asked], found, labels=np.unique(labels[asked]), average="macro"))
    return {"transfer_accuracy": float(np.mean(accuracies)), "transfer_macro_f1": float(np.mean(f1))}


def add_row(row: dict[str, object], path: Path) -> None:
    """Add a row to the file, whose columns may be more or other ones."""
    frame = pd.DataFrame([row])
    if path.exists():
        frame = pd.concat([pd.read_csv(path), frame], ignore_index=True)
    frame.to_csv(path, index=False)
    shown = {name: value for name, value in row.items() if name in SHOWN or isinstance(value, str)}
    sys.stdout.write(f"{shown}\n")
    sys.stdout.flush()


def print_tables(scores: pd.DataFrame) -> None:
    """A table for each data set: mean over seeds ± its spread, times 100, seconds as they are."""
    scores["left_out"] = scores["left_out"].fillna("")
    for (name, left_out), part in scores.groupby(["data", "left_out"], sort=False):
        columns = [column for column in SHOWN if column in part and part[column].notna().any()]
        sys.stdout.write(f"\n{name}{f', without {left_out}' if left_out else ''}\n\n")
        sys.stdout.write(f"| method | {' | '.join(SHOWN[column] for column in columns)} |\n")
        sys.stdout.write(f"|---|{'---|' * len(columns)}\n")
        for method, rows in part.groupby("method", sort=False):
            cells = [
                f"{rows[column].mean():.0f}"
                if column == "seconds"
                else f"{100 * rows[column].mean():.1f} ± {100 * rows[column].std(ddof=1):.1f}"
                for column in columns
            ]
            sys.stdout.write(f"| {method} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
