"""The generator: its conditions, its training, and the rows that it makes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffaug_bio.core.batches import DenseRows
from diffaug_bio.core.objectives import update_average
from diffaug_bio.core.phases import run_phase
from diffaug_bio.core.runtime import eval_mode
from diffaug_bio.core.state import BLOCK, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.phases import Fit
    from diffaug_bio.core.state import TrainState


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
    # A stream of its own, so that this noise changes nothing but the conditions.
    condition_stream = fit.stream("condition_noise", round_)

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        x0 = fit.rows.take(indices)
        device = x0.device
        t = torch.randint(settings.n_steps, (len(x0),), generator=generator, device=device)
        noise = torch.randn(x0.shape, generator=generator, device=device)
        kept = torch.rand((len(x0), 1), generator=generator, device=device)
        stream = condition_stream if state.denoiser.training else generator
        condition = _noised_conditions(conditions[indices], settings.condition_noise, stream)
        condition = condition * (kept >= settings.condition_dropout)
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
    Conditions. Shape: `(n_rows, n_condition)`.
    """
    y = _unscaled_conditions(state, fit.rows, fit.config)
    state.condition_mean = y.mean(0)
    # A dead column carries nothing: it becomes 0 rather than rounding noise blown up.
    state.condition_std = y.std(0).clamp_min(1e-6)
    return (y - state.condition_mean) / state.condition_std


def generate_bank(fit: Fit, state: TrainState, conditions: Tensor, *, round_: int) -> DenseRows:
    """Generate `bank_size` rows from each row's condition, with the averaged weights.

    Returns
    -------
    Generated rows, as wide as the fit's: the first of every row, then the second of every row, and so on.
    """
    generator, condition_stream = fit.stream("bank", round_), fit.stream("bank_conditions", round_)
    entries = [
        generate(
            state,
            fit.rows,
            conditions,
            fit.config,
            generator=generator,
            condition_stream=condition_stream,
            autocast=fit.autocast,
        )
        for _ in range(fit.config.train.bank_size)
    ]
    return DenseRows(entries[0] if len(entries) == 1 else torch.cat(entries))


def generate(
    state: TrainState,
    rows: Rows,
    conditions: Tensor,
    config: DiffAugConfig,
    *,
    generator: torch.Generator,
    condition_stream: torch.Generator,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Tensor:
    """Generate a row from each row's condition.

    Parameters
    ----------
    state
        The trained networks.
    rows
        Where partial noising starts from.
    conditions
        Standardised conditions of the rows. Shape: `(n_rows, n_condition)`.
    config
        Its `generator` says how to sample.
    generator, condition_stream
        Source of the sampler's noise, and of that on the conditions.
    autocast
        Context in which the denoiser runs.

    Returns
    -------
    Shape: `(n_rows, n_features)`.
    """
    settings = config.generator
    generated = torch.empty(rows.shape, device=rows.device)
    every = torch.arange(rows.shape[0], device=rows.device)
    with eval_mode(state.averaged_denoiser), autocast():
        for block in torch.split(every, BLOCK):
            generated[block] = state.diffusion.sample(
                state.averaged_denoiser,
                _noised_conditions(conditions[block], settings.condition_noise, condition_stream),
                limits=state.limits,
                n_steps=settings.n_sampling_steps,
                sampler=settings.sampler,
                guidance=settings.guidance,
                generator=generator,
                start=rows.take(block) if settings.noising < 1 else None,
                noising=settings.noising,
            )
    return generated


def conditions_of(state: TrainState, rows: Rows, config: DiffAugConfig) -> Tensor:
    """Compute conditions of any rows, standardised as those of the training.

    Returns
    -------
    Shape: `(n_rows, n_condition)`.
    """
    return (_unscaled_conditions(state, rows, config) - state.condition_mean) / state.condition_std


def feature_limits(rows: Rows) -> Tensor:
    """Find the largest absolute value of each feature, block by block; shape `(n_features,)`."""
    limits = torch.zeros(rows.shape[1], device=rows.device)
    for block in torch.split(torch.arange(rows.shape[0], device=rows.device), BLOCK):
        limits = torch.maximum(limits, rows.take(block).abs().amax(0))
    return limits


def _unscaled_conditions(state: TrainState, rows: Rows, config: DiffAugConfig) -> Tensor:
    """Compute what the generator is conditioned on, before it is standardised."""
    y = encode(state.encoder, rows)
    if config.generator.condition == "none":
        return torch.zeros_like(y)
    if config.generator.condition == "y":
        return y
    with eval_mode(state.projector):
        return torch.cat([state.projector(block) for block in torch.split(y, BLOCK)])


def _noised_conditions(conditions: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add noise to standardised conditions, if any is asked for."""
    if strength == 0:
        return conditions
    noise = torch.randn(conditions.shape, generator=generator, device=conditions.device)
    return conditions + strength * noise
