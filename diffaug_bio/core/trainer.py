"""Training: warm-up, then generator, newly generated positives and encoder, round by round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffaug_bio.config.kinds import decided
from diffaug_bio.core import views
from diffaug_bio.core.batches import split_rows
from diffaug_bio.core.generation import (
    code_rows,
    feature_limits,
    feature_scale,
    generate_bank,
    standardise_conditions,
    train_decoder,
    train_generator,
)
from diffaug_bio.core.integration import shift_penalty
from diffaug_bio.core.objectives import build_objective
from diffaug_bio.core.phases import Fit, run_phase
from diffaug_bio.core.state import build, check_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.core.integration import Batches
    from diffaug_bio.core.objectives import Objective
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.state import TrainState


def train(
    rows: Rows,
    config: DiffAugConfig,
    source: Input,
    *,
    neighbors: Tensor | None,
    seed: int,
    precision: torch.dtype,
    callbacks: Sequence[Callback] = (),
    on_step: Callable[[], None] = lambda: None,
    batches: Batches | None = None,
) -> TrainState:
    """Train encoder and generator in turn (paper, algorithm 1); `config` has all settings decided.

    Rows, on the device of the training, are preprocessed and of about unit variance, or tokens, or pixels.
    `neighbors` numbers each row's nearest neighbours, for views that use them. Raises InputError if the
    networks are too large for any machine, and TrainingError if a loss or a weight is not finite.
    """
    check_size(config, source)
    device = rows.device
    train_rows, held_out_rows = split_rows(rows.shape[0], config.train.validation_fraction, seed=seed)
    fit = Fit(
        config=config,
        source=source,
        rows=rows,
        neighbors=neighbors,
        train_rows=train_rows.to(device),
        held_out_rows=held_out_rows.to(device),
        seed=seed,
        precision=precision,
        callbacks=callbacks,
        on_step=on_step,
        batches=batches,
    )
    state = build(config, source, seed=seed, device=device)
    codes = code_rows(state, rows)
    state.limits = feature_limits(codes)
    state.code_scale = feature_scale(codes, config.generator.whitening)
    objective = build_objective(
        config,
        state.encoder,
        state.projector,
        state.codec,
        n_codes=codes.shape[1],
        seed=seed,
        autocast=fit.autocast,
    )
    train_encoder(fit, state, objective, bank=None, round_=0)
    has_generator = config.train.has_generator
    if has_generator:
        train_decoder(fit, state, codes)
    for round_ in range(1, config.train.rounds + 1):
        bank = None
        if has_generator:
            conditions = standardise_conditions(fit, state)
            train_generator(fit, state, codes, conditions, round_=round_)
            bank = generate_bank(fit, state, codes, conditions, round_=round_)
        train_encoder(fit, state, objective, bank=bank, round_=round_)
    return state


def train_encoder(
    fit: Fit, state: TrainState, objective: Objective, *, bank: Rows | None, round_: int
) -> None:
    """Train the encoder on two views of each row; `round_` is 0 in the warm-up.

    `bank` holds the rows of :func:`generate_bank`; without it, views are hand-made only.
    """

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        x = fit.rows.take(indices)
        # Drawn with and without a bank, so that the views' noise is the same.
        chance = torch.rand((len(x), 4), generator=generator, device=x.device)
        first = other = x
        if fit.batches is not None:
            other = _choose_partner(fit, fit.batches, indices, x, generator)
        if bank is not None:
            other = _choose_generated(fit, bank, indices, other, chance[:, :2])
            if fit.config.train.generated_views == "both":
                first = _choose_generated(fit, bank, indices, x, chance[:, 2:])
        first, other = (_simple_view(fit, indices, view, generator) for view in (first, other))
        value = objective.loss(x, torch.cat([first, other]))
        if fit.batches is not None and (weight := fit.batches.config.shift_weight):
            shift, confidence = fit.batches.shift[indices], fit.batches.confidence[indices]
            with fit.autocast():
                value = value + weight * shift_penalty(state.encoder, first, shift, confidence)
        return value

    run_phase(
        fit,
        state.history,
        phase="encoder" if round_ else "warm_up",
        round_=round_,
        trained=objective.trained,
        loss=loss,
        after_step=objective.after_step,
        keeps_best=objective.keeps_best,
    )


def _choose_partner(
    fit: Fit, batches: Batches, indices: Tensor, x: Tensor, generator: torch.Generator
) -> Tensor:
    """Replace rows by matches in other batches: `partner_fraction` times the confidence of a match."""
    partners = fit.rows.take(batches.draw(indices, generator))
    chance = torch.rand(len(x), generator=generator, device=x.device)
    likely = batches.config.partner_fraction * batches.confidence[indices]
    return torch.where((chance < likely)[:, None], partners, x)


def _choose_generated(fit: Fit, bank: Rows, indices: Tensor, x: Tensor, chance: Tensor) -> Tensor:
    """Replace each row with probability `generated_fraction` by a row generated from it.

    `chance` holds two uniform numbers for each row: one decides about replacing, one chooses the generated
    row. With batches, rows that have matches there are generated in other batches, and the probability
    moves to `counterfactual_fraction` with the confidence of a match.
    """
    settings = fit.config.train
    likely = torch.full_like(chance[:, :1], settings.generated_fraction)
    if fit.batches is not None:
        others = fit.batches.config.counterfactual_fraction
        likely = likely.lerp(torch.full_like(likely, others), fit.batches.confidence[indices][:, None])
    entry = (chance[:, 1] * settings.bank_size).long()
    generated = bank.take(entry * fit.rows.shape[0] + indices)
    return torch.where(chance[:, :1] < likely, generated, x)


def _simple_view(fit: Fit, indices: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
    """Apply the configured hand-made view to the rows `x` with the numbers `indices`."""
    settings = fit.config.train
    strength = decided(settings.view_strength)
    if view := fit.source.view(settings.warmup_view):
        return view(x, strength=strength, generator=generator)
    if settings.warmup_view == "neighbor_noise":
        first, second = (_random_neighbors(fit, indices, generator) for _ in range(2))
        moved = views.neighbor_noise(x, first, second, strength=strength)
        return fit.source.limited(moved)
    if settings.warmup_view == "neighbor_mix":
        neighbors = _random_neighbors(fit, indices, generator)
        return views.neighbor_mix(x, neighbors, strength=strength, generator=generator)
    msg = f"View {settings.warmup_view!r} is named in `config/kinds.py`, and missing in `core/inputs.py`."
    raise ValueError(msg)


def _random_neighbors(fit: Fit, indices: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one of the nearest neighbours of each row."""
    if fit.neighbors is None:
        msg = f"The view {fit.config.train.warmup_view!r} needs the nearest neighbours of every row."
        raise ValueError(msg)
    n_neighbors = fit.neighbors.shape[1]
    column = torch.randint(n_neighbors, (len(indices),), generator=generator, device=indices.device)
    return fit.rows.take(fit.neighbors[indices, column])
