"""Training and test rows."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from diffaug_bio._checks import check_seed
from diffaug_bio._keys import TEST, TRAIN
from diffaug_bio.errors import InputError
from diffaug_bio.metrics.labels import N_FOLDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Groups = Sequence[object] | NDArray[Any]

Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Numbers of training and of test rows."""

_N_INNER_FOLDS = 3


def make_splits(
    labels: NDArray[np.str_] | NDArray[np.float64],
    *,
    groups: Groups | None = None,
    random_state: int = 0,
) -> list[Split]:
    """Make folds for cross-validation, the same for every embedding.

    Parameters
    ----------
    labels
        Class of each row, by which folds are stratified, or a number of floating point. Shape: `(n_obs,)`.
    groups
        Group of each row, such as a subject, whose rows stay together. Shape: `(n_obs,)`.
    random_state
        Seed of the shuffling.

    Returns
    -------
    Row numbers of training and test rows for five folds, or as many as there are groups; for numbers, of
    at least two rows.

    Raises
    ------
    InputError
        If there are fewer than two groups.
    """
    from sklearn.model_selection import StratifiedKFold

    check_seed(random_state)
    n_folds, is_number = N_FOLDS, holds_numbers(labels)
    # Of one class for all, folds are random and of equal size.
    names = np.full(len(labels), "number") if is_number else np.asarray(labels, dtype=np.str_)
    if groups is None:
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=random_state)
        return _row_numbers(folds.split(names, names))
    ids = group_names(groups)
    if len(np.unique(ids)) < 2:
        msg = "All rows belong to one group; holding out groups needs at least 2."
        raise InputError(msg)
    if is_number:  # R2 needs two test rows: the smallest groups get no fold of their own
        n_folds = min(n_folds, max(2, int((np.unique(ids, return_counts=True)[1] >= 2).sum())))
    return _grouped_splits(names, ids, n_folds=n_folds, random_state=random_state)


def holds_numbers(labels: NDArray[Any]) -> TypeGuard[NDArray[np.float64]]:
    """Tell whether labels are numbers to predict: those of floating point are, all others are classes."""
    return np.issubdtype(labels.dtype, np.floating)


def tested_rows(splits: Sequence[Split]) -> NDArray[np.int64]:
    """Return the numbers of all test rows."""
    return np.unique(np.concatenate([test for _, test in splits]))


def given_split(split: NDArray[np.str_]) -> Split:
    """Return row numbers of "train" and "test", the split that data come with; other words are neither."""
    train, test = (np.flatnonzero(split == part).astype(np.int64) for part in (TRAIN, TEST))
    return train, test


def inner_splits(labels: NDArray[np.str_], groups: NDArray[np.str_] | None) -> list[Split]:
    """Make folds of training rows to choose the penalty; a class may have fewer rows than folds."""
    from sklearn.model_selection import StratifiedKFold

    most = max(2, min(_N_INNER_FOLDS, int(np.unique(labels, return_counts=True)[1].max())))
    if groups is not None and len(np.unique(groups)) > 1:
        return _grouped_splits(labels, groups, n_folds=most, random_state=None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return _row_numbers(StratifiedKFold(most).split(labels, labels))


def _grouped_splits(
    labels: NDArray[np.str_], groups: NDArray[np.str_], *, n_folds: int, random_state: int | None
) -> list[Split]:
    """Make stratified folds that keep groups together, at most as many as groups."""
    from sklearn.model_selection import StratifiedGroupKFold

    n_folds = min(n_folds, len(np.unique(groups)))
    folds = StratifiedGroupKFold(n_folds, shuffle=random_state is not None, random_state=random_state)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return _row_numbers(folds.split(labels, labels, groups))


def group_names(groups: Groups) -> NDArray[np.str_]:
    """Write groups as text: numbers and names are told apart in the same way."""
    return np.asarray(groups, dtype=object).astype(str)


def _row_numbers(splits: Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> list[Split]:
    """Row numbers of the folds as 64-bit integers."""
    return [(train.astype(np.int64), test.astype(np.int64)) for train, test in splits]
