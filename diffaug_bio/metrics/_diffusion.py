"""Diffusion maps of neighbour graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.metrics._bandwidths import solve_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors

_N_COMPONENTS = 100
_DENSE_ROWS = 1000  # up to here, all eigenvectors are found faster than some
_MIN_WIDTH = 1e-3  # of kernels, in mean distances to neighbours


def fuzzy_graph(neighbors: Neighbors) -> sparse.csr_matrix:
    """Weigh the edges of a neighbour graph from 0 to 1, symmetrically, as UMAP does (arXiv:1802.03426)."""
    n_obs, n_neighbors = neighbors.indices.shape
    distances = neighbors.distances[:, 1:]
    positive = np.where(distances > 0, distances, np.inf).min(1)
    nearest = np.where(np.isfinite(positive), positive, 0)
    beyond = np.maximum(distances - nearest[:, None], 0)

    def total(beta: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.exp(-beyond * beta[:, None]).sum(1))

    widths = 1 / solve_rows(total, float(np.log2(n_neighbors)), n_obs)
    mean = np.where(nearest > 0, neighbors.distances.mean(1), neighbors.distances.mean())
    widths = np.maximum(widths, np.maximum(_MIN_WIDTH * mean, np.finfo(np.float64).tiny))
    weights = np.exp(-beyond / widths[:, None])
    rows = np.repeat(np.arange(n_obs), n_neighbors - 1)
    directed = sparse.csr_matrix(
        (weights.ravel(), (rows, neighbors.indices[:, 1:].ravel())), shape=(n_obs, n_obs)
    )
    both = directed.multiply(directed.T)
    return sparse.csr_matrix(directed + directed.T - both)


def diffusion_map(graph: sparse.csr_matrix, *, random_state: int) -> NDArray[np.float64]:
    """Embed a connected graph so that distances are diffusion distances, summed over all times.

    Returns up to 100 eigenvectors of the density-normalised transitions, each times `e / (1 - e)` of its
    eigenvalue e, but for the first, which has 1 and stays as it is (Haghverdi et al. 2016, Nature Methods
    13, 845-848). Shape: `(n_obs, n_components)`. The seed is that of the start vector.
    """
    density = sparse.diags(1 / np.asarray(graph.sum(0)).ravel())
    kernel = density @ graph @ density
    scale = sparse.diags(1 / np.sqrt(np.asarray(kernel.sum(0)).ravel()))
    transitions = sparse.csr_matrix(scale @ kernel @ scale)
    n_components = min(_N_COMPONENTS, graph.shape[0] - 1)
    if graph.shape[0] <= _DENSE_ROWS:
        found, vectors = np.linalg.eigh(transitions.toarray())
        kept = np.argsort(-np.abs(found), kind="stable")[:n_components]
        found, vectors = found[kept], vectors[:, kept]
    else:
        start = np.random.default_rng(random_state).uniform(size=graph.shape[0])
        found, vectors = sparse.linalg.eigsh(transitions, k=n_components, v0=start)
    first = int(np.argmax(found))
    found[first] = 0.5  # e / (1 - e) is 1
    return np.asarray(vectors * (found / (1 - found)))
