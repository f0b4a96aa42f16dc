"""From a matrix and its fitted preprocessing to trained networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._rows import input_of, neighbors_of, network_rows, scores_of
from diffaug_bio.core.trainer import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.state import TrainState
    from diffaug_bio.features import Fitted


def train_networks(
    features: Fitted,
    matrix: Matrix,
    config: DiffAugConfig,
    *,
    seed: int,
    device: torch.device,
    precision: torch.dtype,
    callbacks: Sequence[Callback],
) -> TrainState:
    """Train encoder and generator on the rows of a matrix.

    Parameters
    ----------
    features
        The preprocessing, fitted to the matrix.
    matrix
        Shape: `(n_obs, n_vars)`.
    config
        With everything decided that was left to the data.
    seed, device, precision, callbacks
        As for :func:`diffaug_bio.core.trainer.train`.

    Raises
    ------
    TrainingError
        If training diverges.
    """
    scores = scores_of(features, matrix, config)
    return train(
        network_rows(features, matrix, scores, device),
        config,
        input_of(features, config),
        neighbors=neighbors_of(scores, config, seed=seed, device=device),
        seed=seed,
        precision=precision,
        callbacks=callbacks,
    )
