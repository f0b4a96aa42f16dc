"""Nearest neighbors, and coordinates in two dimensions, of at most a few thousand rows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio.mapping.neighbors import nearest_others

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_EPOCHS = 100
_MIN_DIST = 0.3
_SPAN = 10.0  # half of the width that points start on: UMAP's own scale
_LEAST_ROWS = 4  # of which the layout makes sense


class Neighbors(NamedTuple):
    """The nearest other rows of each row, nearest first."""

    rows: NDArray[np.int64]
    """Their numbers. Shape: `(n_obs, n_neighbors)`."""
    distances: NDArray[np.float64]
    """Euclidean. Shape: `(n_obs, n_neighbors)`."""


def nearest(matrix: NDArray[np.float32], *, n_neighbors: int = 15) -> Neighbors:
    """Find the nearest other rows of each row, by brute force.

    Parameters
    ----------
    matrix
        Shape: `(n_obs, n_vars)`; two rows at least.
    n_neighbors
        As many, or all others.
    """
    distances, rows = nearest_others(np.asarray(matrix, np.float64), min(n_neighbors, len(matrix) - 1))
    return Neighbors(rows=rows, distances=distances)


def lay_out(matrix: NDArray[np.float32], neighbors: Neighbors, *, seed: int) -> NDArray[np.float32]:
    """Lay rows out in two dimensions with the UMAP of igraph, which needs no compilation.

    Starts from two principal components. A UMAP compiled for the moment would take longer than the fit of
    few rows, and its result says the same.

    Parameters
    ----------
    matrix
        Shape: `(n_obs, n_vars)`.
    neighbors
        As :func:`nearest` found them.
    seed
        The same one gives the same coordinates.

    Returns
    -------
    Shape: `(n_obs, 2)`; of fewer than four rows the principal components.
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
        igraph.set_random_number_generator(random)  # as it is by itself
    return np.asarray(found.coords, np.float32)


def _two_components(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """First two principal components, brought to one scale; a second one of zeros where there is none."""
    centered = np.asarray(matrix, np.float64) - np.mean(matrix, axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centered.T @ centered)
    axes = vectors[:, np.argsort(-values)[:2]]
    axes *= np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    points = np.zeros((len(matrix), 2))
    points[:, : axes.shape[1]] = centered @ axes
    return (points * _SPAN / max(float(np.abs(points).max()), 1e-12)).astype(np.float32)
