"""All scores of one embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
"""What :func:`evaluate` does, in this order, without a reference."""


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
    """Score an embedding by linear probe, nearest neighbors, clusters and distances.

    Parameters
    ----------
    embedding
        Shape: `(n_obs, n_latent)`.
    labels
        One label a row, each at least five times where folds are made. Shape: `(n_obs,)`.
    groups
        What must stand on one side of every split as a whole. Shape: `(n_obs,)`.
    splits
        Row numbers of training and test rows to use in place of random folds; may be one pair.
        Clusters and distances are then those of the rows that are in a test part.
    reference
        The rows before the embedding. Shape: `(n_obs, n_vars)`.
    random_state
        Seed of the folds, of clusters, and of samples of rows.
    on_step
        Called with the name of each step before it is taken: :data:`STEPS`.

    Returns
    -------
    For `linear` and `knn`: `linear_probe` and `knn_accuracy` (mean accuracy over the folds) with
    `…_spread` (its standard deviation over the folds, 0 for one fold), `…_macro_f1` and
    `…_balanced_accuracy`. Those of :func:`kmeans_agreement` and :func:`leiden_agreement`; `silhouette`
    of the labels; with a `reference`, `trustworthiness`.

    Raises
    ------
    InputError
        If the groups or splits cannot be used.
    """
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
    """Means over the folds, and the spread of the accuracy."""
    return {
        accuracy: float(scores.accuracy.mean()),
        f"{accuracy}_spread": float(scores.accuracy.std(ddof=1)) if len(scores.accuracy) > 1 else 0.0,
        f"{prefix}_macro_f1": float(scores.macro_f1.mean()),
        f"{prefix}_balanced_accuracy": float(scores.balanced_accuracy.mean()),
    }
