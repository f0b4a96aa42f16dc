"""Rows and front end for the networks, made from a matrix and fitted preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from diffaug_bio._validation import as_tokens, check_shape, check_size, summarise
from diffaug_bio.core.batches import DenseRows, HostRows
from diffaug_bio.core.sequences import SpectralFrontEnd
from diffaug_bio.features import FittedSequences, fit_features, fit_sequences, nearest_rows
from diffaug_bio.pp._state import check_like_training, data_kind

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
        config = config.resolved("sequence")
        check_size(matrix)
        return fit_sequences(as_tokens(matrix), config.features, seed=seed), config
    features = fit_features(matrix, config.features, seed=seed, feature_names=feature_names)
    return features, config.resolved(data_kind(features.state))


def neighbors_of(
    scores: NDArray[np.float32] | None, config: DiffAugConfig, *, seed: int, device: torch.device
) -> torch.Tensor | None:
    """Find the neighbors of each row by its components, where the configured view draws from them."""
    if scores is None or config.train.warmup_view not in {"neighbor_noise", "neighbor_mix"}:
        return None
    n_threads = torch.get_num_threads()
    found = nearest_rows(scores, config.train.n_neighbors, seed=seed)
    torch.set_num_threads(n_threads)  # pynndescent sets that of all cores, for the whole process
    return torch.from_numpy(found).to(device)


def later_rows(
    features: FittedFeatures | FittedSequences,
    matrix: Matrix,
    columns: NDArray[np.int64] | None,
    *,
    device: torch.device,
    feature_names: Sequence[str] | None,
    detected: bool,
) -> Rows:
    """Make rows of data that come after a fit, and refuse what is unlike those of the fit.

    Parameters
    ----------
    features, matrix, columns, device
        As for :func:`network_rows`.
    feature_names
        Of the columns, for errors.
    detected
        Whether what the input is was found out rather than declared.

    Raises
    ------
    InputError
        If the matrix is of another kind than that of the fit.
    """
    if isinstance(features, FittedSequences):
        return network_rows(features, matrix, None, device, columns=columns)
    summary = summarise(matrix, feature_names=feature_names)
    check_like_training(matrix, summary, state=features.state, detected=detected)
    scores = features.project(matrix, columns) if features.front_end else None
    return network_rows(features, matrix, scores, device, columns=columns)


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
        return DenseRows(torch.from_numpy(as_tokens(matrix, columns)).to(device))
    if features.front_end and scores is not None:
        return DenseRows(torch.from_numpy(scores).to(device))

    def read(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return features.dense_rows(matrix[indices], columns)

    return HostRows(read, (matrix.shape[0], features.n_features), device)


def held_rows(
    features: FittedFeatures | FittedSequences, rows: NDArray[np.generic], device: torch.device
) -> DenseRows:
    """Hold rows that are preprocessed already.

    Raises
    ------
    InputError
        If they are no tokens where tokens are asked for, or of another width than the fit's.
    """
    is_letters = isinstance(features, FittedSequences)
    known = as_tokens(rows) if is_letters else np.ascontiguousarray(rows, np.float32)
    check_shape(known, (len(known), features.n_features), what="rows")
    return DenseRows(torch.from_numpy(known).to(device))


def front_end_of(features: FittedFeatures | FittedSequences) -> SpectralFrontEnd | None:
    """Make the front end that runs in the inner loop: that of sequences, whose views are letters."""
    if not isinstance(features, FittedSequences):
        return None
    weight, bias = features.linear_map()
    return SpectralFrontEnd(features.levels, torch.from_numpy(weight), torch.from_numpy(bias))
