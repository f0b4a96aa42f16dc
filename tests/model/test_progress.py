"""The bar of a fit: drawn for those who can see it, and gone at the end."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from diffaug_bio import DiffAug
from diffaug_bio.model.progress import fit_progress, progress_bar

if TYPE_CHECKING:
    import pytest
    from anndata import AnnData

    from diffaug_bio import DiffAugConfig


class Terminal(io.StringIO):
    """Standard error as on a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of standard error."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_fit_shows_phases_losses_and_time_left(
    monkeypatch: pytest.MonkeyPatch, counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    terminal = on_terminal(monkeypatch)
    with fit_progress() as callbacks:
        DiffAug(tiny_config, device="cpu").fit(counts.X, callbacks=callbacks)
    shown = terminal.getvalue()
    for part in ("warm-up: epoch 1/", "generator, round 1", "encoder, round 1", "loss ", "100 %", "<00:00"):
        assert part in shown
    assert not shown.rsplit("\r", 1)[-1].strip()  # the bar is removed


def test_another_task_begins_a_new_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with progress_bar() as show:
        assert show is not None
        for done, text in ((1.0, "training"), (0.0, "scoring"), (0.5, "half scored")):
            show(done, text)
    assert "half scored  50 %" in terminal.getvalue()


def test_nothing_is_drawn_where_nobody_looks_or_when_it_is_turned_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = on_terminal(monkeypatch)
    with fit_progress(verbose=False) as callbacks:
        assert callbacks == ()
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    with fit_progress() as callbacks:
        assert callbacks == ()
    assert terminal.getvalue() == ""
