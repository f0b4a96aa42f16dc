"""Nearest neighbours and layout in two dimensions, for at most a few thousand rows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_EPOCHS = 100
_MIN_DIST = 0.3
_SPAN = 10.0  # largest coordinate at the start, as in UMAP
_LEAST_ROWS = 4  # fewer rows need no layout


class Neighbors(NamedTuple):
    """Nearest other rows of each row, nearest first; numbers and distances are `(n_obs, n_neighbors)`."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]
    """Euclidean distances."""


def nearest(matrix: NDArray[np.float32], *, n_neighbors: int = 15) -> Neighbors:
    """Find the nearest other rows of each of at least two rows by brute force; all if there are fewer."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=min(n_neighbors, len(matrix) - 1), algorithm="brute")
    rows = finder.fit(matrix).kneighbors(return_distance=False)
    # A search takes products of rows, in which equal rows are not quite at distance 0.
    far = [np.linalg.norm(matrix[near] - row, axis=1) for row, near in zip(matrix, rows, strict=True)]
    return Neighbors(rows=rows, distances=np.array(far, np.float64))


def lay_out(matrix: NDArray[np.float32], neighbors: Neighbors, *, seed: int) -> NDArray[np.float32]:
    """Lay rows out in two dimensions, `(n_obs, 2)`, with the UMAP of igraph, from principal components.

    It needs no compilation, which would take longer than the fit of few rows. Fewer than four rows keep
    their principal components.
    """
    import igraph

    start = _two_components(matrix)
    if len(matrix) < _LEAST_ROWS:
        return start
    n_rows, n_neighbors = neighbors.rows.shape
    edges = np.column_stack([np.repeat(np.arange(n_rows), n_neighbors), neighbors.rows.ravel()])
    graph = igraph.Graph(n=n_rows, edges=edges.tolist(), directed=True)
    igraph.set_random_number_generator(random.Random(seed))
    try:
        found = graph.layout_umap(
            dist=neighbors.distances.ravel().tolist(),
            epochs=_N_EPOCHS,
            min_dist=_MIN_DIST,
            seed=start.astype(float).tolist(),
        )
    finally:
        igraph.set_random_number_generator(random)  # the default
    return np.asarray(found.coords, np.float32)


def _two_components(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute two principal components on the scale of UMAP; the second is 0 for one column."""
    centered = np.asarray(matrix, np.float64) - np.mean(matrix, axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    axes = vectors[:, np.argsort(-values)[:2]]
    axes *= np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    points = np.zeros((len(matrix), 2))
    points[:, : axes.shape[1]] = centered @ axes
    return (points * _SPAN / max(float(np.abs(points).max()), 1e-12)).astype(np.float32)
