"""Training in turn: warm-up, then generator, refreshed positives and encoder, round by round."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.core import views
from diffaug_bio.core.batches import DenseRows, split_rows
from diffaug_bio.core.diffusion import GaussianDiffusion
from diffaug_bio.core.encoders import MLPEncoder, Projector
from diffaug_bio.core.generator import MLPDenoiser
from diffaug_bio.core.losses import info_nce, soft_contrastive_loss
from diffaug_bio.core.phases import Fit, run_phase
from diffaug_bio.core.runtime import eval_mode, seeded_generator, seeded_initialisation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffaug_bio.config import DiffAugConfig, LossConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.phases import Callback, EpochEnd

_BLOCK = 8192  # rows embedded or generated at once; bounds the memory of a pass over all rows


@dataclass(slots=True)
class TrainState:
    """The networks and what is known of them; changes while training, on purpose."""

    encoder: nn.Module
    projector: nn.Module
    denoiser: nn.Module
    averaged_denoiser: nn.Module
    diffusion: GaussianDiffusion
    condition_mean: Tensor
    condition_std: Tensor
    limits: Tensor
    """Largest absolute value of each feature, beyond which nothing is generated `(n_features,)`."""
    history: list[EpochEnd] = field(default_factory=list)


def build(config: DiffAugConfig, *, n_features: int, seed: int, device: torch.device) -> TrainState:
    """Make networks with reproducible weights.

    Parameters
    ----------
    config
        Their shapes.
    n_features
        Width of a row.
    seed
        Seed of the weights.
    device
        Where they go; weights are drawn on the CPU, so that a seed means the same everywhere.
    """
    n_latent = config.encoder.n_latent
    with seeded_initialisation(seed):
        encoder = MLPEncoder(n_features, config.encoder)
        projector = Projector(config.encoder)
        denoiser = MLPDenoiser(n_features, n_latent, config.generator)
    diffusion = GaussianDiffusion(
        schedule=config.generator.schedule,
        n_steps=config.generator.n_steps,
        prediction=config.generator.prediction,
    )
    return TrainState(
        encoder=encoder.to(device),
        projector=projector.to(device),
        denoiser=denoiser.to(device),
        averaged_denoiser=copy.deepcopy(denoiser).to(device).requires_grad_(requires_grad=False),
        diffusion=diffusion.to(device),
        condition_mean=torch.zeros(n_latent, device=device),
        condition_std=torch.ones(n_latent, device=device),
        limits=torch.full((n_features,), math.inf, device=device),
    )


def train(
    rows: Rows,
    config: DiffAugConfig,
    *,
    neighbors: Tensor | None,
    seed: int,
    precision: torch.dtype,
    callbacks: Sequence[Callback] = (),
) -> TrainState:
    """Train encoder and generator in turn (paper, algorithm 1).

    Parameters
    ----------
    rows
        Preprocessed rows of about unit variance; `rows.device` is where everything runs.
    config
        The whole configuration, resolved.
    neighbors
        Row numbers of each row's neighbors, for the neighbor views.
    seed
        Seed of weights, split, order, views and sampling.
    precision
        Type that networks compute in.
    callbacks
        Called after every epoch.

    Returns
    -------
    The trained networks with their history.

    Raises
    ------
    TrainingError
        If a loss is no longer finite.
    """
    device = rows.device
    train_rows, held_out_rows = split_rows(rows.shape[0], config.train.validation_fraction, seed=seed)
    fit = Fit(
        config=config,
        rows=rows,
        neighbors=neighbors,
        train_rows=train_rows.to(device),
        held_out_rows=held_out_rows.to(device),
        generator=seeded_generator(seed, device),
        seed=seed,
        precision=precision,
        callbacks=callbacks,
    )
    state = build(config, n_features=rows.shape[1], seed=seed, device=device)
    state.limits = feature_limits(rows)
    train_encoder(fit, state, positives=None, round_=0)
    for round_ in range(1, config.train.rounds + 1):
        conditions = standardise_conditions(fit, state)
        train_generator(fit, state, conditions, round_=round_)
        positives = refresh_positives(fit, state, conditions)
        train_encoder(fit, state, positives=positives, round_=round_)
    return state


def train_encoder(fit: Fit, state: TrainState, *, positives: Rows | None, round_: int) -> None:
    """Train encoder and projector on two views of each row.

    Parameters
    ----------
    fit, state
        The fit and its networks.
    positives
        A generated row for each row, or nothing in the warm-up.
    round_
        0 in the warm-up.
    """
    settings = fit.config.train

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        x = fit.rows.take(indices)
        other = x
        if positives is not None:
            other = views.choose_generated(
                x,
                positives.take(indices),
                fraction=settings.generated_fraction,
                generator=generator,
            )
        pair = torch.cat(
            [
                _simple_view(fit, indices, x, generator),
                _simple_view(fit, indices, other, generator),
            ]
        )
        with fit.autocast():
            y = state.encoder(pair)
            z = state.projector(y)
        (y_first, _), (z_first, z_other) = y.chunk(2), z.chunk(2)
        return contrastive_loss(y_first, z_first, z_other, fit.config.loss)

    run_phase(
        fit,
        state.history,
        phase="warm_up" if positives is None else "encoder",
        round_=round_,
        trained=[state.encoder, state.projector],
        loss=loss,
        after_step=lambda _: None,
    )


def train_generator(fit: Fit, state: TrainState, conditions: Tensor, *, round_: int) -> None:
    """Train the denoiser on rows and their conditions, the encoder frozen (paper, eq. 8).

    Parameters
    ----------
    fit, state
        The fit and its networks.
    conditions
        Standardised embeddings of all rows. Shape: `(n_rows, n_latent)`.
    round_
        From 1.
    """
    settings = fit.config.generator

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        x0 = fit.rows.take(indices)
        device = x0.device
        t = torch.randint(settings.n_steps, (len(x0),), generator=generator, device=device)
        noise = torch.randn(x0.shape, generator=generator, device=device)
        kept = torch.rand((len(x0), 1), generator=generator, device=device)
        condition = conditions[indices] * (kept >= settings.condition_dropout)
        # Held-out rows are scored with the weights that will sample.
        denoiser = state.denoiser if state.denoiser.training else state.averaged_denoiser
        with fit.autocast():
            return state.diffusion.loss(denoiser, x0, t, noise, condition).mean()

    def average(step: int) -> None:
        # A young average forgets its random start faster.
        decay = min(settings.ema_decay, (1 + step) / (10 + step))
        update_average(state.averaged_denoiser, state.denoiser, decay=decay)

    run_phase(
        fit,
        state.history,
        phase="generator",
        round_=round_,
        trained=[state.denoiser, state.averaged_denoiser],
        loss=loss,
        after_step=average,
    )


def standardise_conditions(fit: Fit, state: TrainState) -> Tensor:
    """Embed all rows, and bring each column to mean 0 and variance 1 for the generator.

    Mean and deviation are kept in the state, since later rows have to be treated alike.

    Returns
    -------
    Conditions. Shape: `(n_rows, n_latent)`.
    """
    y = encode(state.encoder, fit.rows)
    state.condition_mean = y.mean(0)
    # A dead column carries nothing: it becomes 0 rather than rounding noise blown up.
    state.condition_std = y.std(0).clamp_min(1e-6)
    return (y - state.condition_mean) / state.condition_std


def refresh_positives(fit: Fit, state: TrainState, conditions: Tensor) -> DenseRows:
    """Generate a row from each row's condition, with the averaged weights.

    Returns
    -------
    Generated rows, as many and as wide as the fit's.
    """
    n_rows, n_features = fit.rows.shape
    bank = torch.empty((n_rows, n_features), device=fit.rows.device)
    settings = fit.config.generator
    with eval_mode(state.averaged_denoiser), fit.autocast():
        for start in range(0, n_rows, _BLOCK):
            bank[start : start + _BLOCK] = state.diffusion.sample(
                state.averaged_denoiser,
                conditions[start : start + _BLOCK],
                limits=state.limits,
                n_steps=settings.n_sampling_steps,
                sampler=settings.sampler,
                guidance=settings.guidance,
                generator=fit.generator,
            )
    return DenseRows(bank)


def feature_limits(rows: Rows) -> Tensor:
    """Find the largest absolute value of each feature, block by block; shape `(n_features,)`."""
    limits = torch.zeros(rows.shape[1], device=rows.device)
    for block in torch.split(torch.arange(rows.shape[0], device=rows.device), _BLOCK):
        limits = torch.maximum(limits, rows.take(block).abs().amax(0))
    return limits


def encode(encoder: nn.Module, rows: Rows) -> Tensor:
    """Embed all rows in float32, block by block.

    Returns
    -------
    Embeddings on the rows' device. Shape: `(n_rows, n_latent)`.
    """
    every = torch.arange(rows.shape[0], device=rows.device)
    with eval_mode(encoder):
        return torch.cat([encoder(rows.take(block)) for block in torch.split(every, _BLOCK)])


def contrastive_loss(y: Tensor, z: Tensor, z_positive: Tensor, config: LossConfig) -> Tensor:
    """Apply the configured loss; shapes as in :func:`~diffaug_bio.core.losses.soft_contrastive_loss`."""
    if config.name == "info_nce":
        return info_nce(z, z_positive, temperature=config.temperature)
    degrees_y = config.degrees_y if config.name == "soft_contrastive" else math.inf
    return soft_contrastive_loss(y, z, z_positive, degrees_y=degrees_y, degrees_z=config.degrees_z)


def update_average(average: nn.Module, module: nn.Module, *, decay: float) -> None:
    """Move an exponential moving average of weights: `average = decay * average + (1 - decay) * new`."""
    with torch.no_grad():
        for target, source in zip(average.parameters(), module.parameters(), strict=True):
            target.lerp_(source, 1 - decay)


def _simple_view(fit: Fit, indices: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
    """Apply the configured hand-made view to rows `x` that stand at `indices`."""
    settings = fit.config.train
    if settings.warmup_view == "gaussian":
        return views.gaussian(x, strength=settings.view_strength, generator=generator)
    if settings.warmup_view == "feature_mask":
        return views.feature_mask(x, strength=settings.view_strength, generator=generator)
    if settings.warmup_view == "neighbor_noise":
        first, second = (_random_neighbors(fit, indices, generator) for _ in range(2))
        return views.neighbor_noise(x, first, second, strength=settings.view_strength)
    return views.neighbor_mix(
        x,
        _random_neighbors(fit, indices, generator),
        strength=settings.view_strength,
        generator=generator,
    )


def _random_neighbors(fit: Fit, indices: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one of the neighbors of each row."""
    if fit.neighbors is None:
        msg = f"The view {fit.config.train.warmup_view!r} needs the neighbors of every row."
        raise ValueError(msg)
    n_neighbors = fit.neighbors.shape[1]
    column = torch.randint(n_neighbors, (len(indices),), generator=generator, device=indices.device)
    return fit.rows.take(fit.neighbors[indices, column])
