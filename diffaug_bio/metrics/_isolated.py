"""Isolated labels: labels of few batches, and how well clusters find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def isolated_labels(batches: NDArray[np.str_], labels: NDArray[np.str_]) -> NDArray[np.str_]:
    """Find the labels that occur in the fewest batches, as scib-metrics 0.6; all if each is in as many."""
    names, codes = np.unique(labels, return_inverse=True)
    n_batches = np.array([len(np.unique(batches[codes == code])) for code in range(len(names))])
    return np.asarray(names[n_batches == n_batches.min()])


def isolated_f1(
    grid: Sequence[NDArray[np.int64]], labels: NDArray[np.str_], isolated: NDArray[np.str_]
) -> float:
    """Compute the F1 of the cluster that agrees best with an isolated label, mean over these labels.

    The best cluster may be at any resolution of :func:`leiden_grid` (Luecken et al. 2022, Nature Methods
    19, 41-50).
    """
    best = np.zeros(len(isolated))
    for clusters in grid:
        sizes = np.bincount(clusters)
        for number, label in enumerate(isolated):
            inside = labels == label
            shared = np.bincount(clusters[inside], minlength=len(sizes))
            best[number] = max(best[number], (2 * shared / (sizes + inside.sum())).max())
    return float(best.mean())
