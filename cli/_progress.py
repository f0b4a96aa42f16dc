"""Progress on standard error: a bar on a terminal, else a line at the end of each phase."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffaug_bio.core.phases import Callback, EpochEnd

logger = logging.getLogger("diffaug_bio.progress")

_TITLES = {"warm_up": "warm-up", "decoder": "decoder", "generator": "generator", "encoder": "encoder"}


@contextmanager
def training_progress(*, quiet: bool) -> Iterator[list[Callback]]:
    """Give the callbacks that show progress while the block runs."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield []
    elif console.is_terminal:
        with _bar(console) as callback:
            yield [callback]
    else:
        yield [_log_phase_end]


@contextmanager
def _bar(console: object) -> Iterator[Callback]:
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
            description = "embedding, scoring, writing" if done else _describe(event)
            progress.update(task, completed=event.progress, description=description)
            _log_phase_end(event)

        yield show


def _log_phase_end(event: EpochEnd, /) -> None:
    """Log the last epoch of a phase."""
    if event.ends_phase:
        logger.info("%s", _describe(event))


def _describe(event: EpochEnd) -> str:
    """One line about an epoch."""
    name = _TITLES[event.phase] + (f", round {event.round}" if event.round else "")
    held_out = "" if math.isnan(event.held_out_loss) else f", held out {event.held_out_loss:.3f}"
    early = " (stopped early)" if event.ends_phase and event.epoch < event.n_epochs else ""
    return f"{name}: epoch {event.epoch}/{event.n_epochs}{early}, loss {event.loss:.3f}{held_out}"
