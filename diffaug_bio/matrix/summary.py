"""Summary of a matrix in one pass, and checks of values that float32 cannot hold."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.blocks import WHOLE_WITHIN, row_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix

logger = logging.getLogger(__name__)

_ROUNDING = 1e-12  # relative; smaller differences are rounding errors of float64
_FLOAT32_ROUNDING, _MOST_ROUNDING = 4e-6, 0.1  # relative, after a logarithm and back; absolute
LARGEST = float(np.finfo(np.float32).max) / 4  # a difference and a sum of such values fit as well


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSummary:
    """Counts and range of the values of a matrix."""

    n_missing: int
    n_negative: int
    n_nonzero: int
    minimum: float
    maximum: float
    is_integer: bool
    """True if all values are whole, but for errors of rounding."""
    zero_share: float
    n_zero_rows: int


def summarise(matrix: Matrix, *, feature_names: Sequence[str] | None = None) -> MatrixSummary:
    """Summarise a dense or CSR matrix in one pass; refuse values infinite or too large for float32."""
    n_missing = n_negative = n_nonzero = n_zero_rows = 0
    minimum, maximum, is_integer = np.inf, -np.inf, True
    for rows, block in row_blocks(matrix):
        if sparse.issparse(block):
            block.sum_duplicates()  # the block is a copy: entries stored twice count by their sum
        values = block.data if sparse.issparse(block) else block
        if not np.issubdtype(values.dtype, np.integer) and values.dtype != np.bool_:
            _refuse_infinite(block, rows.start, feature_names)
            missing = np.isnan(values)
            n_missing += int(missing.sum())
            if missing.any():
                values = values[~missing]
            is_integer = is_integer and _are_whole(values)
        n_negative += int((values < 0).sum())
        n_nonzero += int(np.count_nonzero(values))
        if values.size:
            minimum = min(minimum, float(values.min()))
            maximum = max(maximum, float(values.max()))
        if max(-minimum, maximum) > LARGEST:
            _refuse_large(block, rows.start, feature_names)
        with np.errstate(over="ignore"):
            n_zero_rows += int((np.asarray(abs(block).sum(1)) == 0).sum())
    n_values = matrix.shape[0] * matrix.shape[1]
    if sparse.issparse(matrix) and n_nonzero < n_values:
        minimum, maximum = min(minimum, 0.0), max(maximum, 0.0)
    return MatrixSummary(
        n_missing=n_missing,
        n_negative=n_negative,
        n_nonzero=n_nonzero,
        minimum=minimum,
        maximum=maximum,
        is_integer=is_integer,
        zero_share=1 - (n_nonzero + n_missing) / max(1, n_values),
        n_zero_rows=n_zero_rows,
    )


def _are_whole(values: NDArray[np.floating]) -> bool:
    """Return True if values are whole numbers, but for errors of float32; what is nearly 0 is not 0."""
    nearest = np.rint(values)
    if np.array_equal(values, nearest):
        return True
    sizes = np.abs(nearest)
    within = np.minimum(WHOLE_WITHIN + _FLOAT32_ROUNDING * sizes, _MOST_ROUNDING)
    return bool(np.all((np.abs(values - nearest) <= within) & ((sizes > 0) | (values == 0))))


def as_float32(matrix: Matrix | pd.DataFrame, feature_names: Sequence[str]) -> NDArray[np.float32]:
    """Convert a dense matrix to float32; warn of features made constant, refuse values beyond its range."""
    converted = np.empty(matrix.shape, np.float32)
    for rows, block in row_blocks(matrix):
        values = np.asarray(block, np.float64)
        _refuse_large(values, rows.start, feature_names)
        converted[rows] = values
    is_constant = np.fmin.reduce(converted, 0) == np.fmax.reduce(converted, 0) if len(converted) else []
    check_spread(matrix, np.asarray(is_constant), is_measured=False, feature_names=feature_names)
    return converted


def check_spread(
    matrix: Matrix,
    is_constant: NDArray[np.bool_],
    *,
    is_measured: bool,
    feature_names: Sequence[str] | None,
) -> None:
    """Log a warning for features that vary by less than float32 resolves; refuse if no other varies.

    Differences of the size of rounding errors in float64 are ignored, and so are sparse matrices, as zeros
    are far from all other values. `is_constant`, `(n_vars,)`, marks features that are constant in the
    computation; `is_measured` is False for expression, where normalisation may make features constant.
    """
    columns = np.flatnonzero(is_constant)
    if sparse.issparse(matrix) or not len(columns):
        return
    low, high = np.full(len(columns), np.inf), np.full(len(columns), -np.inf)
    for _, block in row_blocks(matrix):
        part = np.asarray(block, np.float64)[:, columns]
        low, high = np.fmin(low, np.fmin.reduce(part, 0)), np.fmax(high, np.fmax.reduce(part, 0))
    differs = high - low > _ROUNDING * np.fmax(abs(low), abs(high))
    vanishes = differs & (low.astype(np.float32) == high.astype(np.float32))
    varies = differs if is_measured else vanishes
    if not varies.any():
        return
    found = columns[varies]
    names = shorten(found if feature_names is None else [feature_names[column] for column in found])
    said = (
        f"{'1 feature varies' if len(found) == 1 else f'{len(found)} features vary'} by too little for "
        f"float32 (7 digits) at values of this size: {names}, the first from {low[varies][0]:.17g} to "
        f"{high[varies][0]:.17g}."
    )
    if len(columns) == matrix.shape[1]:
        msg = f"{said} No other feature varies. Subtract its mean from each feature, and try again."
        raise InputError(msg)
    logger.warning(
        "%s Such a feature counts as constant, and is left out of a fit; to keep it, subtract its mean.",
        said,
    )


def _refuse_infinite(block: Matrix, first_row: int, feature_names: Sequence[str] | None) -> None:
    """Name the first infinite value of a block of rows."""
    infinite = np.isinf(block.data if sparse.issparse(block) else block)
    if infinite.any():
        row, feature, _ = _first(block, infinite, feature_names)
        msg = (
            f"The matrix holds infinite values; the first is in row {first_row + row}, feature {feature}. "
            "Replace or remove them (a logarithm of 0 or a division by 0 makes them)."
        )
        raise InputError(msg)


def _refuse_large(block: Matrix, first_row: int, feature_names: Sequence[str] | None) -> None:
    """Name the first value of a block of rows that is too large."""
    sizes = np.abs(block.data if sparse.issparse(block) else block)
    is_large = (sizes > LARGEST) & (sizes < np.inf)
    if is_large.any():
        row, feature, value = _first(block, is_large, feature_names)
        msg = (
            f"The matrix holds values beyond {LARGEST:.2g}, which do not fit float32; the first is "
            f"{value:.6g} in row {first_row + row}, feature {feature}. Check for a mistake or a code for "
            "missing values, or divide that feature by a number."
        )
        raise InputError(msg)


def _first(
    block: Matrix, is_wrong: NDArray[np.bool_], feature_names: Sequence[str] | None
) -> tuple[int, str, float]:
    """Return row, feature and value of the first wrong value; a sparse block marks its stored values."""
    if sparse.issparse(block):
        entries = block.tocoo()
        where = int(np.flatnonzero(is_wrong)[0])
        row, column, value = int(entries.row[where]), int(entries.col[where]), entries.data[where]
    else:
        row, column = (int(axis[0]) for axis in np.nonzero(is_wrong))
        value = block[row, column]
    return row, repr(feature_names[column]) if feature_names is not None else str(column), float(value)
