"""Regressions on a frozen embedding, which predict a number such as age, scored on test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio.metrics.probes import checked_splits, n_voters, standardise
from diffaug_bio.metrics.splits import group_names, inner_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.metrics.splits import Groups, Split

    # training rows, their numbers, their groups, rows to predict -> predicted numbers
    Regress = Callable[
        [NDArray[np.float64], NDArray[np.float64], "NDArray[np.str_] | None", NDArray[np.float64]],
        NDArray[np.float64],
    ]

_STRENGTHS = tuple(10.0**power for power in range(-3, 6))


def linear_r2(
    embedding: NDArray[np.float32],
    numbers: NDArray[np.float64],
    *,
    groups: Groups | None = None,
    splits: Sequence[Split] | None = None,
    random_state: int = 0,
) -> NDArray[np.float64]:
    """Score ridge regression on the frozen embedding by R2, the share of the variance that it explains.

    The strength of the L2 penalty is chosen from 1e-3 to 1e5 by leaving out one training row after the
    other, or with groups by a cross-validation that keeps them together. The embedding is centred and
    divided by one number, both learned from the training fold, as in :func:`linear_probe`.

    Parameters
    ----------
    embedding, numbers
        Rows `(n_obs, n_latent)`, and the number of each.
    groups
        Group of each row, such as a subject, whose rows stay together. Shape: `(n_obs,)`.
    splits
        Pairs of training and test row numbers, in place of random folds; may be one pair.
    random_state
        Seed of the folds.

    Returns
    -------
    R2 of each fold: 1 is best, 0 is that of the mean of the test rows, and worse is below. Shape:
    `(n_folds,)`.

    Raises
    ------
    InputError
        If a given split has a group on both sides.
    """
    check_seed(random_state)
    return r2_of_splits(
        _predict_linear, embedding, numbers, groups=groups, splits=splits, random_state=random_state
    )


def knn_r2(
    embedding: NDArray[np.float32],
    numbers: NDArray[np.float64],
    *,
    groups: Groups | None = None,
    splits: Sequence[Split] | None = None,
    random_state: int = 0,
) -> NDArray[np.float64]:
    """Score the mean number of the 11 nearest training rows by R2.

    Parameters
    ----------
    embedding, numbers, groups, splits, random_state
        As in :func:`linear_r2`.

    Returns
    -------
    R2 of each fold, as in :func:`linear_r2`.

    Raises
    ------
    InputError
        If a given split has a group on both sides.
    """
    check_seed(random_state)
    return r2_of_splits(
        _predict_neighbors, embedding, numbers, groups=groups, splits=splits, random_state=random_state
    )


def r2_of_splits(
    predict: Regress,
    embedding: NDArray[np.float32],
    numbers: NDArray[np.float64],
    *,
    groups: Groups | None,
    splits: Sequence[Split] | None,
    random_state: int,
) -> NDArray[np.float64]:
    """Fit a regression on every split, and compute its R2."""
    from sklearn.metrics import r2_score

    rows, numbers = np.asarray(embedding, np.float64), np.asarray(numbers, np.float64)
    ids = None if groups is None else group_names(groups)
    scores = []
    for train, test in checked_splits(numbers, ids, splits, random_state=random_state):
        found = predict(rows[train], numbers[train], None if ids is None else ids[train], rows[test])
        scores.append(r2_score(numbers[test], found))
    return np.array(scores, np.float64)


def _predict_linear(
    train: NDArray[np.float64],
    numbers: NDArray[np.float64],
    groups: NDArray[np.str_] | None,
    test: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Predict by ridge regression, all of whose choices are made on training rows."""
    from sklearn.linear_model import RidgeCV

    inner = None  # every row on its own, for which there is a formula
    if groups is not None and len(np.unique(groups)) > 1:
        inner = inner_splits(np.full(len(numbers), "number"), groups)
    train, test = standardise(train, test)
    return np.asarray(RidgeCV(_STRENGTHS, cv=inner).fit(train, numbers).predict(test))


def _predict_neighbors(
    train: NDArray[np.float64],
    numbers: NDArray[np.float64],
    _groups: NDArray[np.str_] | None,
    test: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Predict by the mean of the nearest training rows."""
    from sklearn.neighbors import KNeighborsRegressor

    return np.asarray(KNeighborsRegressor(n_voters(train, test)).fit(train, numbers).predict(test))
