"""Progress on standard error: a bar on a terminal, else a line at the end of each phase."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from ._signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from diffaug_bio.core.phases import Callback, EpochEnd
    from diffaug_bio.runs import ScoringStep

logger = logging.getLogger("diffaug_bio.progress")


class FitProgress(NamedTuple):
    """Callbacks that show how far a fit is: after every epoch, and before every step of scoring."""

    callbacks: Sequence[Callback]
    on_score: Callable[[ScoringStep], None]


@contextmanager
def fit_progress(*, quiet: bool) -> Iterator[FitProgress]:
    """Show progress while the block runs, and end it if a signal was swallowed."""
    from diffaug_bio.model.progress import describe, epochs_shown, progress_bar

    check = click.get_current_context().ensure_object(Interruption).check

    def log_epoch(event: EpochEnd, /) -> None:
        if event.ends_phase and not quiet:
            logger.info("%s", describe(event))

    with progress_bar(verbose=not quiet) as show:

        def on_score(step: ScoringStep) -> None:
            check()
            if show is not None:
                show(step.done / step.total, f"scoring {step.scored}: {step.step}")
            elif step.is_first and not quiet:
                logger.info("scoring %s: step %d of %d", step.scored, step.done + 1, step.total)

        shown = () if show is None else (epochs_shown(show),)
        yield FitProgress([check, log_epoch, *shown], on_score)
