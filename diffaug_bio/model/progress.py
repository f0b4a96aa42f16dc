"""Progress of a fit: a bar where there is a terminal or a notebook."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffaug_bio.core.phases import Callback, EpochEnd

_TITLES = {"warm_up": "warm-up", "decoder": "decoder", "generator": "generator", "encoder": "encoder"}


class Show(Protocol):
    """Moves a bar."""

    def __call__(self, done: float, text: str, /) -> None:
        """Show the share that is done (0 to 1), and name what is being done."""
        ...


def is_watched() -> bool:
    """Return True on a terminal and in a notebook, where a bar can be seen."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())


@contextmanager
def progress_bar(*, verbose: bool = True) -> Iterator[Show | None]:
    """Draw a bar while the block runs; yield the function that moves it, None where nobody would see it."""
    if not verbose or not is_watched():
        yield None
        return
    from tqdm.auto import tqdm

    shape = "{desc} {percentage:3.0f} %|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, desc="reading and preparing", leave=False, bar_format=shape) as bar:

        def show(done: float, text: str, /) -> None:
            if done < bar.n:  # another task begins, and with it another estimate of the time left
                bar.reset()
            bar.set_description_str(text, refresh=False)
            bar.update(done - bar.n)
            bar.refresh()

        yield show


@contextmanager
def fit_progress(*, verbose: bool = True) -> Iterator[tuple[Callback, ...]]:
    """Draw a bar while the block trains; yield the callbacks (one or none) that move it."""
    with progress_bar(verbose=verbose) as show:
        yield () if show is None else (epochs_shown(show),)


def epochs_shown(show: Show) -> Callback:
    """Return the callback of a fit that shows phase, round, epoch and loss in a bar."""

    def after_epoch(event: EpochEnd, /) -> None:
        done = event.ends_phase and event.progress >= 1
        show(event.progress, "embedding, writing" if done else describe(event))

    return after_epoch


def describe(event: EpochEnd) -> str:
    """Return a line with phase, round, epoch and losses."""
    name = _TITLES[event.phase] + (f", round {event.round}" if event.round else "")
    held_out = "" if math.isnan(event.held_out_loss) else f", held out {event.held_out_loss:.3f}"
    early = " (stopped early)" if event.ends_phase and event.epoch < event.n_epochs else ""
    return f"{name}: epoch {event.epoch}/{event.n_epochs}{early}, loss {event.loss:.3f}{held_out}"
