"""Training loop of all phases: epochs, schedule, held-out loss, early stopping, events."""

from __future__ import annotations

import copy
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor, nn

from diffaug_bio.core.batches import iterate_batches, n_batches
from diffaug_bio.core.runtime import eval_mode, seeded_generator
from diffaug_bio.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.core.integration import Batches

DECODER_EPOCHS = 20  # from the generator's codes to letters, before the first round

Phase = Literal["warm_up", "decoder", "generator", "encoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnd:
    """Event that callbacks get after every epoch."""

    phase: Phase
    round: int
    """Number of the round, from 1; 0 in the warm-up and for the decoder."""
    epoch: int
    """Number of the epoch, from 1."""
    n_epochs: int
    """Epochs planned for this phase."""
    loss: float
    """Mean training loss of the epoch."""
    held_out_loss: float
    """Mean loss of the held-out rows; NaN if there are none."""
    seconds: float
    """Duration of the epoch."""
    progress: float
    """Share of all planned epochs that are done."""
    ends_phase: bool
    """True for the last epoch of a phase."""


class Callback(Protocol):
    """Function called after every epoch."""

    def __call__(self, event: EpochEnd, /) -> None:
        """Handle the end of an epoch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Data and settings that stay the same during one fit."""

    config: DiffAugConfig
    source: Input
    rows: Rows
    neighbors: Tensor | None
    """Row numbers of each row's nearest neighbours `(n_rows, n_neighbors)`, for views that use them."""
    train_rows: Tensor
    held_out_rows: Tensor
    seed: int
    precision: torch.dtype
    callbacks: Sequence[Callback]
    on_step: Callable[[], None]
    batches: Batches | None = None

    def autocast(self) -> AbstractContextManager[object]:
        """Run networks in the resolved precision; losses stay in float32."""
        if self.precision == torch.float32:
            return nullcontext()
        return torch.autocast(self.rows.device.type, dtype=self.precision)

    def stream(self, *name: str | int) -> torch.Generator:
        """Make random numbers for one use, whatever other uses have drawn."""
        return seeded_generator(self.seed, self.rows.device, *name)


def configured_epochs(phase: Phase, config: DiffAugConfig) -> int:
    """Look up the configured epochs of a phase."""
    settings = config.train
    return {
        "warm_up": settings.warmup_epochs,
        "decoder": DECODER_EPOCHS,
        "generator": settings.generator_epochs,
        "encoder": settings.encoder_epochs,
    }[phase]


def planned_epochs(phase: Phase, n_train: int, config: DiffAugConfig) -> int:
    """Compute the epochs of a phase: as configured, or more to reach `min_steps` steps."""
    settings = config.train
    least = math.ceil(settings.min_steps / n_batches(n_train, settings.batch_size))
    return max(configured_epochs(phase, config), least)


def run_phase(
    fit: Fit,
    history: list[EpochEnd],
    *,
    phase: Phase,
    round_: int,
    trained: list[nn.Module],
    loss: Callable[[Tensor, torch.Generator], Tensor],
    after_step: Callable[[int], None],
    keeps_best: bool = True,
) -> None:
    """Train one phase, stop early by the held-out loss, and keep the best weights.

    `loss` computes the loss, a scalar, of the rows with some numbers, and draws random numbers from the
    generator. `after_step` gets the number of the step, from 0. Without `keeps_best` all epochs run, and
    the last weights stay. Raises TrainingError if a loss, or a weight, is no longer finite.
    """
    settings = fit.config.train
    n_epochs = planned_epochs(phase, len(fit.train_rows), fit.config)
    n_steps = n_batches(len(fit.train_rows), settings.batch_size)
    optimizer, scheduler = _optimizer(fit, trained, n_steps=n_epochs * n_steps)
    module = nn.ModuleList(trained)
    # If `min_steps` stretches a phase, it stretches the patience as well.
    patience = math.ceil(settings.patience * n_epochs / configured_epochs(phase, fit.config))
    best_loss, best_weights, best_epoch = math.inf, None, 0
    # Two streams, so that the random numbers of views do not change the batches.
    order, noise = (fit.stream(phase, round_, use) for use in ("order", "noise"))
    for epoch in range(1, n_epochs + 1):
        started = time.perf_counter()
        module.train()
        # Summed on the device: reading a loss at every step would stall an accelerator.
        total = torch.zeros((), device=fit.rows.device)
        batches = iterate_batches(fit.train_rows, settings.batch_size, generator=order)
        for step, indices in enumerate(batches, start=(epoch - 1) * n_steps):
            optimizer.zero_grad(set_to_none=True)
            value = loss(indices, noise)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            after_step(step)
            fit.on_step()
            total += value.detach()
        held_out_loss = _held_out_loss(fit, trained, loss)
        if keeps_best and held_out_loss < best_loss:
            best_loss, best_epoch = held_out_loss, epoch
            best_weights = copy.deepcopy(module.state_dict())
        # The loss rises and falls with the learning rate, so patience counts in the second half only.
        waited = epoch - max(best_epoch, n_epochs // 2)
        ends = epoch == n_epochs or (best_weights is not None and 0 < patience <= waited)
        event = EpochEnd(
            phase=phase,
            round=round_,
            epoch=epoch,
            n_epochs=n_epochs,
            loss=float(total) / n_steps,
            held_out_loss=held_out_loss,
            seconds=time.perf_counter() - started,
            progress=_progress(fit, phase=phase, round_=round_, epoch=n_epochs if ends else epoch),
            ends_phase=ends,
        )
        history.append(event)
        for callback in fit.callbacks:
            callback(event)
        losses = [event.loss, held_out_loss] if len(fit.held_out_rows) else [event.loss]
        if broken := [value for value in losses if not math.isfinite(value)]:
            msg = (
                f"The loss became {broken[0]} in epoch {epoch} of the {phase} phase. Look for extreme "
                f"values in the data, or lower `learning_rate` ({settings.learning_rate})."
            )
            raise TrainingError(msg)
        if event.ends_phase:
            break
    if best_weights is not None:
        module.load_state_dict(best_weights)
    # The last loss was that of the weights before the last step.
    if not all(torch.isfinite(values).all() for values in module.state_dict().values()):
        msg = (
            f"Weights are not finite at the end of the {phase} phase. Look for extreme values in the data, "
            f"or lower `learning_rate` ({settings.learning_rate})."
        )
        raise TrainingError(msg)


def _optimizer(
    fit: Fit, trained: list[nn.Module], *, n_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Make AdamW with the configured schedule over the steps of one phase."""
    settings = fit.config.train
    parameters = [p for module in trained for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    if settings.learning_rate_schedule == "step":
        # Multiplied by 0.8 at every tenth of the phase (paper, appendix B).
        scheduler: torch.optim.lr_scheduler.LRScheduler = torch.optim.lr_scheduler.StepLR(
            optimizer, step_size=max(1, n_steps // 10), gamma=0.8
        )
    else:
        # OneCycleLR divides by zero where its rise takes exactly one step.
        rise = max(2, round(0.1 * n_steps))
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=settings.learning_rate,
            total_steps=n_steps + 2,
            pct_start=rise / (n_steps + 2),
        )
    return optimizer, scheduler


def _held_out_loss(
    fit: Fit, trained: list[nn.Module], loss: Callable[[Tensor, torch.Generator], Tensor]
) -> float:
    """Compute the mean loss of the held-out rows, with the same noise in every epoch."""
    if len(fit.held_out_rows) == 0:
        return math.nan
    generator = fit.stream("held_out")
    with eval_mode(*trained):
        losses = [
            loss(indices, generator)
            for indices in iterate_batches(
                fit.held_out_rows, fit.config.train.batch_size, generator=generator
            )
        ]
        return float(torch.stack(losses).mean())


def _progress(fit: Fit, *, phase: Phase, round_: int, epoch: int) -> float:
    """Compute the share of all planned epochs that are done; phases that ended early count whole."""
    n_train, settings = len(fit.train_rows), fit.config.train
    warm_up, decoder, generator, encoder = (
        planned_epochs(name, n_train, fit.config) for name in ("warm_up", "decoder", "generator", "encoder")
    )
    if not settings.has_generator:
        generator = 0
    if not fit.source.has_decoder or not settings.has_generator:
        decoder = 0
    total = warm_up + decoder + settings.rounds * (generator + encoder)
    if phase == "warm_up":
        return epoch / total
    if phase == "decoder":
        return (warm_up + epoch) / total
    before = warm_up + decoder + (round_ - 1) * (generator + encoder)
    return (before + epoch + (generator if phase == "encoder" else 0)) / total
