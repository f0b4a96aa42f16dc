"""Kernel widths by bisection, for all rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_TOLERANCE = 1e-5
_MAX_STEPS = 64


def solve_rows(
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]], target: float, n_rows: int
) -> NDArray[np.float64]:
    """Find for each row the `x > 0` at which a decreasing function takes a value.

    `value` gives `(n_rows,)` values for `(n_rows,)` x. Where the target is out of reach, x is very large or
    small.
    """
    x, low, high = np.ones(n_rows), np.zeros(n_rows), np.full(n_rows, np.inf)
    for _ in range(_MAX_STEPS):
        excess = value(x) - target
        open_rows = np.abs(excess) >= _TOLERANCE
        if not open_rows.any():
            break
        above = open_rows & (excess > 0)
        below = open_rows & ~above
        low[above], high[below] = x[above], x[below]
        x = np.where(open_rows, np.where(np.isinf(high), 2 * x, (low + high) / 2), x)
    return x
