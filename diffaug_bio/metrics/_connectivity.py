"""Connectivity of labels in the neighbour graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors


def graph_connectivity(neighbors: Neighbors, labels: NDArray[np.str_]) -> float:
    """Compute the share of rows of a label in its largest strongly connected part of the neighbour graph.

    Mean over labels, from 0 to 1, as `graph_connectivity` of scib-metrics 0.6 (Luecken et al. 2022, Nature
    Methods 19, 41-50).
    """
    n_obs, n_neighbors = neighbors.indices.shape
    ends = neighbors.indices.ravel()
    graph = sparse.csr_matrix(
        (np.ones(len(ends), np.int8), ends, np.arange(0, len(ends) + 1, n_neighbors)), shape=(n_obs, n_obs)
    )
    shares = []
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        _, part = sparse.csgraph.connected_components(graph[inside][:, inside], connection="strong")
        shares.append(np.bincount(part).max() / len(inside))
    return float(np.mean(shares))
