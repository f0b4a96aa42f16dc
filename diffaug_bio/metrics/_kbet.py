"""kBET: batches among the neighbours of a row, tested within labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse, special

from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.metrics._diffusion import diffusion_map, fuzzy_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors

_SIGNIFICANCE = 0.05
_FEWEST, _MOST = 10, 70  # neighbours beside the row itself
_USABLE_SHARE = 0.75
_MAX_TESTS = 5000


def kbet(
    neighbors: Neighbors, batches: NDArray[np.str_], labels: NDArray[np.str_], *, random_state: int = 0
) -> float:
    """Compute the share of rows whose neighbours have the batches of their label, from 0 to 1 [1]_.

    For each label, `k` is a quarter of the mean number of its rows in a batch, but from 10 to 70. The k
    nearest of a row by diffusion within the label, and the row itself, are compared with the batches of the
    whole label by a chi-squared test; a row is accepted at p >= 0.05. Labels of one batch, or of fewer than
    eleven rows, are left out; the mean over no label is nan. Where the graph of a label is in pieces, those
    of fewer than 3 k rows are left out, and the label scores 0 if they hold more than a quarter of its
    rows, or all but one of its batches. At most 5000 rows of a label are tested.

    This is `kbet_per_label` of scib-metrics 0.6, but neighbours (usually 50) are exact, stay in their
    piece, and are found in 100 components for every label (there, a small label lowers the number for all
    later ones).

    .. [1] Büttner et al. (2019), Nature Methods 16, 43-49.
    """
    graph = fuzzy_graph(neighbors)
    rates = []
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        codes = np.unique(batches[inside], return_inverse=True)[1]
        if codes.max() > 0 and len(inside) > _FEWEST:
            rates.append(_acceptance(graph[inside][:, inside], codes, random_state=random_state))
    return float(np.mean(rates)) if rates else float("nan")


def _acceptance(graph: sparse.csr_matrix, codes: NDArray[np.intp], *, random_state: int) -> float:
    """Share of the rows of one label that are accepted; 0 if too many are in small pieces."""
    k = int(np.clip(len(codes) / (codes.max() + 1) // 4, _FEWEST, _MOST))
    n_pieces, piece = sparse.csgraph.connected_components(graph, directed=False)
    sizes = np.bincount(piece)
    usable = np.flatnonzero(sizes >= (3 * k if n_pieces > 1 else 0))
    kept = np.isin(piece, usable)
    if kept.mean() < _USABLE_SHARE:
        return 0.0
    left, codes[kept] = np.unique(codes[kept], return_inverse=True)
    if len(left) < 2:  # all other batches lie apart
        return 0.0
    shares = np.bincount(codes[kept]) / kept.sum()
    accepted = []
    for number in usable:
        rows = np.flatnonzero(piece == number)
        near = _diffusion_neighbors(graph[rows][:, rows], k, random_state=random_state)  # (n_tested, k + 1)
        accepted.append((_accepts(codes[rows][near], shares).mean(), len(rows)))
    rates, weights = zip(*accepted, strict=True)
    return float(np.average(rates, weights=weights))


def _diffusion_neighbors(graph: sparse.csr_matrix, k: int, *, random_state: int) -> NDArray[np.int64]:
    """Numbers of tested rows and of their k nearest by diffusion."""
    from sklearn.neighbors import NearestNeighbors

    embedding = diffusion_map(graph, random_state=random_state)
    tested = sample_rows(len(embedding), _MAX_TESTS, seed=random_state)
    n_neighbors = min(k + 1, len(embedding))
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(embedding)
    return np.asarray(search.kneighbors(embedding[tested], return_distance=False), np.int64)


def _accepts(near: NDArray[np.intp], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Test that the batches of neighbours may be a draw from shares of batches."""
    expected = shares * near.shape[1]
    observed = np.stack([(near == code).sum(1) for code in range(len(shares))], axis=1)
    statistic = (np.square(observed - expected) / expected).sum(1)
    return np.asarray(special.chdtrc(len(shares) - 1, statistic) >= _SIGNIFICANCE)
