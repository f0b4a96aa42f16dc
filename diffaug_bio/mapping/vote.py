"""The vote of labelled neighbors, each by how near it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from diffaug_bio.mapping.neighbors import directions, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

VoteMetric: TypeAlias = Literal["cosine", "euclidean"]

_BLOCK_ROWS = 8192  # which are labelled at once
_MOST_RAISED = 2.0  # more lets a single row with a wrong label overrule all others around it


def neighbor_vote(
    query: NDArray[np.float32],
    reference: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    n_labels: int,
    n_neighbors: int,
    metric: VoteMetric = "cosine",
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give each row the label that its nearest labelled rows have, weighted by how near they are.

    A neighbor at distance `d` has the weight `exp(-2 d^2 / m)` with the mean `m` of `d^2` over the
    neighbors of that row: a Gaussian kernel whose bandwidth is that of the place [1]_, as is usual where
    labels go from a reference to a query [2]_. So nothing has to be chosen, and the scale of the embedding
    does not matter. Neighbors at distance 0 leave the others no weight.

    A label of fewer rows than neighbors vote could hardly win: its vote is multiplied by the number of
    neighbors over that of its rows, but by 2 at most. With more than that, a single row whose label is
    wrong would outvote all of its neighbors.

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
        Neighbors that vote; all rows where there are fewer.
    metric
        "euclidean" distances, or "cosine": those of rows brought to length 1, so that directions count
        alone.

    Returns
    -------
    Number of the label with the most weight, the first of equals, and its confidence: its share of the
    weight of all neighbors, that of labels with few rows raised. It says how far neighbors agree, and is
    no probability. Shape of both: `(n_query,)`.

    References
    ----------
    .. [1] Zelnik-Manor & Perona (2004), "Self-tuning spectral clustering", NeurIPS 17.
    .. [2] Lotfollahi et al. (2022), "Mapping single-cell data to reference atlases by transfer learning",
       Nat. Biotechnol. 40.
    """
    center = reference.mean(0, dtype=np.float64)  # less of which is lost to rounding near 0

    def placed(rows: NDArray[np.float32]) -> Doubles:
        double = rows.astype(np.float64)
        return directions(double) if metric == "cosine" else double - center

    known = placed(reference)
    n_voting = min(n_neighbors, len(known))
    n_rows = np.bincount(codes, minlength=n_labels)
    raised = np.minimum(n_voting / np.clip(n_rows, 1, n_voting), _MOST_RAISED)
    labels, confidence = np.zeros(len(query), np.int64), np.zeros(len(query), np.float32)
    for start in range(0, len(query), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        distances, neighbors = nearest(placed(query[rows]), known, n_voting)
        votes = np.zeros((len(neighbors), n_labels))
        at = np.arange(len(neighbors))[:, None]
        np.add.at(votes, (at, codes[neighbors]), _weights(np.square(distances)))
        votes *= raised
        labels[rows] = votes.argmax(1)
        confidence[rows] = votes.max(1) / votes.sum(1)
    return labels, confidence


def _weights(squares: Doubles) -> Doubles:
    """Weights by squared distances to the neighbors of each row; with some at 0, these alone count."""
    mean = squares.mean(1, keepdims=True)
    weights = np.exp(-2 * squares / np.where(mean > 0, mean, 1.0))
    is_equal = squares == 0
    return np.where(is_equal.any(1, keepdims=True), is_equal, weights)
