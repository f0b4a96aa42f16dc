"""Training in turn: warm-up, then generator, refreshed positives and encoder, round by round."""

from __future__ import annotations

import copy
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor, nn

from diffaug_bio.core import views
from diffaug_bio.core.batches import DenseRows, iterate_batches, n_batches, split_rows
from diffaug_bio.core.diffusion import GaussianDiffusion
from diffaug_bio.core.encoders import MLPEncoder, Projector
from diffaug_bio.core.generator import MLPDenoiser
from diffaug_bio.core.losses import info_nce, soft_contrastive_loss
from diffaug_bio.core.runtime import eval_mode, seeded_generator, seeded_initialisation
from diffaug_bio.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diffaug_bio.config import DiffAugConfig, LossConfig
    from diffaug_bio.core.batches import Rows

Phase = Literal["warm_up", "generator", "encoder"]

_BLOCK = 8192  # rows embedded or generated at once; bounds the memory of a pass over all rows


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnd:
    """What a callback is told after every epoch."""

    phase: Phase
    round: int
    """0 in the warm-up, then from 1."""
    epoch: int
    """From 1."""
    n_epochs: int
    """Epochs planned for this phase."""
    loss: float
    """Mean training loss of the epoch."""
    held_out_loss: float
    """Mean loss of the held-out rows, nan where there are none."""
    seconds: float
    """Duration of the epoch."""
    progress: float
    """Share of all planned epochs that is done."""
    ends_phase: bool
    """Whether this was the phase's last epoch."""


