"""The vote of labelled neighbors, each by how near it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_ROWS = 1024  # of which the differences to all their neighbors are held at once


def neighbor_vote(
    query: NDArray[np.float32],
    reference: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    n_labels: int,
    n_neighbors: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give each row the label that its nearest labelled rows have, weighted by inverse distance [1]_.

    The weights of a row are relative to its nearest neighbor, so that no bandwidth has to be chosen and the
    scale of the embedding does not matter. Neighbors at distance 0 leave the others no weight.

    Parameters
    ----------
    query
        Rows without labels. Shape: `(n_query, n_latent)`.
    reference
        Rows with labels. Shape: `(n_reference, n_latent)`.
    codes
        Number of the label of each of them, from 0. Shape: `(n_reference,)`.
    n_labels
        Labels that there are.
    n_neighbors
        Neighbors that vote, by Euclidean distance; all where there are fewer.

    Returns
    -------
    Number of the label with the most weight, the first of equals, and its share of the weight. Shape of
    both: `(n_query,)`.

    References
    ----------
    .. [1] Dudani (1976), "The distance-weighted k-nearest-neighbor rule", IEEE Trans. Syst. Man Cybern. 6.
    """
    from sklearn.neighbors import NearestNeighbors

    center = reference.mean(0, dtype=np.float64)  # less of which is lost to rounding near 0
    known = reference.astype(np.float64) - center
    finder = NearestNeighbors(n_neighbors=min(n_neighbors, len(known)), algorithm="brute").fit(known)
    labels, confidence = np.zeros(len(query), np.int64), np.zeros(len(query), np.float32)
    for start in range(0, len(query), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        block = query[rows].astype(np.float64) - center
        nearest = finder.kneighbors(block, return_distance=False)
        # Anew, by differences: those of the search are of products, in which equal rows are not quite at 0.
        distances = np.linalg.norm(block[:, None] - known[nearest], axis=2)
        votes = np.zeros((len(block), n_labels))
        np.add.at(votes, (np.arange(len(block))[:, None], codes[nearest]), _weights(distances))
        labels[rows] = votes.argmax(1)
        confidence[rows] = votes.max(1) / votes.sum(1)
    return labels, confidence


def _weights(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse distances over that of the nearest neighbor; with some at 0, these alone count."""
    nearest = distances.min(1, keepdims=True)
    ratio = np.divide(nearest, distances, out=np.ones_like(distances), where=distances > 0)
    return np.where((nearest == 0) & (distances > 0), 0.0, ratio)
