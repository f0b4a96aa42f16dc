"""Samples of rows, for scores whose cost grows with the square of their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sample_rows(n_rows: int, most: int, *, seed: int) -> NDArray[np.int64]:
    """Return sorted row numbers: all of them, or `most` drawn at random without replacement."""
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, size=most, replace=False))
