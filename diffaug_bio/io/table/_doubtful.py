"""Numbers that may be no features: what a fit warns of is what a proposed schema leaves open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.io.table._column_names import names_a_label, names_a_time_to_event
from diffaug_bio.io.table._kinds import listed
from diffaug_bio.io.table._numbers import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_CODES = (-9999.0, -999.0, -99.0, -9.0, -1.0, 99.0, 999.0, 9999.0)
"""Numbers that are written where a value is missing."""
_MOST_CODES, _ROWS_A_CODE = 50, 2  # different values of a column of codes, such as sites
_LEAST_COUNTED = 10  # rows, of which a column may be the count
_FAR = 2.0  # times the range of all other values: so far away lies a code
_LEAST_CODED = 2  # rows
_LEAST_PARTED, _LEAST_WHOLE, _MOST_ROUND = 5, 2, 0.5


def warn_of_doubtful(features: pd.DataFrame, path: Path, *, meant: Collection[str]) -> dict[str, str]:
    """Warn of numeric features that may be none, but for those `meant`; return the doubt about each."""
    counters = _warn_of_counters(features, path, meant=meant)
    codes = _warn_of_codes(features, path, meant=meant)
    odd = _warn_of_numbers(features, path, meant=meant)
    return {
        **dict.fromkeys(odd, "It may hold codes for missing values, or points between thousands."),
        **dict.fromkeys(counters, "It counts the rows."),
        **dict.fromkeys(codes, "It looks like a label, a batch or an outcome."),
    }


def _warn_of_codes(features: pd.DataFrame, path: Path, *, meant: Collection[str]) -> list[str]:
    """Warn of all features like codes of sites, batches or outcomes but those `meant`, and list them."""
    found = [
        name
        for name in features.columns
        if name not in meant
        and (names_a_time_to_event(name) or (names_a_label(name) and _are_codes(features[name])))
    ]
    if found:
        logger.warning(
            "%s: columns %s look like codes or times of a label, batch or outcome, and are features: the "
            "embedding would show them. To keep them out, name them as annotations (`obs_columns`, "
            "`--annotations`).",
            path.name,
            listed(found),
        )
    return found


def _warn_of_counters(features: pd.DataFrame, path: Path, *, meant: Collection[str]) -> list[str]:
    """Warn of features that count the rows, which nobody measures, and list them."""
    if len(features) < _LEAST_COUNTED:
        return []
    first, second = features.iloc[0].to_numpy(np.float64), features.iloc[1].to_numpy(np.float64)
    found = [
        name
        for name, is_next in zip(features.columns, second == first + 1, strict=True)
        if is_next and name not in meant and bool((np.diff(features[name].to_numpy(np.float64)) == 1).all())
    ]
    if found:
        logger.warning(
            "%s: columns %s count the rows, and are features: the embedding would show the order of the "
            "table. To leave them out, say so (`--ignore`); to name the rows by one, `--id`.",
            path.name,
            listed(found),
        )
    return found


def _warn_of_numbers(features: pd.DataFrame, path: Path, *, meant: Collection[str]) -> list[str]:
    """Warn of features that may hold codes for missing values, or thousands parted by points; list them."""
    coded, parted = [], []
    for name in features.columns:
        if name in meant:
            continue
        values = features[name].to_numpy(np.float64)
        values = np.sort(values[np.isfinite(values)])
        if (code := _code_in(values)) is not None:
            coded.append((str(name), code))
        elif (pair := _parted_in(values)) is not None:
            parted.append((str(name), *pair))
    if coded:
        logger.warning(
            "%s: columns %s hold %s, far from all their other values, as codes for missing values are. "
            "They are taken for values. If they are none, leave these cells empty.",
            path.name,
            listed([name for name, _ in coded]),
            ", ".join(sorted({f"{code:g}" for _, code in coded})),
        )
    for name, fraction, whole in parted:
        logger.warning(
            "%s: column %r holds %.3f beside %g: points may part thousands here, and are read as decimal "
            "points. If they part thousands, remove them.",
            path.name,
            name,
            fraction,
            whole,
        )
    return [*(name for name, _ in coded), *(name for name, _, _ in parted)]


def _code_in(values: NDArray[np.float64]) -> float | None:
    """Find a code for missing values at either end of sorted values; None if there is none."""
    if len(values) < 2 * _LEAST_CODED or values[0] == values[-1]:
        return None
    for code in (values[0], values[-1]):
        if code not in _CODES:
            continue
        others = values[values != code]
        gap = min(abs(others[0] - code), abs(others[-1] - code))
        n_coded = len(values) - len(others)
        spread = others[-1] - others[0]
        if n_coded >= _LEAST_CODED and spread > 0 and gap > _FAR * spread:
            return float(code)
    return None


def _parted_in(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Find a fraction of three digits and a whole number, where thousands may be parted by points."""
    if not len(values) or values[0] < 0 or values[-1] >= 1000:
        return None
    is_whole = values == np.rint(values)
    whole, fractions = values[is_whole], values[~is_whole]
    if len(whole) < _LEAST_WHOLE or len(fractions) < _LEAST_PARTED or fractions[0] < 1 or whole[-1] < 100:
        return None
    thousandths = fractions * 1000
    if np.abs(thousandths - np.rint(thousandths)).max() > 1e-6:
        return None
    # Thousands end in any digit; measured values beside whole numbers are mostly rounded to fewer digits.
    is_round = np.rint(thousandths) % 10 == 0
    return None if is_round.mean() > _MOST_ROUND else (float(fractions[0]), float(whole[-1]))


def _are_codes(values: pd.Series) -> bool:
    """Return True for whole numbers of few different values."""
    n_levels = values.nunique()
    return (
        1 < n_levels <= _MOST_CODES
        and len(values) >= _ROWS_A_CODE * n_levels
        and whole_numbers(values.dropna())
    )
