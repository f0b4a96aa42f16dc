"""Passes over the rows of a matrix in blocks, so that a pass needs no second copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

# A dense array or a CSR matrix of numbers. scipy ships no types, so a checker cannot tell them apart.
Matrix: TypeAlias = Any

_BLOCK_VALUES = 2**24  # of a dense block: 64 MB in float32
_BLOCK_ROWS = 4096


def row_blocks(matrix: Matrix) -> Iterator[tuple[slice, Matrix]]:
    """Yield consecutive rows, at most 4096 at a time and fewer of a wide matrix.

    A block made dense has up to 64 MB in float32.

    Parameters
    ----------
    matrix
        Dense or CSR. Shape: `(n_obs, n_vars)`.
    """
    n_obs, n_vars = matrix.shape
    step = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, n_vars)))
    for start in range(0, n_obs, step):
        rows = slice(start, min(start + step, n_obs))
        yield rows, matrix[rows]
