"""Rows for the networks, made from a matrix and fitted preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from diffaug_bio.core.batches import DenseRows, HostRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.features import FittedFeatures


def network_rows(
    features: FittedFeatures,
    matrix: Matrix,
    scores: NDArray[np.float32] | None,
    device: torch.device,
    *,
    columns: NDArray[np.int64] | None = None,
) -> Rows:
    """Hold components on the device, or make features batch by batch where there is no front end.

    Parameters
    ----------
    features
        The fitted preprocessing.
    matrix
        Dense or CSR. Shape: `(n_obs, n_vars)`.
    scores
        Its principal components, where they are the rows. Shape: `(n_obs, n_components)`.
    device
        Where the networks are.
    columns
        For each training feature its column in `matrix`; see :meth:`FittedFeatures.project`.
    """
    if features.front_end and scores is not None:
        return DenseRows(torch.from_numpy(scores).to(device))

    def read(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return features.dense_rows(matrix[indices], columns)

    return HostRows(read, (matrix.shape[0], features.n_features), device)
