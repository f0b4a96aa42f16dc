"""Nearest rows by principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.machine.numba import find_cache

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT_ROWS = 50_000  # up to which brute force finds neighbors faster than an index


def nearest_rows(
    scores: NDArray[np.float32], n_neighbors: int, *, seed: int, n_threads: int = 1
) -> NDArray[np.int64]:
    """Find each row's nearest other rows by components; shape `(n_obs, n_neighbors)`, nearest first.

    Fewer where there are not as many others. Above 50,000 rows the search is approximate, with `seed`.
    """
    n_neighbors = min(n_neighbors, len(scores) - 1)
    if len(scores) <= _EXACT_ROWS:
        from sklearn.neighbors import NearestNeighbors

        index = NearestNeighbors(n_neighbors=n_neighbors).fit(scores)
        found = index.kneighbors(return_distance=False)
    else:
        find_cache()
        from pynndescent import NNDescent

        graph = NNDescent(scores, n_neighbors=n_neighbors + 1, random_state=seed, n_jobs=n_threads)
        rows = np.arange(len(scores))[:, None]
        indices = graph.neighbor_graph[0]
        # Self, which is not always first, goes last; what was not found (-1) is the row itself.
        order = np.argsort(indices == rows, axis=1, kind="stable")
        found = np.take_along_axis(np.where(indices < 0, rows, indices), order, axis=1)[:, :n_neighbors]
    return np.ascontiguousarray(found, dtype=np.int64)
