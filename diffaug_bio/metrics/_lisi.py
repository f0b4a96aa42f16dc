"""Local inverse Simpson's index: the number of classes near a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.metrics._bandwidths import solve_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors

_BLOCK_ROWS = 10_000


def lisi(neighbors: Neighbors, classes: NDArray[np.str_]) -> NDArray[np.float64]:
    """Compute the local inverse Simpson's index of rows: the effective number of classes nearby.

    Neighbours (usually 90) weigh `exp(-beta d)` by their distance d, the row itself nothing, and beta is
    such that the weights have the perplexity of a third of the neighbours, rounded down, as in `lisi_knn`
    of scib-metrics 0.6. The index is one over the sum of the squared shares of the classes among the
    weights (Korsunsky et al. 2019, Nature Methods 16, 1289-1296): from 1 to the number of classes. Shape:
    `(n_obs,)`.
    """
    names, codes = np.unique(classes, return_inverse=True)
    perplexity = max(1, neighbors.indices.shape[1] // 3)
    values = np.empty(len(codes))
    for start in range(0, len(codes), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        weights = _weights(neighbors.distances[block, 1:], perplexity)
        near = codes[neighbors.indices[block, 1:]]  # (n_rows, n_neighbors - 1)
        shares = np.stack([np.where(near == code, weights, 0).sum(1) for code in range(len(names))])
        values[block] = 1 / np.square(shares).sum(0)
    return values


def ilisi(neighbors: Neighbors, batches: NDArray[np.str_]) -> float:
    """Return the median of :func:`lisi` over batches, scaled so that one batch is 0, and all of them 1."""
    return float((np.median(lisi(neighbors, batches)) - 1) / (len(np.unique(batches)) - 1))


def clisi(neighbors: Neighbors, labels: NDArray[np.str_]) -> float:
    """Return the median of :func:`lisi` over labels, scaled so that one label is 1, and all of them 0."""
    n_labels = len(np.unique(labels))
    return float((n_labels - np.median(lisi(neighbors, labels))) / (n_labels - 1))


def _weights(distances: NDArray[np.float64], perplexity: float) -> NDArray[np.float64]:
    """Return weights of neighbours that sum to 1 in each row and have the given perplexity."""
    beyond = distances - distances[:, :1]  # moves no weight, and keeps exp from vanishing

    def entropy(beta: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = beyond * beta[:, None]
        raw = np.exp(-scaled)
        total = raw.sum(1)
        return np.asarray(np.log(total) + (scaled * raw).sum(1) / total)

    beta = solve_rows(entropy, float(np.log(perplexity)), len(beyond))
    raw = np.exp(-beyond * beta[:, None])
    return np.asarray(raw / raw.sum(1, keepdims=True))
