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

    from diffaug_bio.config.kinds import LabelKind, ScoredAs

N_FOLDS = 5
_N_TRAINING = 2  # without a second row, a class would be missing where the linear probe chooses its penalty
_N_TEST = 2  # R2 needs values that differ among the test rows
_MANY_CLASSES = 10
_MOST_FRACTIONAL = 10  # different numbers with fractions that are taken for classes, such as doses
_MOST_WHOLE = 20  # different whole numbers that are taken for classes, unless they count from 0 or 1
_ROWS_OF_A_CODE = 10  # rows of each whole number on average, from which on it may well be a code
_OPTION = "`label_kind` (`--label-kind`)"

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
    as classes. Refuses labels of which fewer than two are that frequent. `key` is their name for the error
    and the log.
    """
    values = np.asarray(labels, dtype=object)
    candidates, known = _candidates(values, split)
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


def decide_label_kind(
    labels: Sequence[object] | NDArray[Any], *, key: str, label_kind: LabelKind = "auto"
) -> ScoredAs:
    """Decide whether labels are scored as classes or as a number, and log what numbers are taken as.

    By `"auto"`, numbers are a number to predict where more than 10 different ones have fractions, or more
    than 20 are whole and do not count from 0 or 1, as codes do. Text is always classes, and a warning says
    where it holds such numbers. `key` is the name of the labels for the log.
    """
    import pandas as pd

    if label_kind != "auto":
        return label_kind
    values = np.asarray(labels, dtype=object)
    values = values[np.asarray(~pd.isna(values), dtype=bool)]
    is_text = not _are_numbers(values)
    different = _different_numbers(values)
    if different is None:
        return "classes"
    whole, measured = _describe(different)
    said = f"{len(different)} different numbers, from {different[0]:g} to {different[-1]:g}"
    if measured and not is_text:
        may_be_codes = whole and len(values) >= _ROWS_OF_A_CODE * len(different)
        logger.log(
            logging.WARNING if may_be_codes else logging.INFO,
            "Labels %r are %s: scored as one number, by R2. If each is the code of a class, set %s to "
            "classes.",
            key,
            said,
            _OPTION,
        )
        return "number"
    if measured:
        logger.warning(
            "Labels %r are text that holds %s: each is scored as a class. To score one number by R2, set "
            "%s to number.",
            key,
            said,
            _OPTION,
        )
    elif is_text:
        return "classes"
    elif not whole or len(different) > max(_MANY_CLASSES, len(values) / _MANY_CLASSES):
        logger.warning(
            "Labels %r look like a measurement, not classes: %s, in %d rows. Each is scored as a class; to "
            "score one number by R2, set %s to number.",
            key,
            said,
            len(values),
            _OPTION,
        )
    else:
        logger.info(
            "The %d different numbers in %r are taken as classes. To score one number by R2, set %s to "
            "number.",
            len(different),
            key,
            _OPTION,
        )
    return "classes"


def as_numbers(labels: Sequence[object] | NDArray[Any], *, key: str) -> NDArray[np.float64]:
    """Return labels as numbers, nan where missing; refuse text that is none, and infinite ones."""
    import pandas as pd

    values = np.asarray(labels, dtype=object)
    known = np.asarray(~pd.isna(values), dtype=bool)
    numbers = np.full(len(values), np.nan)
    numbers[known] = pd.to_numeric(pd.Series(values[known]), errors="coerce").astype(np.float64)
    unfit = known & ~np.isfinite(numbers)
    if unfit.any():
        msg = (
            f"Labels {key!r} are no numbers: {int(unfit.sum())} of {int(known.sum())} are others, such as "
            f"{shorten(np.unique(values[unfit].astype(str)), limit=3)}. Choose a column of numbers, or set "
            f"{_OPTION} to classes."
        )
        raise InputError(msg)
    return numbers


def check_numbers(
    numbers: NDArray[np.float64], *, key: str, split: NDArray[np.str_] | None = None
) -> NDArray[np.bool_]:
    """Find the rows whose number can be scored, by 5-fold cross-validation or by a given split.

    True for rows with a number. Refuses fewer than ten such rows (with a split, two training rows and two
    test rows) or a single value. `key` is the name of the numbers for the error and the log.
    """
    candidates, known = _candidates(numbers.astype(object), split)
    parts = [known] if split is None else [known & (split == part) for part in (TRAIN, TEST)]
    least = _N_TEST * (N_FOLDS if split is None else 1)
    if min(part.sum() for part in parts) < least or len(np.unique(numbers[known])) < 2:
        where = "" if split is None else " among training rows and among test rows"
        msg = (
            f"Labels {key!r} cannot be scored as a number: {int(known.sum())} rows have one, with "
            f"{len(np.unique(numbers[known]))} different values; at least {least} rows{where} and 2 values "
            "are needed. Choose another column."
        )
        raise InputError(msg)
    if n_missing := int((candidates & ~known).sum()):
        logger.info("%d rows without a label in %r are not scored.", n_missing, key)
    return known


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

    values = np.asarray(labels, dtype=object)
    known = np.asarray(~pd.isna(values), dtype=bool)
    ids = _groups_of(groups, known, key=key)
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


def check_number_groups(
    groups: Sequence[object] | NDArray[Any], known: NDArray[np.bool_], *, key: str
) -> None:
    """Refuse a row with a number and no group, and fewer than two groups of two such rows."""
    ids = _groups_of(groups, known, key=key)
    sizes = np.unique(ids[known].astype(str), return_counts=True)[1]
    if (sizes >= _N_TEST).sum() < 2:
        msg = (
            f"Groups {key!r} cannot be held out: there are {len(sizes)}, of which "
            f"{int((sizes >= _N_TEST).sum())} have {_N_TEST} rows with a number; 2 such groups are needed."
        )
        raise InputError(msg)


def _groups_of(
    groups: Sequence[object] | NDArray[Any], known: NDArray[np.bool_], *, key: str
) -> NDArray[np.object_]:
    """Return one group for each row; refuse other numbers of groups, and labelled rows without one."""
    import pandas as pd

    ids = np.asarray(groups, dtype=object)
    if ids.shape != known.shape:
        msg = f"There are {len(ids)} groups for {len(known)} labels; give one for each row."
        raise InputError(msg)
    n_missing = int(pd.isna(ids[known]).sum())
    if n_missing:
        msg = f"{n_missing} labelled rows have no group in {key!r}. Fill it in, or leave these rows out."
        raise InputError(msg)
    return ids


def _are_numbers(values: NDArray[np.object_]) -> bool:
    numbers = (int, float, np.integer, np.floating)
    return all(isinstance(value, numbers) and not isinstance(value, bool) for value in values)


def _different_numbers(values: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Return the different numbers, sorted, also where they are kept as text; None for anything else."""
    if not len(values):
        return None
    try:
        numbers = np.unique(np.unique(values.astype(str)).astype(np.float64))
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _describe(different: NDArray[np.float64]) -> tuple[bool, bool]:
    """Tell whether different numbers are whole, and whether they look like a measurement."""
    if not np.all(different == np.rint(different)):
        return False, len(different) > _MOST_FRACTIONAL
    counted = different[0] in (0, 1) and different[-1] - different[0] == len(different) - 1
    return True, len(different) > _MOST_WHOLE and not counted


def _candidates(
    values: NDArray[np.object_], split: NDArray[np.str_] | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the rows that take part in a split, all without one, and those of them with a label."""
    import pandas as pd

    candidates = np.ones(len(values), dtype=bool) if split is None else np.isin(split, (TRAIN, TEST))
    return candidates, candidates & np.asarray(~pd.isna(values), dtype=bool)
