"""Ctrl-C that waits for what must not be cut."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import anndata
import pytest

from diffaug_bio._files import staged_file
from diffaug_bio._interrupts import interrupts_held
from diffaug_bio.io._write_h5ad import write_h5ad
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
