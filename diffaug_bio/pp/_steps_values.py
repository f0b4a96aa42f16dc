"""Preparation steps that change values and leave rows and features as they are.

See :mod:`diffaug_bio.pp._steps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

from diffaug_bio.errors import InputError
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.matrix.validation import as_matrix

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix


def check_matrix(adata: AnnData, step: str) -> Matrix:
    """Return `.X`, dense or CSR.

    Raises
    ------
    InputError
        If there is none, as of images that stay on the disk.
    """
    if adata.X is None:
        msg = f"The step {step!r} works on values in memory, and `.X` is empty: these images stay on disk."
        raise InputError(msg)
    return as_matrix(adata.X)


def divide(adata: AnnData, *, by: float) -> AnnData:
    """Divide all values by a number.

    Parameters
    ----------
    adata
        Rows are observations; `.X` is float32 afterwards, and sparse if it was.
    by
        The number.

    Raises
    ------
    InputError
        If it is 0.
    """
    matrix = check_matrix(adata, "divide")
    if by == 0:
        msg = "`by` is 0. Give another number to divide by."
        raise InputError(msg)
    divided = matrix.astype(np.float32)
    values = divided.data if sparse.issparse(divided) else divided
    values /= np.float32(by)
    adata.X = divided
    return adata


def min_max(
    adata: AnnData, *, low: float = 0.0, high: float = 1.0, over: Literal["features", "matrix"] = "features"
) -> AnnData:
    """Move and stretch values so that the smallest becomes `low` and the largest `high`.

    The range is that of all rows, test rows as well, which is what loaders of papers do: see
    :mod:`diffaug_bio.pp._steps`.

    Parameters
    ----------
    adata
        Rows are observations; `.X` is dense and float32 afterwards. Missing values stay.
    low, high
        The range.
    over
        Whether each feature has a range of its own, or all values share one. What is constant becomes
        `low`.

    Raises
    ------
    InputError
        If `high` is not above `low`, or a value is infinite.
    """
    matrix = check_matrix(adata, "min_max")
    if not low < high:
        msg = f"`high` has to be above `low`, got {low} and {high}."
        raise InputError(msg)
    smallest, largest = _ranges(matrix)
    if over == "matrix":
        smallest = np.full_like(smallest, smallest.min(initial=np.inf))
        largest = np.full_like(largest, largest.max(initial=-np.inf))
    # Features without a value have no range; they keep what they have, which is nothing.
    span = np.where(largest > smallest, largest - smallest, 1.0)
    scaled = np.empty(matrix.shape, np.float32)
    for rows, block in row_blocks(matrix):
        values = block.toarray() if sparse.issparse(block) else block
        scaled[rows] = low + (values.astype(np.float64) - smallest) / span * (high - low)
    adata.X = np.clip(scaled, low, high, out=scaled)  # rounding to float32 may go beyond
    return adata


def normalize_total(adata: AnnData, *, target: float = 1e4) -> AnnData:
    """Scale each row so that its values add up to a number; rows of zeros stay.

    Parameters
    ----------
    adata
        Rows are observations with counts; `.X` is float32 afterwards, and sparse if it was.
    target
        The sum.

    Raises
    ------
    InputError
        If it is not above 0, or a value is below 0 or missing.
    """
    matrix = check_matrix(adata, "normalize_total")
    if target <= 0:
        msg = f"`target` has to be above 0, got {target}."
        raise InputError(msg)
    _refuse_negative(matrix, "normalize_total")
    totals = np.asarray(matrix.sum(axis=1, dtype=np.float64)).ravel()
    factors = np.divide(target, totals, out=np.zeros_like(totals), where=totals > 0).astype(np.float32)
    scaled = matrix.astype(np.float32)
    if sparse.issparse(scaled):
        scaled.data *= np.repeat(factors, np.diff(scaled.indptr))
    else:
        scaled *= factors[:, None]
    adata.X = scaled
    return adata


def log1p(adata: AnnData) -> AnnData:
    """Take the natural logarithm of 1 + each value.

    Parameters
    ----------
    adata
        Rows are observations; `.X` is float32 afterwards, and sparse if it was.

    Raises
    ------
    InputError
        If a value is below 0 or missing.
    """
    matrix = check_matrix(adata, "log1p")
    _refuse_negative(matrix, "log1p")
    values = matrix.astype(np.float32)
    adata.X = values.log1p() if sparse.issparse(values) else np.log1p(values)
    return adata


def _ranges(matrix: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the smallest and largest value of each feature; infinite where it has none."""
    smallest = np.full(matrix.shape[1], np.inf)
    largest = np.full(matrix.shape[1], -np.inf)
    for _, block in row_blocks(matrix):
        values = (block.toarray() if sparse.issparse(block) else block).astype(np.float64)
        if np.isinf(values).any():
            msg = "A value is infinite, and has no place in a range. Replace it first."
            raise InputError(msg)
        np.fmin(smallest, np.fmin.reduce(values, axis=0), out=smallest)
        np.fmax(largest, np.fmax.reduce(values, axis=0), out=largest)
    return smallest, largest


def _refuse_negative(matrix: Matrix, step: str) -> None:
    """Refuse values that are no counts."""
    values = matrix.data if sparse.issparse(matrix) else matrix
    if not (values >= 0).all():
        msg = f"The step {step!r} wants counts, and some values are below 0 or missing."
        raise InputError(msg)
