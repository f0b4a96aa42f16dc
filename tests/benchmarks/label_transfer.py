"""Label transfer from one donor, protocol or condition to another, beside PCA and scVI's query mapping.

    python tests/benchmarks/label_transfer.py PANCREAS.h5ad:batch MIXOLOGY.h5ad:batch \\
        KANG.h5ad:stim:ctrl:stim --seeds 3 -o transfer.csv
    python tests/benchmarks/label_transfer.py --table -o transfer.csv

Each argument names a file and the column whose values are the reference and the query in turn, every one to
every other; with two more parts only from the one to the other. Labels are `.obs["cell_type"]`. A method
sees the reference (without labels), then the query, and every cell of the query gets a label:

- `pca`: 50 components of the reference (2,000 most variable genes, logged, standardised), kNN
- `pca, estimated`: the same, with missing genes estimated as DiffAug's front end does (with `--missing`)
- `pca, vote`: the same components, `diffaug_bio.mapping.neighbor_vote`
- `pca, mnn, vote`: with the query moved by `diffaug_bio.mapping.mutual_neighbor_shift`
- `diffaug`: `tl.project`, kNN
- `diffaug, vote`: `tl.project`, `tl.transfer_labels`
- `diffaug, mnn, vote`: `tl.project(correct="mnn")`, `tl.transfer_labels`
- `scvi`: scArches (`--scvi`): trained on the reference, then 200 epochs on the query; kNN
- `scvi, vote` and `scvi, mnn, vote`: the same latent space, as above

kNN is scikit-learn's with 15 neighbors and inverse distances. With `--missing`, PCA and DiffAug are told
only of a random part of the query's genes, too; a gene that is missing counts as the mean in PCA.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import torch
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

import diffaug_bio as db
from diffaug_bio.features import FittedFeatures
from diffaug_bio.mapping import mutual_neighbor_shift, neighbor_vote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.mapping import Correction

LABEL, N_NEIGHBORS, N_COMPONENTS = "cell_type", 15, 50
CORRECTIONS: dict[str, Correction] = {"diffaug": "none", "diffaug, mnn": "mnn"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", nargs="*", help="FILE:COLUMN or FILE:COLUMN:REFERENCE:QUERY")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--missing", type=float, nargs="*", default=[], help="Shares of genes to leave out."
    )
    parser.add_argument("--scvi", action="store_true", help="Run scVI only.")
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
        for entry in arguments.data:
            for name, reference, query in pairs(entry):
                for seed in range(arguments.seeds):
                    if arguments.scvi:
                        found = scvi_accuracies(reference, query, seed)
                    else:
                        found = accuracies(reference, query, seed, [0.0, *arguments.missing])
                    rows = pd.DataFrame([{"pair": name, "seed": seed, **row} for row in found])
                    is_new = not arguments.output.exists()
                    rows.to_csv(arguments.output, mode="a", header=is_new, index=False)
                    sys.stdout.write(rows.round(4).to_string(index=False) + "\n")
                    sys.stdout.flush()


def pairs(entry: str) -> Iterator[tuple[str, AnnData, AnnData]]:
    """References and queries of a data set, with a name for each pair."""
    path, column, *chosen = entry.split(":")
    adata = anndata.read_h5ad(path)
    groups = adata.obs[column].astype(str)
    names = sorted(set(groups))
    for reference in names:
        for query in names:
            if reference != query and (not chosen or chosen == [reference, query]):
                name = f"{Path(path).name.split('_')[0]} {reference} to {query}"
                yield name, adata[groups == reference].copy(), adata[groups == query].copy()


def accuracies(
    reference: AnnData, query: AnnData, seed: int, missing: list[float]
) -> Iterator[dict[str, object]]:
    model = db.tl.fit(reference, random_state=seed, device="cpu")
    features = model.features_
    assert isinstance(features, FittedFeatures)
    components = features.project(reference.X)[:, :N_COMPONENTS]
    for share in missing:
        kept = np.random.default_rng(seed).permutation(query.n_vars)[round(share * query.n_vars) :]
        part = query[:, np.sort(kept)].copy() if share else query.copy()
        place = pd.Series(np.arange(part.n_vars), part.var_names)
        found = np.asarray(place.reindex(reference.var_names, fill_value=-1), np.int64)
        columns = found if share else None
        # Without what is known of the components' variances, a missing gene counts as the mean.
        mean_filled = features.dense_rows(part.X, columns) @ features.components
        by_filling = {"pca": mean_filled[:, :N_COMPONENTS]}
        if columns is not None:
            by_filling["pca, estimated"] = features.project(part.X, columns)[:, :N_COMPONENTS]
        for name, scores in by_filling.items():
            for method, labels in by_embedding(name, components, scores, reference).items():
                yield {"method": method, "missing": share, "accuracy": accuracy(labels, part)}
        for method, correct in CORRECTIONS.items():
            db.tl.project(part, model, correct=correct)
            if correct == "none":
                labels = knn(reference.obsm["X_diffaug"], part.obsm["X_diffaug"], reference)
                yield {"method": method, "missing": share, "accuracy": accuracy(labels, part)}
            db.tl.transfer_labels(part, reference, LABEL, min_confidence=0)
            labels = np.asarray(part.obs[f"{LABEL}_transferred"].astype(str))
            yield {"method": f"{method}, vote", "missing": share, "accuracy": accuracy(labels, part)}


def by_embedding(
    name: str, known: NDArray[np.float32], unknown: NDArray[np.float32], reference: AnnData
) -> dict[str, NDArray[np.str_]]:
    """Labels of an embedding that is not ours, by each way to take them."""
    moved = mutual_neighbor_shift(unknown, known)
    return {
        name: knn(known, unknown, reference),
        f"{name}, vote": vote(known, unknown, reference),
        f"{name}, mnn, vote": vote(known, moved, reference),
    }


def scvi_accuracies(reference: AnnData, query: AnnData, seed: int) -> Iterator[dict[str, object]]:
    import scanpy as sc
    import scvi

    scvi.settings.seed, scvi.settings.verbosity = seed, logging.ERROR
    if reference.n_vars > 2000:
        logged = sc.pp.log1p(sc.pp.normalize_total(reference, target_sum=1e4, copy=True), copy=True)
        sc.pp.highly_variable_genes(logged, n_top_genes=2000)
        reference = reference[:, logged.var["highly_variable"]].copy()
    reference, query = reference.copy(), query[:, reference.var_names].copy()
    reference.obs["mapping"], query.obs["mapping"] = "reference", "query"
    scvi.model.SCVI.setup_anndata(reference, batch_key="mapping")
    # What the authors of scArches set for models that queries are mapped to.
    model = scvi.model.SCVI(
        reference,
        n_layers=2,
        encode_covariates=True,
        deeply_inject_covariates=False,
        use_layer_norm="both",
        use_batch_norm="none",
    )
    quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
    model.train(**quiet)
    mapped = scvi.model.SCVI.load_query_data(query, model)
    mapped.train(max_epochs=200, plan_kwargs={"weight_decay": 0.0}, **quiet)
    known, unknown = (
        one.get_latent_representation(data) for one, data in ((model, reference), (mapped, query))
    )
    for method, labels in by_embedding("scvi", known, unknown, reference).items():
        yield {"method": method, "missing": 0.0, "accuracy": accuracy(labels, query)}


def knn(known: NDArray[np.float32], unknown: NDArray[np.float32], reference: AnnData) -> NDArray[np.str_]:
    labels = np.asarray(reference.obs[LABEL].astype(str))
    classifier = KNeighborsClassifier(min(N_NEIGHBORS, len(known)), weights="distance")
    return np.asarray(classifier.fit(known, labels).predict(unknown))


def vote(known: NDArray[np.float32], unknown: NDArray[np.float32], reference: AnnData) -> NDArray[np.str_]:
    names, codes = np.unique(np.asarray(reference.obs[LABEL].astype(str)), return_inverse=True)
    found, _ = neighbor_vote(unknown, known, codes, n_labels=len(names), n_neighbors=N_NEIGHBORS)
    return np.asarray(names[found])


def accuracy(labels: NDArray[np.str_], query: AnnData) -> float:
    return float((labels == np.asarray(query.obs[LABEL].astype(str))).mean())


def print_table(scores: pd.DataFrame) -> None:
    """Accuracies in percent: mean over seeds, and its spread."""
    scores["accuracy"] *= 100
    scores["column"] = scores["method"] + scores["missing"].map(
        lambda s: f" ({s:.0%} missing)" if s else ""
    )
    by_pair = scores.groupby(["column", "pair"], sort=False)["accuracy"].agg(["mean", "std"])
    pair_names = list(dict.fromkeys(scores["pair"]))
    sys.stdout.write(
        f"| method | {' | '.join(pair_names)} | mean |\n|---|{'---|' * (len(pair_names) + 1)}\n"
    )
    for column in dict.fromkeys(scores["column"]):
        part = by_pair.loc[column].reindex(pair_names)
        cells = [f"{mean:.1f} ± {std:.1f}" for mean, std in part.to_numpy()]
        sys.stdout.write(f"| {column} | {' | '.join(cells)} | {part['mean'].mean():.2f} |\n")


if __name__ == "__main__":
    main()
