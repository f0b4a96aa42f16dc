"""Nearest neighbours in an embedding, found once for all scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_NEIGHBORS = 90


@dataclass(frozen=True, slots=True)
class Neighbors:
    """Nearest neighbours of each row, nearest first; the row itself is the first."""

    indices: NDArray[np.int64]
    """Row numbers. Shape: `(n_obs, n_neighbors)`."""
    distances: NDArray[np.float64]
    """Euclidean distances. Shape: `(n_obs, n_neighbors)`."""

    def first(self, n_neighbors: int) -> Neighbors:
        """Return the nearest `n_neighbors` of each row, or all if there are fewer."""
        return Neighbors(self.indices[:, :n_neighbors], self.distances[:, :n_neighbors])


def find_neighbors(embedding: NDArray[np.floating], n_neighbors: int = MAX_NEIGHBORS) -> Neighbors:
    """Find the nearest neighbours of every row by Euclidean distance, exactly; a row is its own first."""
    from sklearn.neighbors import NearestNeighbors

    n_obs = len(embedding)
    rows = np.asarray(embedding, np.float64)
    rows = rows - rows.mean(0)  # rounding errors are smallest near 0
    indices, distances = np.arange(n_obs)[:, None], np.zeros((n_obs, 1))
    if (n_others := min(n_neighbors, n_obs) - 1) > 0:
        found = NearestNeighbors(n_neighbors=n_others).fit(rows).kneighbors()
        distances, indices = np.hstack([distances, found[0]]), np.hstack([indices, found[1]])
    return Neighbors(np.asarray(indices, np.int64), distances)
