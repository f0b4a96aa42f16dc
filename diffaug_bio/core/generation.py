"""Generator: its codes and conditions, its training, and the rows that it generates."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffaug_bio.config.kinds import decided
from diffaug_bio.core.batches import DenseRows
from diffaug_bio.core.codecs import FeatureCodec, SequenceCodec, coded
from diffaug_bio.core.integration import batch_codes
from diffaug_bio.core.objectives import update_average
from diffaug_bio.core.phases import run_phase
from diffaug_bio.core.runtime import eval_mode
from diffaug_bio.core.state import blocks, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from diffaug_bio.config import DiffAugConfig, Whitening
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.phases import Fit
    from diffaug_bio.core.state import TrainState

CONDITION_DROPOUT = 0.1  # share hidden in training: guidance needs a generator that can do without
_DEAD = 1e-12  # variance below which a feature counts as constant


def train_decoder(fit: Fit, state: TrainState, codes: Rows) -> None:
    """Train the decoder from codes to bases, if rows are sequences.

    It depends on no other network, and so is trained once. `codes` come from :func:`code_rows`.
    """
    if not isinstance(codec := state.codec, SequenceCodec):
        return

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        x = fit.rows.take(indices)
        with fit.autocast():
            return codec.loss(x, codes.take(indices))

    run_phase(
        fit,
        state.history,
        phase="decoder",
        round_=0,
        trained=[codec],
        loss=loss,
        after_step=lambda _: None,
    )


def code_rows(state: TrainState, rows: Rows) -> Rows:
    """Compute the codes of all rows, and keep them in memory unless they are cheap."""
    if (codes := coded(state.codec, rows)) is not None:
        return codes
    with eval_mode(state.codec):
        return DenseRows(torch.cat([state.codec.encode(rows.take(block)) for block in blocks(rows)]))


def train_generator(fit: Fit, state: TrainState, codes: Rows, conditions: Tensor, *, round_: int) -> None:
    """Train the denoiser on all rows' codes and standardised conditions, encoder frozen (paper, eq. 8)."""
    settings = fit.config.generator
    # Own random numbers, so that this noise affects the conditions only.
    condition_stream = fit.stream("condition_noise", round_)

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        x0 = codes.take(indices) / state.code_scale
        device = x0.device
        t = torch.randint(settings.n_steps, (len(x0),), generator=generator, device=device)
        noise = torch.randn(x0.shape, generator=generator, device=device)
        kept = torch.rand((len(x0), 1), generator=generator, device=device)
        stream = condition_stream if state.denoiser.training else generator
        condition, codes_of_batch = _named_batches(fit, indices, conditions, generator)
        condition = _noised_conditions(condition, settings.condition_noise, stream)
        condition = torch.cat([condition, codes_of_batch], 1) * (kept >= CONDITION_DROPOUT)
        # Held-out rows are scored with the averaged weights, which will sample.
        denoiser = state.denoiser if state.denoiser.training else state.averaged_denoiser
        with fit.autocast():
            return state.diffusion.loss(denoiser, x0, t, noise, condition).mean()

    def average(step: int) -> None:
        # At first the average forgets its random start faster.
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


