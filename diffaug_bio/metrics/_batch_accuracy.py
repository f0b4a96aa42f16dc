"""How well neighbors tell the batch of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors


def batch_accuracy(
    neighbors: Neighbors, batches: NDArray[np.str_], labels: NDArray[np.str_]
) -> dict[str, float]:
    """Share of rows whose nearest others vote for their batch, and the share by chance.

    Parameters
    ----------
    neighbors
        As :func:`find_neighbors` returns them; all others vote. Ties count as the chance to guess right.
    batches, labels
        One a row. Shape: `(n_obs,)`.

    Returns
    -------
    `batch_knn_accuracy`, and `batch_chance`: that of always naming the most frequent batch of a row's
    label, which is where mixing within labels leads. Neither has a best value of its own: the nearer to
    chance, the less of the batch is left.
    """
    names, codes = np.unique(batches, return_inverse=True)
    near = codes[neighbors.indices[:, 1:]]
    votes = np.stack([(near == code).sum(1) for code in range(len(names))], axis=1)
    won = votes == votes.max(1, keepdims=True)
    accuracy = (won[np.arange(len(codes)), codes] / won.sum(1)).mean()
    most = [np.bincount(codes[labels == label]).max() for label in np.unique(labels)]
    return {"batch_knn_accuracy": float(accuracy), "batch_chance": float(sum(most) / len(codes))}
