"""Rows for the networks, made from a matrix and fitted preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from diffaug_bio.config.kinds import NEIGHBOR_VIEWS, STATES
from diffaug_bio.config.tables import replaced
from diffaug_bio.features import match_columns, nearest_rows
from diffaug_bio.machine.threads import torch_limited_to
from diffaug_bio.matrix.validation import as_matrix, check_image_shape, check_names, column_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.features import Fitted
    from diffaug_bio.matrix.blocks import Matrix


def flatten_images(X: object, config: DiffAugConfig) -> tuple[object, DiffAugConfig]:  # noqa: N803
    """Write images as rows, and their shape into the configuration; anything else stays as it is.

    Images are bytes of shape `(n_obs, height, width)` or `(n_obs, height, width, channels)`.
    """
    if not isinstance(X, np.ndarray) or X.ndim not in {3, 4} or X.dtype != np.uint8:
        return X, config
    shape = (*X.shape[1:], 1) if X.ndim == 3 else X.shape[1:]
    declared = {"features": {"input_state": "image", "image_shape": list(shape)}}
    return X.reshape(len(X), -1), replaced(config, declared, source="images")


def later_matrix(X: object, config: DiffAugConfig) -> Matrix:  # noqa: N803
    """Return rows that come after a fit as a matrix, and refuse images of another shape than the fit's."""
    expected = config.features.image_shape
    rows, declared = flatten_images(X, config)
    check_image_shape(declared.features.image_shape, expected)
    matrix = as_matrix(rows)
    check_image_shape(getattr(matrix, "image_shape", expected), expected)  # of images on the disk
    return matrix


def neighbors_of(
    scores: NDArray[np.float32] | None, config: DiffAugConfig, *, seed: int, device: torch.device
) -> torch.Tensor | None:
    """Find the nearest neighbours of each row by its components, if the configured view needs them."""
    if scores is None or config.train.warmup_view not in NEIGHBOR_VIEWS:
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
    """Preprocess rows that come after a fit, and refuse those unlike the fit's with an `InputError`.

    `X` is dense or sparse, of shape `(n_obs, n)`, or images; the names of a data frame's columns are known.
    """
    feature_names = column_names(X) if feature_names is None else feature_names
    matrix = later_matrix(X, config)
    check_names(feature_names, matrix)
    columns = match_columns(
        matrix.shape[1],
        feature_names,
        n_training=features.n_vars,
        training_names=training_names,
        used=features.used,
        are_estimated=features.estimates_missing,
        is_expression=STATES[features.state].is_sparse,
    )
    is_detected = config.features.input_state == "auto"
    features.check_later(matrix, columns, feature_names=feature_names, is_detected=is_detected)
    return features.rows(matrix, device, columns=columns)
