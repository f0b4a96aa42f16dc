"""Checks of the indices of sparse matrices; with wrong ones, scipy reads outside its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix

_REMEDY = "It is damaged or was written wrongly: get it again, or write it anew from its source."


def check_sparse(matrix: Matrix, *, what: str = "The matrix") -> None:
    """Refuse a matrix whose indices leave its shape or miss its values; order and repeats are free."""
    n_rows, n_columns = matrix.shape
    if matrix.format == "coo":
        for axis, name, size in ((matrix.row, "row", n_rows), (matrix.col, "column", n_columns)):
            _check_indices(axis, len(matrix.data), name=name, size=size, what=what)
    elif matrix.format in {"csr", "csc", "bsr"}:
        height, width = matrix.blocksize if matrix.format == "bsr" else (1, 1)
        major, minor, name = n_rows // height, n_columns // width, "column"
        if matrix.data.ndim != (3 if matrix.format == "bsr" else 1):
            _refuse(what, f"has values of shape {matrix.data.shape}")
        if matrix.format == "csc":
            major, minor, name = n_columns, n_rows, "row"
        check_pointers(matrix.indptr, major, len(matrix.data), what=what)
        _check_indices(matrix.indices, len(matrix.data), name=name, size=minor, what=what)


def check_pointers(pointers: NDArray[np.integer], n_lines: int, n_values: int, *, what: str) -> None:
    """Refuse pointers (`indptr` of CSR, CSC) that do not rise from 0 to `n_values` in `n_lines` steps."""
    _check_whole_numbers(pointers, "pointers (indptr)", what=what)
    if len(pointers) != n_lines + 1:
        _refuse(what, f"has {len(pointers)} pointers (indptr) where {n_lines + 1} belong")
    if pointers[0] != 0 or pointers[-1] != n_values:
        found = f"start at {pointers[0]} and end at {pointers[-1]}"
        _refuse(what, f"has pointers (indptr) that {found}, and {n_values} values")
    falls = pointers[1:] < pointers[:-1]
    if falls.any():
        place = int(np.argmax(falls))
        found = f"fall from {pointers[place]} to {pointers[place + 1]} at {place + 1}"
        _refuse(what, f"has pointers (indptr) that {found}")


def _check_indices(indices: NDArray[np.integer], n_values: int, *, name: str, size: int, what: str) -> None:
    """Refuse row or column numbers outside the matrix."""
    _check_whole_numbers(indices, f"{name} numbers", what=what)
    if len(indices) != n_values:
        _refuse(what, f"has {len(indices)} {name} numbers for {n_values} values")
    # As unsigned integers, negative numbers are the largest: one pass finds both errors.
    unsigned = indices.view(indices.dtype.str.replace("i", "u"))
    if len(unsigned) and unsigned.max() >= size:
        found = indices[unsigned.argmax()]
        _refuse(what, f"has the {name} number {found} in a matrix of {size} {name}s")


def _check_whole_numbers(numbers: NDArray[np.generic], kind: str, *, what: str) -> None:
    """Refuse other arrays than vectors of whole numbers."""
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        _refuse(what, f"has {kind} of type {numbers.dtype} and shape {numbers.shape}")


def _refuse(what: str, found: str) -> NoReturn:
    msg = f"{what}: the sparse matrix {found}. {_REMEDY}"
    raise InputError(msg)
