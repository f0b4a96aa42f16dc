"""All scores of one embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio.metrics._clusters import kmeans_agreement, label_silhouette, leiden_agreement
from diffaug_bio.metrics._structure import trustworthiness
from diffaug_bio.metrics.probes import knn_probe, linear_probe
from diffaug_bio.metrics.splits import make_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.metrics.probes import FoldScores
    from diffaug_bio.metrics.splits import Groups, Split

STEPS = ("linear probe", "nearest neighbors", "k-means clusters", "Leiden clusters", "silhouette")
"""Steps of :func:`evaluate` without a reference, in their order."""


def evaluate(
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_],
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
        Label of each row, each at least five times unless `splits` are given. Shape: `(n_obs,)`.
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
    `linear_probe` and `knn_accuracy` (mean accuracy over the folds) with `…_spread` (standard deviation
    over the folds, 0 for one fold), `linear_…` and `knn_…` `macro_f1` and `balanced_accuracy`; the scores
    of :func:`kmeans_agreement` and :func:`leiden_agreement`; `silhouette` of the labels; `trustworthiness`
    if there is a `reference`.

    Raises
    ------
    InputError
        If the groups or splits cannot be used.
    """
    check_seed(random_state)
    if splits is None:
        splits = make_splits(labels, groups=groups, random_state=random_state)
    begin = on_step or (lambda _step: None)
    begin("linear probe")
    linear = linear_probe(embedding, labels, groups=groups, splits=splits, random_state=random_state)
    begin("nearest neighbors")
    neighbors = knn_probe(embedding, labels, groups=groups, splits=splits, random_state=random_state)
    tested = np.unique(np.concatenate([test for _, test in splits]))
    embedding, labels = embedding[tested], labels[tested]
    begin("k-means clusters")
    kmeans = kmeans_agreement(embedding, labels, random_state=random_state)
    begin("Leiden clusters")
    leiden = leiden_agreement(embedding, labels, random_state=random_state)
    begin("silhouette")
    scores = {
        **_summary(linear, accuracy="linear_probe", prefix="linear"),
        **_summary(neighbors, accuracy="knn_accuracy", prefix="knn"),
        **kmeans,
        **leiden,
        "silhouette": label_silhouette(embedding, labels, random_state=random_state),
    }
    if reference is not None:
        scores["trustworthiness"] = trustworthiness(reference[tested], embedding, random_state=random_state)
    return scores


def _summary(scores: FoldScores, *, accuracy: str, prefix: str) -> dict[str, float]:
    """Return means over the folds, and the spread of the accuracy."""
    return {
        accuracy: float(scores.accuracy.mean()),
        f"{accuracy}_spread": float(scores.accuracy.std(ddof=1)) if len(scores.accuracy) > 1 else 0.0,
        f"{prefix}_macro_f1": float(scores.macro_f1.mean()),
        f"{prefix}_balanced_accuracy": float(scores.balanced_accuracy.mean()),
    }
