"""Label transfer by a distance-weighted vote of nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from diffaug_bio.mapping.neighbors import directions, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

VoteMetric: TypeAlias = Literal["cosine", "euclidean"]

_BLOCK_ROWS = 8192  # rows labelled at once
_MOST_RAISED = 2.0  # with more, a single mislabelled row could outvote all its neighbours


def neighbor_vote(
    query: NDArray[np.float32],
    reference: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    n_labels: int,
    n_neighbors: int,
    metric: VoteMetric = "cosine",
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Label each row by a vote of its nearest labelled neighbours, weighted by distance.

    A neighbour at distance `d` has the weight `exp(-2 d^2 / m)` with the mean `m` of `d^2` over the
    neighbours of that row: a Gaussian kernel with a local bandwidth [1]_, as is usual in reference mapping
    [2]_. No bandwidth has to be chosen, and the scale of the embedding does not matter. If neighbours are
    at distance 0, only they vote.

    Votes for a label with fewer rows than neighbours vote are multiplied by the number of neighbours over
    the number of its rows, at most by 2, since rare labels could hardly win otherwise.

    Parameters
    ----------
    query
        Rows without labels. Shape: `(n_query, n_latent)`.
    reference
        Rows with labels. Shape: `(n_reference, n_latent)`.
    codes
        Label number of each labelled row, from 0. Shape: `(n_reference,)`.
    n_labels
        Number of labels.
    n_neighbors
        Number of neighbours that vote; all rows if there are fewer.
    metric
        `"euclidean"`, or `"cosine"`: Euclidean distance of rows scaled to length 1.

    Returns
    -------
    Label number with the most weight (the first of equals), and its confidence: its share of the weight of
    all neighbours. Confidence measures agreement, and is no probability. Shape of both: `(n_query,)`.

    References
    ----------
    .. [1] Zelnik-Manor & Perona (2004), "Self-tuning spectral clustering", NeurIPS 17.
    .. [2] Lotfollahi et al. (2022), "Mapping single-cell data to reference atlases by transfer learning",
       Nat. Biotechnol. 40.
    """
    center = reference.mean(0, dtype=np.float64)  # rounding errors are smallest near 0

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
    """Return weights from squared distances; if some of a row are 0, only these count."""
    mean = squares.mean(1, keepdims=True)
    weights = np.exp(-2 * squares / np.where(mean > 0, mean, 1.0))
    is_equal = squares == 0
    return np.where(is_equal.any(1, keepdims=True), is_equal, weights)
