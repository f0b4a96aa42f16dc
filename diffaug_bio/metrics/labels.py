"""Rows with a label, and a group, that can be scored."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio._keys import TEST, TRAIN
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

N_FOLDS = 5
_N_TRAINING = 2  # without a second row, a class would be missing where the linear probe chooses its penalty
_MAX_FRACTIONAL = 50  # different fractional numbers that may still be classes
_MANY_CLASSES = 10

logger = logging.getLogger(__name__)


def check_labels(
    labels: Sequence[object] | NDArray[Any],
    *,
    key: str,
    split: NDArray[np.str_] | None = None,
    log: bool = True,
) -> NDArray[np.bool_]:
    """Find the rows whose label can be scored, by 5-fold cross-validation or by a given split.

    True for rows whose label at least five rows have; with a split (`"train"`, `"test"` or anything else
    for each row), two training rows and a test row. Missing labels are None or nan, and numbers are taken
    as classes. Refuses labels of which fewer than two are that frequent, and measurements: more than 50
    different fractional numbers. `key` is their name for the error and the log.
    """
    import pandas as pd

    values = np.asarray(labels, dtype=object)
    candidates = np.ones(len(values), dtype=bool) if split is None else np.isin(split, (TRAIN, TEST))
    known = candidates & np.asarray(~pd.isna(values), dtype=bool)
    _check_numbers(values[known], key=key, log=log)
    names, codes = np.unique(values[known].astype(str), return_inverse=True)
    common = _common_classes(codes, len(names), None if split is None else split[known])
    needed, lacking = f"at least {N_FOLDS} times", f"fewer than {N_FOLDS} rows"
    if split is not None:
        needed = f"in {_N_TRAINING} training rows and a test row"
        lacking = f"fewer than {_N_TRAINING} training rows or no test row"
    if common.sum() < 2:
        what = f"only one class ({str(names[common][0])!r}) occurs" if common.any() else "none occurs"
        msg = (
            f"Labels {key!r} cannot be scored: {len(names)} different ones, of which {what} {needed}, and "
            "2 such are needed. Choose a column of classes."
        )
        raise InputError(msg)
    n_missing = int((candidates & ~known).sum())
    if log and n_missing:
        logger.info("%d rows without a label in %r are not scored.", n_missing, key)
    if log and not common.all():
        logger.warning(
            "%d rows are not scored: their class in %r has %s (%s).",
            int((~common[codes]).sum()),
            key,
            lacking,
            shorten(names[~common]),
        )
    usable = np.zeros(len(values), dtype=bool)
    usable[known] = common[codes]
    return usable


def _common_classes(
    codes: NDArray[np.intp], n_classes: int, split: NDArray[np.str_] | None
) -> NDArray[np.bool_]:
    """Find classes with enough rows for folds, or on both sides of a split."""
    if split is None:
        return np.bincount(codes, minlength=n_classes) >= N_FOLDS
    n_training, n_test = (np.bincount(codes[split == part], minlength=n_classes) for part in (TRAIN, TEST))
    return np.asarray((n_training >= _N_TRAINING) & (n_test > 0))


def check_groups(
    groups: Sequence[object] | NDArray[Any],
    labels: Sequence[object] | NDArray[Any],
    *,
    key: str,
) -> NDArray[np.bool_]:
    """Find the rows whose class can be scored on groups that were not trained on.

    True for rows whose class occurs in at least two groups: those of a single group are all in training, or
    all in the test. Refuses a labelled row without a group, and fewer than two groups or such classes.
    """
    import pandas as pd

    ids, values = np.asarray(groups, dtype=object), np.asarray(labels, dtype=object)
    if ids.shape != values.shape:
        msg = f"There are {len(ids)} groups for {len(values)} labels; give one for each row."
        raise InputError(msg)
    known = np.asarray(~pd.isna(values), dtype=bool)
    n_missing = int(pd.isna(ids[known]).sum())
    if n_missing:
        msg = f"{n_missing} labelled rows have no group in {key!r}. Fill it in, or leave these rows out."
        raise InputError(msg)
    names, label_codes = np.unique(values[known].astype(str), return_inverse=True)
    n_groups = len(np.unique(ids[known].astype(str)))
    pairs = pd.DataFrame({"label": label_codes, "group": ids[known].astype(str)}).drop_duplicates()
    shared = np.bincount(pairs["label"], minlength=len(names)) >= 2
    if n_groups < 2 or shared.sum() < 2:
        msg = (
            f"Groups {key!r} cannot be held out: there are {n_groups}, and {int(shared.sum())} of "
            f"{len(names)} classes occur in at least 2 of them; 2 such classes are needed."
        )
        raise InputError(msg)
    if not shared.all():
        logger.warning(
            "%d rows are not scored: their class occurs in one group of %r only (%s).",
            int((~shared[label_codes]).sum()),
            key,
            shorten(names[~shared]),
        )
    usable = np.zeros(len(values), dtype=bool)
    usable[known] = shared[label_codes]
    return usable


def _check_numbers(values: NDArray[np.object_], *, key: str, log: bool) -> None:
    """Refuse numbers that are a measurement, and log that others are taken as classes."""
    numbers = (int, float, np.integer, np.floating)
    if not len(values) or not all(isinstance(v, numbers) and not isinstance(v, bool) for v in values):
        return
    different = np.unique(values.astype(np.float64))
    whole = bool(np.all(different == np.rint(different)))
    if not whole and len(different) > _MAX_FRACTIONAL:
        msg = (
            f"Labels {key!r} look like a measurement, not classes: {len(different)} different numbers "
            f"with fractions, such as {different[len(different) // 2]:g}. Choose a column of classes."
        )
        raise InputError(msg)
    if not log:
        return
    if not whole or len(different) > max(_MANY_CLASSES, len(values) / _MANY_CLASSES):
        logger.warning(
            "Labels %r look like a measurement, not classes: %d different numbers in %d rows. Each is "
            "scored as a class.",
            key,
            len(different),
            len(values),
        )
    else:
        logger.info("The %d different numbers in %r are taken as classes.", len(different), key)
