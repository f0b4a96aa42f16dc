"""Processes of a benchmark and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from diffaug_bio.benchmark._processes import interrupts_held


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_an_interrupt_waits_until_a_process_is_started() -> None:
    done = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_held():  # noqa: PT012
            os.kill(os.getpid(), signal.SIGINT)
            done.append("started")
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["started"]
