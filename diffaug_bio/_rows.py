"""Rows and front end for the networks, made from a matrix and fitted preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from diffaug_bio._validation import check_size
from diffaug_bio.core.batches import DenseRows, HostRows
from diffaug_bio.core.sequences import SpectralFrontEnd
from diffaug_bio.features import FittedSequences, fit_features, fit_sequences
from diffaug_bio.pp._state import data_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.features import FittedFeatures


def fit_rows(
    matrix: Matrix,
    config: DiffAugConfig,
    *,
    seed: int,
    feature_names: Sequence[str] | None,
) -> tuple[FittedFeatures | FittedSequences, DiffAugConfig]:
    """Fit the preprocessing that suits a matrix, and decide what the configuration leaves to the data.

    Parameters
    ----------
    matrix
        Features, or tokens of sequences where the configuration says so. Shape: `(n_obs, n_vars)`.
    config
        The whole configuration.
    seed, feature_names
        As for :func:`diffaug_bio.features.fit_features`.

    Raises
    ------
    InputError
        If the matrix cannot be learned from, or does not suit the encoder.
    """
    if config.features.input_state == "sequence" or config.encoder.kind == "cnn":
        check_size(matrix)
        return fit_sequences(matrix, config.features, seed=seed), config.resolved("sequence")
    features = fit_features(matrix, config.features, seed=seed, feature_names=feature_names)
    return features, config.resolved(data_kind(features.state))


def network_rows(
    features: FittedFeatures | FittedSequences,
    matrix: Matrix,
    scores: NDArray[np.float32] | None,
    device: torch.device,
    *,
    columns: NDArray[np.int64] | None = None,
) -> Rows:
    """Hold components or tokens on the device, or make features batch by batch without a front end.

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
    if isinstance(features, FittedSequences):
        return DenseRows(torch.from_numpy(np.ascontiguousarray(matrix, np.uint8)).to(device))
    if features.front_end and scores is not None:
        return DenseRows(torch.from_numpy(scores).to(device))

    def read(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return features.dense_rows(matrix[indices], columns)

    return HostRows(read, (matrix.shape[0], features.n_features), device)


def front_end_of(features: FittedFeatures | FittedSequences) -> SpectralFrontEnd | None:
    """Make the front end that runs in the inner loop: that of sequences, whose views are letters."""
    if not isinstance(features, FittedSequences):
        return None
    weight, bias = features.linear_map()
    return SpectralFrontEnd(features.levels, torch.from_numpy(weight), torch.from_numpy(bias))
