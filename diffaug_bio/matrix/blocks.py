"""Passes over a matrix in blocks of rows, without a second copy in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

# Dense array or CSR matrix of numbers. scipy ships no types, so a checker cannot tell them apart.
Matrix: TypeAlias = Any

WHOLE_WITHIN = 1e-3
"""Distance from a whole number up to which a value counts as whole: rounding errors of float32 remain."""
_BLOCK_VALUES = 2**24  # of a dense block: 64 MB in float32
_BLOCK_ROWS = 4096


def row_blocks(matrix: Matrix) -> Iterator[tuple[slice, Matrix]]:
    """Yield blocks of consecutive rows: at most 4096 rows, or 64 MB as a dense block in float32."""
    n_obs, n_vars = matrix.shape
    step = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, n_vars)))
    for start in range(0, n_obs, step):
        rows = slice(start, min(start + step, n_obs))
        yield rows, matrix[rows]
