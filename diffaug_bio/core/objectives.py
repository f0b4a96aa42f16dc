"""Objectives of the encoder: contrastive losses, and those of peer methods for comparison."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from diffaug_bio.config.kinds import decided
from diffaug_bio.core.encoders import mlp
from diffaug_bio.core.losses import byol, info_nce, nt_xent, soft_contrastive_loss, vicreg
from diffaug_bio.core.runtime import seeded_initialisation

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from diffaug_bio.config import DiffAugConfig, LossConfig
    from diffaug_bio.core.codecs import Codec
    from diffaug_bio.core.encoders import Projector

_TARGET_DECAY = 0.99  # BYOL's target network in short runs (Grill et al. 2020, table 5)


class ObjectiveLoss(Protocol):
    """Function that computes the loss of a batch."""

    def __call__(self, x: Tensor, pair: Tensor) -> Tensor:
        """Compute the loss of rows, a scalar; `pair` holds their first views, then their other views."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Loss, the networks that it trains, and a function to call after each step."""

    loss: ObjectiveLoss
    trained: list[nn.Module]
    after_step: Callable[[int], None]
    keeps_best: bool = True
    """A lower held-out loss means a better encoder; not so for BYOL, whose loss is lowest on collapse."""


def build_objective(
    config: DiffAugConfig,
    encoder: nn.Module,
    projector: Projector,
    codec: Codec,
    *,
    n_codes: int,
    seed: int,
    autocast: Callable[[], AbstractContextManager[object]],
) -> Objective:
    """Make the configured objective, and the networks that only it needs.

    The autoencoder reconstructs codes, `n_codes` wide. `seed` is for the additional networks' weights.
    """
    if config.loss.name == "reconstruction":
        return _reconstruction(
            config, encoder, codec, n_kept=projector.n_kept, n_codes=n_codes, seed=seed, autocast=autocast
        )
    if config.loss.name == "byol":
        return _byol(config, encoder, projector, seed=seed, autocast=autocast)

    def loss(x: Tensor, pair: Tensor) -> Tensor:
        with autocast():
            y = encoder(pair)
            z = projector(y)
        (y_first, _), (z_first, z_other) = y.chunk(2), z.chunk(2)
        return pair_loss(y_first, z_first, z_other, config.loss)

    return Objective(
        loss=loss,
        trained=[encoder, projector],
        after_step=lambda _: None,
        keeps_best=config.keeps_best,
    )


def pair_loss(y: Tensor, z: Tensor, z_positive: Tensor, config: LossConfig) -> Tensor:
    """Compute the configured loss of two views; shapes as in :func:`losses.soft_contrastive_loss`."""
    if config.name == "info_nce":
        return info_nce(z, z_positive, temperature=config.temperature)
    if config.name == "nt_xent":
        return nt_xent(z, z_positive, temperature=config.temperature)
    if config.name == "vicreg":
        return vicreg(z, z_positive)
    if config.projection == "sphere":
        z, z_positive = (
            config.radius * nn.functional.normalize(part.float(), dim=1) for part in (z, z_positive)
        )
    degrees_y = math.inf if config.name == "hard_contrastive" else config.degrees_y
    return soft_contrastive_loss(y, z, z_positive, degrees_y=degrees_y, degrees_z=config.degrees_z)


def update_average(average: nn.Module, module: nn.Module, *, decay: float) -> None:
    """Update a moving average of weights: `average = decay * average + (1 - decay) * new`."""
    with torch.no_grad():
        for target, source in zip(average.parameters(), module.parameters(), strict=True):
            target.lerp_(source, 1 - decay)


def _byol(
    config: DiffAugConfig,
    encoder: nn.Module,
    projector: Projector,
    *,
    seed: int,
    autocast: Callable[[], AbstractContextManager[object]],
) -> Objective:
    """Predict a slowly updated copy's projection of the other view (Grill et al. 2020)."""
    online = nn.Sequential(encoder, projector)
    target = copy.deepcopy(online).requires_grad_(requires_grad=False)
    n_projection = config.encoder.n_compared(projector.n_kept)
    with seeded_initialisation(seed + 1):
        predictor = mlp([n_projection, *config.encoder.projector_hidden, n_projection])
    predictor.to(next(encoder.parameters()).device)

    def loss(x: Tensor, pair: Tensor) -> Tensor:
        with autocast():
            predicted = predictor(online(pair))
            with torch.no_grad():
                first, other = target(pair).chunk(2)
        return byol(predicted, torch.cat([other, first]))

    return Objective(
        loss=loss,
        trained=[encoder, projector, predictor, target],
        after_step=lambda _: update_average(target, online, decay=_TARGET_DECAY),
        keeps_best=config.keeps_best,
    )


def _reconstruction(
    config: DiffAugConfig,
    encoder: nn.Module,
    codec: Codec,
    *,
    n_kept: int,
    n_codes: int,
    seed: int,
    autocast: Callable[[], AbstractContextManager[object]],
) -> Objective:
    """Reconstruct the row from its learned columns, with a mirrored decoder: an autoencoder."""
    widths = config.encoder
    with seeded_initialisation(seed + 1):
        decoder = mlp([decided(widths.n_latent) - n_kept, *reversed(widths.hidden), n_codes])
    decoder.to(next(encoder.parameters()).device)

    def loss(x: Tensor, pair: Tensor) -> Tensor:
        with autocast():
            rebuilt: Tensor = decoder(encoder(x)[:, n_kept:])
        return nn.functional.mse_loss(rebuilt.float(), codec.encode(x))

    return Objective(
        loss=loss,
        trained=[encoder, decoder],
        after_step=lambda _: None,
        keeps_best=config.keeps_best,
    )