class Callback(Protocol):
    """Is called after every epoch."""

    def __call__(self, event: EpochEnd, /) -> None:
        """Take note of an epoch."""
        ...


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
    history: list[EpochEnd] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What stays the same during one fit."""

    config: DiffAugConfig
    rows: Rows
    neighbors: Tensor | None
    """Row numbers of each row's neighbors `(n_rows, n_neighbors)`; only neighbor views need them."""
    train_rows: Tensor
    held_out_rows: Tensor
    generator: torch.Generator
    seed: int
    precision: torch.dtype
    callbacks: Sequence[Callback]

    def autocast(self) -> AbstractContextManager[object]:
        """Run networks in the resolved precision; losses stay outside, in float32."""
        if self.precision == torch.float32:
            return nullcontext()
        return torch.autocast(self.rows.device.type, dtype=self.precision)


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
        The whole configuration.
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

    _run_phase(
        fit,
        state,
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
        with fit.autocast():
            return state.diffusion.loss(state.denoiser, x0, t, noise, condition).mean()

    def average(step: int) -> None:
        # A young average forgets its random start faster.
        decay = min(settings.ema_decay, (1 + step) / (10 + step))
        update_average(state.averaged_denoiser, state.denoiser, decay=decay)

    _run_phase(
        fit,
        state,
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
                n_features=n_features,
                n_steps=settings.n_sampling_steps,
                sampler=settings.sampler,
                guidance=settings.guidance,
                generator=fit.generator,
            )
    return DenseRows(bank)


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


def planned_epochs(phase: Phase, n_train: int, config: DiffAugConfig) -> int:
    """Epochs of a phase: as configured, or more where that would be fewer than `min_steps` steps."""
    settings = config.train
    epochs = {
        "warm_up": settings.warmup_epochs,
        "generator": settings.generator_epochs,
        "encoder": settings.encoder_epochs,
    }[phase]
    return max(epochs, math.ceil(settings.min_steps / n_batches(n_train, settings.batch_size)))


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


def _run_phase(
    fit: Fit,
    state: TrainState,
    *,
    phase: Phase,
    round_: int,
    trained: list[nn.Module],
    loss: Callable[[Tensor, torch.Generator], Tensor],
    after_step: Callable[[int], None],
) -> None:
    """Run one phase's epochs, stop early by the held-out loss and keep the best weights."""
    settings = fit.config.train
    n_epochs = planned_epochs(phase, len(fit.train_rows), fit.config)
    n_steps = n_batches(len(fit.train_rows), settings.batch_size)
    optimizer, scheduler = _optimizer(fit, trained, n_steps=n_epochs * n_steps)
    module = nn.ModuleList(trained)
    best_loss, best_weights, best_epoch = math.inf, None, 0
    for epoch in range(1, n_epochs + 1):
        started = time.perf_counter()
        module.train()
        # Summed on the device: reading a loss at every step would stall an accelerator.
        total = torch.zeros((), device=fit.rows.device)
        batches = iterate_batches(fit.train_rows, settings.batch_size, generator=fit.generator)
        for step, indices in enumerate(batches, start=(epoch - 1) * n_steps):
            optimizer.zero_grad(set_to_none=True)
            value = loss(indices, fit.generator)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            after_step(step)
            total += value.detach()
        held_out_loss = _held_out_loss(fit, trained, loss)
        if held_out_loss < best_loss:
            best_loss, best_epoch = held_out_loss, epoch
            best_weights = copy.deepcopy(module.state_dict())
        waited = epoch - best_epoch if best_weights else 0
        event = EpochEnd(
            phase=phase,
            round=round_,
            epoch=epoch,
            n_epochs=n_epochs,
            loss=float(total) / n_steps,
            held_out_loss=held_out_loss,
            seconds=time.perf_counter() - started,
            progress=_progress(fit, phase=phase, round_=round_, epoch=epoch),
            ends_phase=epoch == n_epochs or 0 < settings.patience <= waited,
        )
        state.history.append(event)
        for callback in fit.callbacks:
            callback(event)
        if not math.isfinite(event.loss):
            msg = (
                f"The loss became {event.loss} in epoch {epoch} of the {phase} phase. Look for extreme "
                f"values in the data, or lower `learning_rate` ({settings.learning_rate})."
            )
            raise TrainingError(msg)
        if event.ends_phase:
            break
    if best_weights is not None:
        module.load_state_dict(best_weights)


def _optimizer(
    fit: Fit, trained: list[nn.Module], *, n_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with the configured schedule over the steps of one phase."""
    settings = fit.config.train
    parameters = [p for module in trained for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    if settings.learning_rate_schedule == "step":
        # Times 0.8 at every tenth of the phase (paper, appendix B).
        scheduler: torch.optim.lr_scheduler.LRScheduler = torch.optim.lr_scheduler.StepLR(
            optimizer, step_size=max(1, n_steps // 10), gamma=0.8
        )
    else:
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=settings.learning_rate, total_steps=n_steps + 1, pct_start=0.1
        )
    return optimizer, scheduler


def _held_out_loss(
    fit: Fit, trained: list[nn.Module], loss: Callable[[Tensor, torch.Generator], Tensor]
) -> float:
    """Mean loss of the held-out rows; the same noise every time, so that epochs compare."""
    if len(fit.held_out_rows) == 0:
        return math.nan
    generator = seeded_generator(fit.seed, fit.rows.device)
    with eval_mode(*trained):
        losses = [
            loss(indices, generator)
            for indices in iterate_batches(
                fit.held_out_rows, fit.config.train.batch_size, generator=generator
            )
        ]
        return float(torch.stack(losses).mean())


def _progress(fit: Fit, *, phase: Phase, round_: int, epoch: int) -> float:
    """Share of all planned epochs that is done, phases that ended early counted whole."""
    n_train = len(fit.train_rows)
    warm_up, generator, encoder = (
        planned_epochs(name, n_train, fit.config) for name in ("warm_up", "generator", "encoder")
    )
    total = warm_up + fit.config.train.rounds * (generator + encoder)
    if phase == "warm_up":
        return epoch / total
    before = warm_up + (round_ - 1) * (generator + encoder)
    return (before + epoch + (generator if phase == "encoder" else 0)) / total
