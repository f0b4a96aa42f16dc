"""Progress on standard error: a bar on a terminal, else a line at the end of each phase."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from ._signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from diffaug_bio.core.phases import Callback, EpochEnd
    from diffaug_bio.runs import ScoringStep

logger = logging.getLogger("diffaug_bio.progress")

_TITLES = {"warm_up": "warm-up", "decoder": "decoder", "generator": "generator", "encoder": "encoder"}


class FitProgress(NamedTuple):
    """What a fit tells."""

    callbacks: Sequence[Callback]
    """Called after every epoch."""
    on_score: Callable[[ScoringStep], None]
    """Called before every step of scoring."""


@contextmanager
def fit_progress(*, quiet: bool) -> Iterator[FitProgress]:
    """Show progress while the block runs, and let a signal that was swallowed end it."""
    from rich.console import Console

    check = click.get_current_context().ensure_object(Interruption).check
    console = Console(stderr=True)
    if quiet:
        yield FitProgress([check], check)
    elif console.is_terminal:
        with _bar(console) as (show, show_score):
            yield FitProgress([check, show], _both(check, show_score))
    else:
        yield FitProgress([check, _log_phase_end], _both(check, _log_scored))


@contextmanager
def _bar(console: object) -> Iterator[tuple[Callback, Callable[[ScoringStep], None]]]:
    """Draw a bar with phase, round, loss and time left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:  # type: ignore[arg-type]
        task = progress.add_task("reading and preparing", total=1.0)

        def show(event: EpochEnd, /) -> None:
            done = event.ends_phase and event.progress >= 1
            description = "embedding, writing" if done else _describe(event)
            progress.update(task, completed=event.progress, description=description)
            _log_phase_end(event)

        def show_score(step: ScoringStep) -> None:
            if step.done == 0:  # time left is that of scoring, not of training
                progress.reset(task, total=1.0)
            description = f"scoring {step.scored}: {step.step}"
            progress.update(task, completed=step.done / step.total, description=description)

        yield show, show_score


def _log_phase_end(event: EpochEnd, /) -> None:
    """Log the last epoch of a phase."""
    if event.ends_phase:
        logger.info("%s", _describe(event))


def _log_scored(step: ScoringStep) -> None:
    """Log what is scored next."""
    if step.is_first:
        logger.info("scoring %s: step %d of %d", step.scored, step.done + 1, step.total)


def _both(
    first: Callable[[object], None], second: Callable[[ScoringStep], None]
) -> Callable[[ScoringStep], None]:
    """Make one callback of two."""

    def call(step: ScoringStep) -> None:
        first(step)
        second(step)

    return call


def _describe(event: EpochEnd) -> str:
    """One line about an epoch."""
    name = _TITLES[event.phase] + (f", round {event.round}" if event.round else "")
    held_out = "" if math.isnan(event.held_out_loss) else f", held out {event.held_out_loss:.3f}"
    early = " (stopped early)" if event.ends_phase and event.epoch < event.n_epochs else ""
    return f"{name}: epoch {event.epoch}/{event.n_epochs}{early}, loss {event.loss:.3f}{held_out}"
