"""Ctrl-C that waits for what must not be cut."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import anndata
import pytest

from diffaug_bio.io import write_h5ad
from diffaug_bio.output.files import added_files, staged_file, staged_folder
from diffaug_bio.output.interrupts import interrupts_held
from tests.conftest import make_counts

if TYPE_CHECKING:
    from pathlib import Path

    import h5py


def test_an_interrupt_waits_until_the_end_of_what_must_not_be_cut() -> None:
    done = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_held():  # noqa: PT012
            signal.raise_signal(signal.SIGINT)
            done.append("started")
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["started"]


def test_an_ignored_interrupt_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_is_not_forgotten_where_the_block_fails() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught, interrupts_held():  # noqa: PT012
            signal.raise_signal(signal.SIGINT)
            raise OSError("full")  # noqa: EM101
    finally:
        signal.signal(signal.SIGINT, before)
    assert str(caught.value.__context__) == "full"


def test_a_handler_that_goes_on_gets_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    write_elem = anndata.io.write_elem

    def interrupted(file: h5py.File, name: str, element: object) -> None:
        if not taken and name == "X":
            signal.raise_signal(signal.SIGINT)
        write_elem(file, name, element)

    monkeypatch.setattr(anndata.io, "write_elem", interrupted)
    before = signal.signal(signal.SIGINT, lambda number, _: taken.append(number))
    try:
        write_h5ad(tmp_path / "cells.h5ad", make_counts())
    finally:
        signal.signal(signal.SIGINT, before)
    assert taken == [signal.SIGINT]
    assert anndata.read_h5ad(tmp_path / "cells.h5ad").shape == make_counts().shape


@pytest.mark.skipif(os.name != "posix", reason="a timer that sends signals")
def test_an_interrupt_at_any_moment_leaves_no_half_file_and_no_complaint(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGALRM: signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT)),
    }
    target, adata = tmp_path / "cells.h5ad", make_counts()
    n_caught = 0
    try:
        for number in range(30):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001 * (number + 1))
                with staged_file(target) as stage:
                    write_h5ad(stage, adata)
            except KeyboardInterrupt:
                n_caught += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert n_caught
    assert {path.name for path in tmp_path.iterdir()} <= {"cells.h5ad"}
    assert capfd.readouterr() == ("", "")


def interrupt_once_there(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> None:
    """Have the first synchronisation after a file came into its place meet a Ctrl-C."""
    fsync = os.fsync
    done: list[Path] = []

    def interrupted(descriptor: int) -> None:
        if not done and path.is_file() and path.read_text() == text:
            done.append(path)
            signal.raise_signal(signal.SIGINT)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", interrupted)


@pytest.mark.parametrize("kind", ["new folder", "old folder", "added", "file"])
def test_an_interrupt_after_the_output_is_in_place_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    target = tmp_path / "run"
    if kind in {"old folder", "added"}:
        with staged_folder(target, overwrite=False) as stage:
            (stage / "a").write_text("old")
    opened = {"file": staged_file(target), "added": added_files(target)}.get(
        kind, staged_folder(target, overwrite=True)
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught, opened as stage:  # noqa: PT012
            (stage if kind == "file" else stage / "a").write_text("new")
            interrupt_once_there(monkeypatch, target if kind == "file" else target / "a", "new")
    finally:
        signal.signal(signal.SIGINT, before)
    assert str(target) in caught.value.__notes__[0]
    assert (target if kind == "file" else target / "a").read_text() == "new"
    assert not list(tmp_path.rglob(".*"))


def test_an_interrupt_of_a_part_of_an_output_promises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught, staged_file(tmp_path / "a") as outer:  # noqa: PT012
            interrupt_once_there(monkeypatch, outer, "part")
            with staged_file(outer) as inner:
                inner.write_text("part")
    finally:
        signal.signal(signal.SIGINT, before)
    assert not getattr(caught.value, "__notes__", [])
    assert not list(tmp_path.iterdir())
