"""Prediction of the batch of a row by its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.metrics._nearest import Neighbors


def batch_accuracy(
    neighbors: Neighbors, batches: NDArray[np.str_], labels: NDArray[np.str_]
) -> dict[str, float]:
    """Compute the share of rows whose nearest neighbours vote for their batch, and the share by chance.

    All neighbours vote but the row itself; ties count as the chance to guess right. `batch_chance` is the
    accuracy of always naming the most frequent batch of the label of a row: batches are mixed where
    `batch_knn_accuracy` is near to it.
    """
    names, codes = np.unique(batches, return_inverse=True)
    near = codes[neighbors.indices[:, 1:]]
    votes = np.stack([(near == code).sum(1) for code in range(len(names))], axis=1)
    won = votes == votes.max(1, keepdims=True)
    accuracy = (won[np.arange(len(codes)), codes] / won.sum(1)).mean()
    most = [np.bincount(codes[labels == label]).max() for label in np.unique(labels)]
    return {"batch_knn_accuracy": float(accuracy), "batch_chance": float(sum(most) / len(codes))}
