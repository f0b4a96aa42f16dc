"""Classifiers on a frozen embedding, scored on test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.metrics.splits import group_names, inner_splits, make_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors
    from diffaug_bio.metrics.splits import Groups, Split

    # training rows, their labels, their groups, rows to predict -> predicted labels
    Predict = Callable[
        [NDArray[np.float64], NDArray[np.str_], "NDArray[np.str_] | None", NDArray[np.float64]],
        NDArray[np.str_],
    ]

N_NEIGHBORS = 11
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True, slots=True)
class FoldScores:
    """Scores of a classifier for each fold. Shape of each: `(n_folds,)`."""

    accuracy: NDArray[np.float64]
    """Share of test rows that are predicted correctly."""
    macro_f1: NDArray[np.float64]
    """F1, averaged over the classes among the test rows."""
    balanced_accuracy: NDArray[np.float64]
    """Recall, averaged over the classes among the test rows."""


def linear_probe(
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_],
    *,
    groups: Groups | None = None,
    splits: Sequence[Split] | None = None,
    random_state: int = 0,
) -> FoldScores:
    """Score multinomial logistic regression on the frozen embedding.

    The strength of the L2 penalty is chosen from 1e-3 to 10 by a 3-fold cross-validation inside each
    training fold, which keeps groups together, too. The embedding is centred and divided by one number,
    both learned from the training fold: its scale does not matter. Standardised columns would amplify the
    noise of the last principal components, and make PCA look worse than it is.

    Parameters
    ----------
    embedding, labels
        Rows `(n_obs, n_latent)`, and the label of each.
    groups
        Group of each row, such as a subject, whose rows stay together. Shape: `(n_obs,)`.
    splits
        Pairs of training and test row numbers, in place of random folds; may be one pair.
    random_state
        Seed of the folds.

    Returns
    -------
    Scores for each fold.

    Raises
    ------
    InputError
        If a given split has a group on both sides.
    """
    check_seed(random_state)
    return score_splits(
        _predict_linear, embedding, labels, groups=groups, splits=splits, random_state=random_state
    )


def knn_probe(
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_],
    *,
    groups: Groups | None = None,
    splits: Sequence[Split] | None = None,
    random_state: int = 0,
) -> FoldScores:
    """Score the vote of the 11 nearest training rows by Euclidean distance.

    Parameters
    ----------
    embedding, labels, groups, splits, random_state
        As in :func:`linear_probe`.

    Returns
    -------
    Scores for each fold.

    Raises
    ------
    InputError
        If a given split has a group on both sides.
    """
    check_seed(random_state)
    return score_splits(
        _predict_neighbors, embedding, labels, groups=groups, splits=splits, random_state=random_state
    )


def knn_probe_of(
    neighbors: Neighbors,
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_],
    *,
    groups: Groups | None,
    splits: Sequence[Split],
) -> FoldScores:
    """Score as :func:`knn_probe` does, by neighbours among all rows that are known already.

    Rows with fewer than 11 training rows among their neighbours are searched for again.
    """
    values = np.asarray(embedding, dtype=np.float64)
    ids = None if groups is None else group_names(groups)
    names, codes = np.unique(labels, return_inverse=True)
    nearest = neighbors.indices[:, 1:]
    scores = []
    for train, test in checked_splits(labels, ids, splits, random_state=0):
        n_neighbors = n_voters(train, test)
        is_train = np.zeros(len(labels), bool)
        is_train[train] = True
        candidates = nearest[test]
        order = np.cumsum(is_train[candidates], axis=1)
        votes = is_train[candidates] & (order <= n_neighbors)
        has_enough = order[:, -1] >= n_neighbors
        counts = np.zeros((len(test), len(names)), np.int64)
        rows, places = np.nonzero(votes)
        np.add.at(counts, (rows, codes[candidates[rows, places]]), 1)
        found = names[counts.argmax(1)]  # of equal votes the first name, as in scikit-learn
        if not has_enough.all():
            found[~has_enough] = _predict_neighbors(
                values[train], labels[train], None, values[test[~has_enough]], n_neighbors=n_neighbors
            )
        scores.append(_scores_of(labels[test], found))
    return FoldScores(*np.array(scores, dtype=np.float64).T)


def score_splits(
    predict: Predict,
    embedding: NDArray[np.float32],
    labels: NDArray[np.str_],
    *,
    groups: Groups | None,
    splits: Sequence[Split] | None,
    random_state: int,
) -> FoldScores:
    """Fit and score a classifier on every split."""
    values = np.asarray(embedding, dtype=np.float64)
    ids = None if groups is None else group_names(groups)
    scores = []
    for train, test in checked_splits(labels, ids, splits, random_state=random_state):
        found = predict(values[train], labels[train], None if ids is None else ids[train], values[test])
        scores.append(_scores_of(labels[test], found))
    return FoldScores(*np.array(scores, dtype=np.float64).T)


def _scores_of(truth: NDArray[np.str_], found: NDArray[np.str_]) -> list[float]:
    """Score predictions: accuracy, macro-F1 and balanced accuracy."""
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    mean = {"labels": np.unique(truth), "average": "macro", "zero_division": 0.0}
    return [
        accuracy_score(truth, found),
        f1_score(truth, found, **mean),
        recall_score(truth, found, **mean),
    ]


def checked_splits(
    labels: NDArray[np.str_] | NDArray[np.float64],
    ids: NDArray[np.str_] | None,
    splits: Sequence[Split] | None,
    *,
    random_state: int,
) -> Iterator[Split]:
    """Yield folds, or the given splits; refuse one with a group on both sides."""
    if splits is None:
        splits = make_splits(labels, groups=ids, random_state=random_state)
    for train, test in splits:
        if ids is not None and len(both := np.intersect1d(ids[train], ids[test])):
            msg = f"`splits` has groups on both sides: {shorten(both)}. Leave `groups` or `splits` out."
            raise InputError(msg)
        yield train, test


def _predict_linear(
    train: NDArray[np.float64],
    labels: NDArray[np.str_],
    groups: NDArray[np.str_] | None,
    test: NDArray[np.float64],
) -> NDArray[np.str_]:
    """Predict by logistic regression, all of whose choices are made on training rows."""
    from sklearn.linear_model import LogisticRegressionCV

    if len(np.unique(labels)) == 1:  # held-out groups may leave one class
        return np.full(len(test), labels[0])
    # Strengths are fitted in turn, each from the solution before, which a grid search would not do.
    probe = LogisticRegressionCV(
        Cs=list(_STRENGTHS),
        cv=inner_splits(labels, groups),
        l1_ratios=(0.0,),
        max_iter=500,
        scoring="accuracy",
        tol=1e-3,
        use_legacy_attributes=False,
    )
    train, test = standardise(train, test)
    return np.asarray(probe.fit(train, labels).predict(test))


def _predict_neighbors(
    train: NDArray[np.float64],
    labels: NDArray[np.str_],
    _groups: NDArray[np.str_] | None,
    test: NDArray[np.float64],
    *,
    n_neighbors: int | None = None,
) -> NDArray[np.str_]:
    """Predict by the vote of the nearest training rows."""
    from sklearn.neighbors import KNeighborsClassifier

    n_neighbors = n_neighbors or n_voters(train, test)
    return np.asarray(KNeighborsClassifier(n_neighbors).fit(train, labels).predict(test))


def n_voters(train: NDArray[np.generic], test: NDArray[np.generic]) -> int:
    """Count the neighbours that vote: 11, or fewer of few rows."""
    return min(N_NEIGHBORS, (len(train) + len(test)) // 2, len(train))


def standardise(
    train: NDArray[np.float64], test: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and scale by the training rows; rotate wide ones onto their row space."""
    center = train.mean(0)
    train, test = train - center, test - center
    scale = float(train.std()) or 1.0
    train, test = train / scale, test / scale
    if train.shape[1] > train.shape[0]:
        # Exact: an L2-penalised solution is a combination of the training rows, so nothing outside their
        # span matters, and within it any orthonormal basis will do.
        basis, _ = np.linalg.qr(train.T)  # (n_features, n_train)
        train, test = train @ basis, test @ basis
    return train, test