def _named_batches(
    fit: Fit, indices: Tensor, conditions: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose conditions of rows, and make the codes of their batches.

    A row that has similar rows in other batches takes the condition of one of these. The embedding then
    tells nothing about the row's own batch, which only the batch code does. Some rows get no batch code, so
    that the generator also works for rows of an unknown batch.
    """
    device = conditions.device
    if (batches := fit.batches) is None:
        return conditions[indices], batch_codes(None, fit.config.batches, len(indices), device)
    chance = torch.rand((len(indices), 2), generator=generator, device=device)
    crossed = chance[:, 0] < batches.confidence[indices]
    sources = torch.where(crossed, batches.draw(indices, generator), indices)
    unknown = chance[:, 1] < CONDITION_DROPOUT
    number = torch.where(unknown, -1, batches.number[indices])
    return conditions[sources], batch_codes(number, fit.config.batches, len(indices), device)


def standardise_conditions(fit: Fit, state: TrainState) -> Tensor:
    """Embed all rows, and standardise each column for the generator; `(n_rows, n_condition)`.

    Means and standard deviations are kept in the state, for later rows.
    """
    y = _unscaled(state, encode(state.encoder, fit.rows), fit.config)
    state.condition_mean = y.mean(0)
    # A constant column becomes 0, not magnified rounding errors.
    state.condition_std = y.std(0).clamp_min(1e-6)
    return (y - state.condition_mean) / state.condition_std


def generate_bank(fit: Fit, state: TrainState, codes: Rows, conditions: Tensor, *, round_: int) -> Rows:
    """Generate `bank_size` rows from each row's condition, with the averaged weights.

    The bank holds the first row generated from every row, then the second from every row, and so on.
    """
    generator, condition_stream = fit.stream("bank", round_), fit.stream("bank_conditions", round_)
    letters = fit.stream("bank_letters", round_)
    entries = []
    for _ in range(fit.config.train.bank_size):
        generated = generate(
            state,
            codes,
            conditions,
            fit.config,
            generator=generator,
            condition_stream=condition_stream,
            autocast=fit.autocast,
            batch=None if fit.batches is None else fit.batches.targets(generator),
        )
        entries.append(decode(state, generated, fit.rows, generator=letters))
    return state.codec.rows(entries[0] if len(entries) == 1 else torch.cat(entries))


def generate(
    state: TrainState,
    codes: Rows,
    conditions: Tensor,
    config: DiffAugConfig,
    *,
    generator: torch.Generator,
    condition_stream: torch.Generator,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    batch: Tensor | None = None,
) -> Tensor:
    """Generate a code from each row's standardised condition; `(n_rows, n_codes)`.

    Partial noising starts from `codes`, those of the rows themselves. `condition_stream` draws the noise on
    conditions. `batch`, `(n_rows,)`, is the number of the batch to generate each row in, -1 for none.
    """
    settings = config.generator
    generated = torch.empty(codes.shape, device=codes.device)
    with eval_mode(state.averaged_denoiser), autocast():
        for block in blocks(codes):
            number = None if batch is None else batch[block]
            codes_of_batch = batch_codes(number, config.batches, len(block), codes.device)
            noised = _noised_conditions(conditions[block], settings.condition_noise, condition_stream)
            start = codes.take(block) / state.code_scale if decided(settings.noising) < 1 else None
            generated[block] = state.code_scale * state.diffusion.sample(
                state.averaged_denoiser,
                torch.cat([noised, codes_of_batch], 1),
                limits=state.limits / state.code_scale,
                n_steps=settings.n_sampling_steps,
                sampler=settings.sampler,
                guidance=settings.guidance,
                generator=generator,
                start=start,
                noising=decided(settings.noising),
            )
    return generated


def decode(state: TrainState, codes: Tensor, rows: Rows, *, generator: torch.Generator) -> Tensor:
    """Decode codes generated from `rows` into rows: float32, or bytes for tokens and pixels.

    Codes of features are rows already. For sequences, `generator` draws the bases.
    """
    if isinstance(state.codec, FeatureCodec):
        return codes
    kept: Tensor | None = None
    with eval_mode(state.codec):
        for block in blocks(rows):
            part = state.codec.decode(codes[block], source=rows.take(block), generator=generator)
            if kept is None:  # filled in place, as concatenating takes twice the memory
                kept = torch.empty(rows.shape, dtype=part.dtype, device=part.device)
            kept[block] = part
    return codes if kept is None else kept


def conditions_of(state: TrainState, y: Tensor, config: DiffAugConfig) -> Tensor:
    """Compute the conditions of embeddings, standardised as in training; `(n_rows, n_condition)`."""
    return (_unscaled(state, y, config) - state.condition_mean) / state.condition_std


def feature_limits(rows: Rows) -> Tensor:
    """Find the largest absolute value of each feature, block by block; shape `(n_features,)`."""
    limits = torch.zeros(rows.shape[1], device=rows.device)
    for block in blocks(rows):
        limits = torch.maximum(limits, rows.take(block).abs().amax(0))
    return limits


def feature_scale(rows: Rows, whitening: Whitening) -> Tensor:
    """Compute the divisor of each feature before noise is added, block by block; `(n_features,)`.

    Standard deviations (`"full"`), their square roots (`"half"`), or ones; 1 for constant features.
    """
    ones = torch.ones(rows.shape[1], device=rows.device)
    if whitening not in {"half", "full"}:
        return ones
    # Relative to the first row, for precision of features far from 0; on the CPU, as not every accelerator
    # has float64.
    origin = sums = squares = torch.zeros(rows.shape[1], dtype=torch.float64)
    for number, block in enumerate(blocks(rows)):
        values = rows.take(block).cpu().double()
        origin = origin if number else values[0]
        moved = values - origin
        sums = sums + moved.sum(0)
        squares = squares + moved.square().sum(0)
    variance = squares / rows.shape[0] - (sums / rows.shape[0]).square()
    power = 0.5 if whitening == "full" else 0.25  # of the variance
    scale = variance.clamp_min(_DEAD).pow(power).float().to(rows.device)
    return torch.where((variance > _DEAD).to(rows.device), scale, ones)


def _unscaled(state: TrainState, y: Tensor, config: DiffAugConfig) -> Tensor:
    """Compute the generator's conditions from embeddings, before they are standardised.

    With the condition `y` these are the learned columns: the kept components would reveal the row itself.
    """
    if config.generator.condition != "z":
        learned = y[:, state.n_kept :]
        return torch.zeros_like(learned) if config.generator.condition == "none" else learned
    with eval_mode(state.projector):
        return torch.cat([state.projector(y[block]) for block in blocks(DenseRows(y))])


def _noised_conditions(conditions: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add noise to standardised conditions, if `strength` is above 0."""
    if strength == 0:
        return conditions
    noise = torch.randn(conditions.shape, generator=generator, device=conditions.device)
    return conditions + strength * noise
