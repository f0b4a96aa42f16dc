"""Scores of a frozen embedding against labels that were never used to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

N_FOLDS = 5
N_NEIGHBORS = 11
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


def check_labels(labels: Sequence[object] | NDArray[np.object_], *, key: str) -> NDArray[np.bool_]:
    """Find the rows whose label can be scored by 5-fold cross-validation.

    Parameters
    ----------
    labels
        One label a row; missing ones are None or nan.
    key
        Name of the labels, for the error.

    Returns
    -------
    Rows with a label that at least five rows have. Shape: `(n_obs,)`.

    Raises
    ------
    InputError
        If fewer than two labels are that common.
    """
    import pandas as pd

    values = np.asarray(labels, dtype=object)
    known = ~pd.isna(values)
    names, counts = np.unique(values[known].astype(str), return_counts=True)
    common = names[counts >= N_FOLDS]
    if len(common) < 2:
        msg = (
            f"Labels {key!r} cannot be scored: {len(names)} different ones, of which {len(common)} occur "
            f"at least {N_FOLDS} times, and 2 such are needed. Choose a column of classes."
        )
        raise InputError(msg)
    return known & np.isin(values.astype(str), common)


def evaluate(
    embedding: NDArray[np.float32], labels: NDArray[np.str_], *, seed: int = 0
) -> dict[str, float]:
    """Score an embedding by linear probe, nearest neighbors and clusters.

    Parameters
    ----------
    embedding
        Shape: `(n_obs, n_latent)`.
    labels
        One label a row, each at least five times. Shape: `(n_obs,)`.
    seed
        Seed of the folds and of k-means.

    Returns
    -------
    `linear_probe`, `knn_accuracy` (mean accuracy over the folds), `linear_probe_spread`,
    `knn_accuracy_spread` (standard deviation over the folds), `kmeans_nmi` and `kmeans_ari`.
    """
    linear = linear_probe(embedding, labels, seed=seed)
    neighbors = knn_accuracy(embedding, labels, seed=seed)
    return {
        "linear_probe": float(linear.mean()),
        "linear_probe_spread": float(linear.std(ddof=1)),
        "knn_accuracy": float(neighbors.mean()),
        "knn_accuracy_spread": float(neighbors.std(ddof=1)),
        **cluster_agreement(embedding, labels, seed=seed),
    }


def linear_probe(
    embedding: NDArray[np.float32], labels: NDArray[np.str_], *, seed: int = 0
) -> NDArray[np.float64]:
    """Accuracy of multinomial logistic regression on the frozen embedding.

    The strength of the L2 penalty is chosen from 1e-3 to 10 by a 3-fold cross-validation inside each
    training fold, and the embedding is centred and divided by one number, so that no embedding profits
    from a strength that happens to suit its scale. Columns are not standardised one by one: that would
    blow up the noise in the last principal components, and make PCA look worse than it is.

    Parameters
    ----------
    embedding, labels, seed
        As for :func:`evaluate`.

    Returns
    -------
    One accuracy a fold. Shape: `(5,)`.
    """
    from sklearn.linear_model import LogisticRegressionCV

    # Strengths are fitted in turn, each from the solution before, which a grid search would not do.
    probe = LogisticRegressionCV(
        Cs=list(_STRENGTHS),
        cv=3,
        l1_ratios=(0.0,),
        max_iter=500,
        scoring="accuracy",
        tol=1e-3,
        use_legacy_attributes=False,
    )
    centered = embedding - embedding.mean(0)
    return _cross_validated(probe, centered / centered.std(), labels, seed=seed)


def knn_accuracy(
    embedding: NDArray[np.float32], labels: NDArray[np.str_], *, seed: int = 0
) -> NDArray[np.float64]:
    """Accuracy of the vote of the 11 nearest rows by Euclidean distance.

    Parameters
    ----------
    embedding, labels, seed
        As for :func:`evaluate`.

    Returns
    -------
    One accuracy a fold. Shape: `(5,)`.
    """
    from sklearn.neighbors import KNeighborsClassifier

    classifier = KNeighborsClassifier(min(N_NEIGHBORS, len(labels) // 2))
    return _cross_validated(classifier, embedding, labels, seed=seed)


def cluster_agreement(
    embedding: NDArray[np.float32], labels: NDArray[np.str_], *, seed: int = 0
) -> dict[str, float]:
    """Agreement of k-means clusters, as many as there are labels, with the labels.

    Parameters
    ----------
    embedding, labels, seed
        As for :func:`evaluate`.

    Returns
    -------
    `kmeans_nmi`, the normalised mutual information, and `kmeans_ari`, the adjusted Rand index.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    clusters = KMeans(len(np.unique(labels)), n_init=10, random_state=seed).fit_predict(embedding)
    return {
        "kmeans_nmi": float(normalized_mutual_info_score(labels, clusters)),
        "kmeans_ari": float(adjusted_rand_score(labels, clusters)),
    }


def _cross_validated(
    classifier: object, embedding: NDArray[np.float32], labels: NDArray[np.str_], *, seed: int
) -> NDArray[np.float64]:
    """Accuracies on 5 stratified folds, the same for every classifier and embedding of a seed."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_score(classifier, embedding.astype(np.float64), labels, cv=folds)
    return np.asarray(scores, dtype=np.float64)
