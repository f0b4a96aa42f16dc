"""Rows for the networks, and what they are, made from a matrix and fitted preprocessing."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

import numpy as np
import torch

from diffaug_bio.config.kinds import data_kind
from diffaug_bio.core.batches import DenseRows, HostRows, PixelRows
from diffaug_bio.core.codecs import ComponentCodec
from diffaug_bio.core.images import ImageShape
from diffaug_bio.core.inputs import FeatureInput, ImageInput, SequenceInput
from diffaug_bio.core.patches import PatchFrontEnd
from diffaug_bio.core.sequences import SpectralFrontEnd
from diffaug_bio.errors import InputError
from diffaug_bio.features import (
    FittedFeatures,
    FittedImages,
    FittedSequences,
    fit_features,
    fit_images,
    fit_sequences,
    match_columns,
    nearest_rows,
    used_features,
)
from diffaug_bio.machine.threads import torch_limited_to
from diffaug_bio.matrix.state import check_like_training
from diffaug_bio.matrix.summary import summarise
from diffaug_bio.matrix.validation import (
    LazyMatrix,
    as_matrix,
    as_pixels,
    as_tokens,
    check_image_shape,
    check_names,
    check_shape,
    check_size,
    column_names,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.features import Fitted
    from diffaug_bio.matrix.blocks import Matrix

logger = logging.getLogger(__name__)

_TELLING_ROWS, _MOST_UNLIKE = 20, 3.0  # from so many rows on, by such a factor, totals are another depth
_NEIGHBOR_VIEWS = frozenset({"neighbor_noise", "neighbor_mix"})


def flatten_images(X: object, config: DiffAugConfig) -> tuple[object, DiffAugConfig]:  # noqa: N803
    """Write images as rows, and their shape into the configuration; anything else stays as it is.

    Parameters
    ----------
    X
        Images are bytes of shape `(n_obs, height, width)` or `(n_obs, height, width, channels)`.
    config
        The whole configuration.
    """
    if not isinstance(X, np.ndarray) or X.ndim not in {3, 4} or X.dtype != np.uint8:
        return X, config
    shape = (*X.shape[1:], 1) if X.ndim == 3 else X.shape[1:]
    declared = {"input_state": "image", "image_shape": list(shape)}
    return X.reshape(len(X), -1), config.replace(features=declared)


def fit_rows(
    matrix: Matrix,
    config: DiffAugConfig,
    *,
    seed: int,
    feature_names: Sequence[str] | None,
) -> tuple[Fitted, DiffAugConfig]:
    """Fit the preprocessing that suits a matrix, and decide what the configuration leaves to the data.

    Parameters
    ----------
    matrix
        Features, or tokens of sequences or pixels where the configuration says so. Shape:
        `(n_obs, n_vars)`.
    config
        The whole configuration.
    seed, feature_names
        As for :func:`diffaug_bio.features.fit_features`.

    Raises
    ------
    InputError
        If the matrix cannot be learned from, or does not suit the encoder.
    """
    state = config.features.input_state
    if state == "image":
        config = config.for_kind("image")
        check_size(matrix)
        height, width, channels = shape = config.features.image_shape
        colors = "grey" if channels == 1 else "in color"
        logger.info("Input: %d images of %d x %d pixels, %s.", matrix.shape[0], height, width, colors)
        pixels = as_pixels(matrix, shape)
        return fit_images(pixels, (height, width, channels), config.features, seed=seed), config
    if state == "sequence" or config.encoder.kind == "cnn":
        config = config.for_kind("sequence")
        check_size(matrix)
        return fit_sequences(as_tokens(matrix), config.features, seed=seed), config
    if isinstance(matrix, LazyMatrix):
        msg = "Rows that stay on the disk are images, and `input_state` says something else."
        raise InputError(msg)
    features = fit_features(matrix, config.features, seed=seed, feature_names=feature_names)
    config = config.for_kind(data_kind(features.state))
    if features.state != "counts":
        decided = replace(config.features, totals="normalized")
    else:
        decided = replace(config.features, target_sum=features.target_sum)
    return features, replace(config, features=decided)


def scores_of(features: Fitted, matrix: Matrix, config: DiffAugConfig) -> NDArray[np.float32] | None:
    """Compute components of all rows, where they are the networks' rows or neighbors are found by them.

    Returns
    -------
    Shape: `(n_obs, n_components)`.
    """
    if isinstance(features, FittedFeatures):
        return features.project(matrix)
    if isinstance(features, FittedImages) and config.train.warmup_view in _NEIGHBOR_VIEWS:
        return features.project(matrix)
    return None


def neighbors_of(
    scores: NDArray[np.float32] | None, config: DiffAugConfig, *, seed: int, device: torch.device
) -> torch.Tensor | None:
    """Find the neighbors of each row by its components, where the configured view draws from them."""
    if scores is None or config.train.warmup_view not in _NEIGHBOR_VIEWS:
        return None
    n_threads = torch.get_num_threads()
    # Numba, below pynndescent, sets the number of torch's threads as well.
    with torch_limited_to(n_threads):
        found = nearest_rows(scores, config.train.n_neighbors, seed=seed, n_threads=n_threads)
    return torch.from_numpy(found).to(device)


def prepared_rows(
    features: Fitted,
    X: object,  # noqa: N803 - scikit-learn's name
    config: DiffAugConfig,
    *,
    feature_names: Sequence[str] | None,
    training_names: Sequence[str] | None,
    device: torch.device,
) -> Rows:
    """Make rows of data that come after a fit, and refuse what is unlike those of the fit.

    Parameters
    ----------
    features
        The fitted preprocessing.
    X
        Dense or sparse, of shape `(n_obs, n)`, or images.
    config
        That of the fit, with everything decided.
    feature_names
        Of the columns; those of a data frame are known.
    training_names
        Of the features of the fit.
    device
        Where the networks are.

    Raises
    ------
    InputError
        If features cannot be matched with those of the fit, or the data are of another kind.
    """
    feature_names = column_names(X) if feature_names is None else feature_names
    rows, declared = flatten_images(X, config)
    check_image_shape(declared.features.image_shape, config.features.image_shape)
    matrix = as_matrix(rows)
    check_names(feature_names, matrix)
    columns = match_columns(
        matrix.shape[1],
        feature_names,
        n_training=features.n_vars,
        training_names=training_names,
        used=used_features(features),
        are_estimated=getattr(features, "estimates_missing", False),
    )
    if not isinstance(features, FittedFeatures):
        return network_rows(features, matrix, None, device, columns=columns)
    summary = summarise(matrix, feature_names=feature_names)
    detected = config.features.input_state == "auto"  # found out rather than declared
    check_like_training(matrix, summary, state=features.state, detected=detected)
    if summary.is_integer:
        _compare_totals(features, matrix, columns)
    scores = features.project(matrix, columns) if features.front_end else None
    return network_rows(features, matrix, scores, device, columns=columns)


def _compare_totals(features: FittedFeatures, matrix: Matrix, columns: NDArray[np.int64] | None) -> None:
    """Warn where rows whose totals are kept hold far more or less than those of the fit."""
    if features.target_sum is not None or matrix.shape[0] < _TELLING_ROWS:
        return
    usual, found = features.expected, np.asarray(matrix.sum(0, dtype=np.float64)).ravel() / matrix.shape[0]
    if columns is not None:
        usual, found = usual[columns >= 0], found[columns[columns >= 0]]
    expected, mean = float(usual.sum(dtype=np.float64)), float(found.sum())
    if not expected / _MOST_UNLIKE <= mean <= expected * _MOST_UNLIKE:
        logger.warning(
            "Warning: these rows hold %.3g counts on average, those of the fit %.3g, and the model keeps "
            "totals: to it, rows of another depth are other rows. Where depth is technical, fit without "
            '`totals = "kept"`.',
            mean,
            expected,
        )


def network_rows(
    features: Fitted,
    matrix: Matrix,
    scores: NDArray[np.float32] | None,
    device: torch.device,
    *,
    columns: NDArray[np.int64] | None = None,
) -> Rows:
    """Hold components, tokens or pixels on the device, or make rows batch by batch.

    Parameters
    ----------
    features
        The fitted preprocessing.
    matrix
        Dense or CSR, or images that stay on the disk. Shape: `(n_obs, n_vars)`.
    scores
        Its principal components, where they are the rows. Shape: `(n_obs, n_components)`.
    device
        Where the networks are.
    columns
        For each training feature its column in `matrix`; see :meth:`FittedFeatures.project`.
    """
    if isinstance(features, FittedSequences):
        return DenseRows(torch.from_numpy(as_tokens(matrix, columns)).to(device))
    if isinstance(features, FittedImages):
        return _pixel_rows(as_pixels(_in_order(matrix, columns), features.image_shape), device)
    if features.front_end and scores is not None:
        return DenseRows(torch.from_numpy(scores).to(device))

    def read(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return features.dense_rows(matrix[indices], columns)

    return HostRows(read, (matrix.shape[0], features.n_features), device)


def _in_order(matrix: Matrix, columns: NDArray[np.int64] | None) -> Matrix:
    """Put pixels in the order of the fit; those of whole images only, since none can be made up."""
    if columns is None:
        return matrix
    if isinstance(matrix, LazyMatrix) or (columns < 0).any():
        msg = (
            "By their names, pixels of the images that the model was fitted on are missing. Give whole "
            "images, with the names of the fit or none."
        )
        raise InputError(msg)
    return matrix[:, columns]


def held_rows(features: Fitted, rows: NDArray[np.generic], device: torch.device) -> Rows:
    """Hold rows that are preprocessed already.

    Raises
    ------
    InputError
        If they are no tokens or pixels where those are asked for, or of another width than the fit's.
    """
    if isinstance(features, FittedImages):
        return _pixel_rows(as_pixels(rows, features.image_shape), device)
    is_letters = isinstance(features, FittedSequences)
    known = as_tokens(rows) if is_letters else np.ascontiguousarray(rows, np.float32)
    check_shape(known, (len(known), features.n_features), what="rows")
    return DenseRows(torch.from_numpy(known).to(device))


def _pixel_rows(pixels: Matrix, device: torch.device) -> PixelRows:
    """Keep pixels as bytes: on the device, or where they are if that is the disk."""
    if isinstance(pixels, LazyMatrix):
        return PixelRows(HostRows(pixels.__getitem__, pixels.shape, device))
    # Some are views of files that must not be written to, which torch would warn of.
    writable = pixels if pixels.flags.writeable else pixels.copy()
    return PixelRows(DenseRows(torch.from_numpy(np.ascontiguousarray(writable)).to(device)))


def input_of(features: Fitted, config: DiffAugConfig) -> Input:
    """Say what a row is, with the front ends that run in the inner loop, where views change letters."""
    if isinstance(features, FittedFeatures):
        return FeatureInput(features.n_features)
    weight, bias = (torch.from_numpy(part) for part in features.linear_map())
    if isinstance(features, FittedSequences):
        return SequenceInput(features.n_vars, SpectralFrontEnd(features.levels, weight, bias))
    if isinstance(features, FittedImages):
        shape = ImageShape(*features.image_shape)
        filters, offsets = torch.from_numpy(features.filters), torch.from_numpy(features.offsets)
        # Of one variance each: else what the generator gets wrong in the largest hides the finest.
        axes = features.pixels.components / features.spread
        return ImageInput(
            shape,
            PatchFrontEnd(shape, filters=filters, offsets=offsets, weight=weight, bias=bias),
            ComponentCodec(torch.from_numpy(features.pixels.center), torch.from_numpy(axes)),
            config.generator.backbone,
        )
    assert_never(features)
