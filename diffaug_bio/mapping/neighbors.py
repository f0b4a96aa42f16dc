"""Nearest neighbours without a table of all distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Floats = TypeVar("_Floats", np.float32, np.float64)

_BLOCK_VALUES = 2**22  # of differences to neighbors that are held at once: 32 MB


def centered(
    rows: NDArray[np.floating], reference: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move both so that the mean of the reference is 0, near which rounding errors are smallest."""
    center = reference.mean(0, dtype=np.float64)
    return rows.astype(np.float64) - center, reference.astype(np.float64) - center


def directions(rows: NDArray[_Floats]) -> NDArray[_Floats]:
    """Scale rows to length 1, so that Euclidean distances compare angles; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), rows.dtype)


def nearest(
    rows: NDArray[np.float64], among: NDArray[np.float64], n_neighbors: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the nearest neighbours of rows among others: distances and row numbers, nearest first.

    Both have the shape `(n_rows, n_neighbors)`, with at most `len(among)` neighbours.
    """
    found = nearest_numbers(rows, among, n_neighbors)
    return _distances(rows, among, found), found


def nearest_numbers(
    rows: NDArray[np.floating], among: NDArray[np.floating], n_neighbors: int
) -> NDArray[np.int64]:
    """Find the row numbers of :func:`nearest`; rows are of one type, float32 or float64."""
    from sklearn.neighbors import NearestNeighbors

    if not len(rows):  # scikit-learn refuses no rows
        return np.zeros((0, n_neighbors), np.int64)
    finder = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(among)
    found: NDArray[np.int64] = finder.kneighbors(rows, return_distance=False)
    return found


def nearest_others(
    rows: NDArray[np.float64], n_neighbors: int, *, pool: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the nearest other rows of each row, in the whole or among the rows of an ordered `pool`.

    Returns what :func:`nearest` returns; `n_neighbors` is fewer than rows in the pool.
    """
    numbers = np.arange(len(rows))
    pool = numbers if pool is None else pool
    distances, found = nearest(rows, rows[pool], n_neighbors + 1)
    found = pool[found]
    # A row need not come first, nor at all, among others that equal it; the last is left out then.
    is_self = found == numbers[:, None]
    is_self[~is_self.any(1), -1] = True
    shape = (len(rows), n_neighbors)
    return distances[~is_self].reshape(shape), found[~is_self].reshape(shape)


def _distances(
    rows: NDArray[np.float64], among: NDArray[np.float64], found: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return distances from differences; from products, equal rows would not be quite at 0."""
    distances = np.empty(found.shape)
    step = max(1, _BLOCK_VALUES // max(1, found.shape[1] * rows.shape[1]))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        distances[block] = np.linalg.norm(rows[block, None] - among[found[block]], axis=2)
    return distances
