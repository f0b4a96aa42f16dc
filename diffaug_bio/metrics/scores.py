"""All scores of one embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio.metrics._clusters import (
    GRAPH_NEIGHBORS,
    kmeans_agreement,
    label_silhouette,
    leiden_agreement_of,
)
from diffaug_bio.metrics._nearest import find_neighbors
from diffaug_bio.metrics._structure import trustworthiness
from diffaug_bio.metrics.numbers import knn_r2, linear_r2
from diffaug_bio.metrics.probes import N_NEIGHBORS, knn_probe, knn_probe_of, linear_probe
from diffaug_bio.metrics.splits import holds_numbers, make_splits, tested_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.metrics.probes import FoldScores
    from diffaug_bio.metrics.splits import Groups, Split

STEPS = ("linear probe", "nearest neighbors", "k-means clusters", "Leiden clusters", "silhouette")
"""Steps of :func:`evaluate` of classes, without a reference, in their order."""
_SEARCHED = 3  # times the neighbours that vote: of four rows in five, those of the training fold suffice
NUMBER_STEPS = STEPS[:2]
"""Steps of :func:`evaluate` of a number, in their order."""


def evaluate(
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_] | NDArray[np.float64],
    *,
    groups: Groups | None = None,
    splits: Sequence[Split] | None = None,
    reference: NDArray[np.float32] | None = None,
    random_state: int = 0,
    on_step: Callable[[str], None] | None = None,
) -> dict[str, float]:
    """Score an embedding by linear probe, nearest neighbours, clusters and silhouette.

    Parameters
    ----------
    embedding
        Shape: `(n_obs, n_latent)`.
    labels
        Class of each row, each at least five times unless `splits` are given; or a number of floating
        point, such as age. Shape: `(n_obs,)`.
    groups
        Group of each row, such as a subject, whose rows stay together. Shape: `(n_obs,)`.
    splits
        Pairs of training and test row numbers, in place of random folds; may be one pair. Clusters and
        silhouette are then those of the test rows.
    reference
        The rows before the embedding. Shape: `(n_obs, n_vars)`.
    random_state
        Seed of the folds, of clusters, and of samples of rows.
    on_step
        Function called with the name of each step before it begins.

    Returns
    -------
    Of classes, `linear_probe` and `knn_accuracy` (mean accuracy over the folds) with `…_spread` (standard
    deviation over the folds, 0 for one fold), `linear_…` and `knn_…` `macro_f1` and `balanced_accuracy`;
    the scores of :func:`kmeans_agreement` and :func:`leiden_agreement`; `silhouette` of the labels.

    Of numbers, `linear_r2` and `knn_r2`, the mean R2 over the folds of :func:`linear_r2` and
    :func:`knn_r2`, with `…_spread`.

    Of both, `trustworthiness` if there is a `reference`. :func:`chance` gives the level of each score that
    is reached without knowing any row.

    Raises
    ------
    InputError
        If the groups or splits cannot be used.
    """
    check_seed(random_state)
    if splits is None:
        splits = make_splits(labels, groups=groups, random_state=random_state)
    begin = on_step or (lambda _step: None)
    if holds_numbers(labels):
        scores = _evaluate_number(
            embedding, labels, groups=groups, splits=splits, random_state=random_state, begin=begin
        )
    else:
        names = np.asarray(labels, dtype=np.str_)
        scores = _evaluate_classes(
            embedding, names, groups=groups, splits=splits, random_state=random_state, begin=begin
        )
    if reference is not None:
        tested = tested_rows(splits)
        scores["trustworthiness"] = trustworthiness(
            reference[tested], embedding[tested], random_state=random_state
        )
    return scores


def _evaluate_number(
    embedding: NDArray[np.float32],
    numbers: NDArray[np.float64],
    *,
    groups: Groups | None,
    splits: Sequence[Split],
    random_state: int,
    begin: Callable[[str], None],
) -> dict[str, float]:
    """Score regressions; there are no clusters to compare a number with."""
    scores: dict[str, float] = {}
    for step, name, score in zip(NUMBER_STEPS, ("linear_r2", "knn_r2"), (linear_r2, knn_r2), strict=True):
        begin(step)
        folds = score(embedding, numbers, groups=groups, splits=splits, random_state=random_state)
        scores |= {name: float(folds.mean()), f"{name}_spread": _spread(folds)}
    return scores


def _evaluate_classes(
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_],
    *,
    groups: Groups | None,
    splits: Sequence[Split],
    random_state: int,
    begin: Callable[[str], None],
) -> dict[str, float]:
    """Score classifiers, and clusters of the test rows."""
    begin("linear probe")
    linear = linear_probe(embedding, labels, groups=groups, splits=splits, random_state=random_state)
    begin("nearest neighbors")
    tested = tested_rows(splits)
    known = None
    if len(tested) == len(labels):  # one search for the votes and for the graph of clusters
        known = find_neighbors(embedding, 1 + max(GRAPH_NEIGHBORS, _SEARCHED * N_NEIGHBORS))
        neighbors = knn_probe_of(known, embedding, labels, groups=groups, splits=splits)
    else:
        neighbors = knn_probe(embedding, labels, groups=groups, splits=splits, random_state=random_state)
    embedding, labels = embedding[tested], labels[tested]
    begin("k-means clusters")
    kmeans = kmeans_agreement(embedding, labels, random_state=random_state)
    begin("Leiden clusters")
    leiden = leiden_agreement_of(known, embedding, labels, random_state=random_state)
    begin("silhouette")
    return {
        **_summary(linear, accuracy="linear_probe", prefix="linear"),
        **_summary(neighbors, accuracy="knn_accuracy", prefix="knn"),
        **kmeans,
        **leiden,
        "silhouette": label_silhouette(embedding, labels, random_state=random_state),
    }


def _summary(scores: FoldScores, *, accuracy: str, prefix: str) -> dict[str, float]:
    """Return means over the folds, and the spread of the accuracy."""
    return {
        accuracy: float(scores.accuracy.mean()),
        f"{accuracy}_spread": _spread(scores.accuracy),
        f"{prefix}_macro_f1": float(scores.macro_f1.mean()),
        f"{prefix}_balanced_accuracy": float(scores.balanced_accuracy.mean()),
    }


def _spread(folds: NDArray[np.float64]) -> float:
    """Return the standard deviation over the folds, 0 for one fold."""
    return float(folds.std(ddof=1)) if len(folds) > 1 else 0.0
