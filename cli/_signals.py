"""Signals that end a run: the first one cleanly, a second one at once."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from diffaug_bio.output.interrupts import STOPPING

if TYPE_CHECKING:
    from types import FrameType

_GRACE = 1.0  # seconds; `timeout` and some shells send one signal twice


class Interruption:
    """The signal that is to end a run, kept here also where what it raised is swallowed on the way."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._watcher: tuple[int, int] | None = None
        self._is_over = False

    def install(self) -> None:
        """Take the signals from now on; those that are ignored (`nohup`, in the background) stay so."""
        self._watcher = _start_watcher()
        for name in STOPPING:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)

    def check(self, _event: object = None, /) -> None:
        """Raise again what was swallowed; loops call this."""
        if self.signal is not None:
            raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """Exit code by the usual rule: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGINT)

    def finish(self) -> None:
        """End the watcher; from now on there is nothing to clean up, and a signal ends the program."""
        self._is_over = True
        if self._watcher is not None:
            process, write_end = self._watcher
            self._watcher = None
            signal.set_wakeup_fd(-1)
            os.close(write_end)
            # Where the one who started this program ignores SIGCHLD, the watcher is nobody's to wait for.
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        """Raise once: a second one must not cut the cleaning up, but kill, which is the watcher's task."""
        if self._is_over:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif self.signal is None:
            self.signal = number
            raise KeyboardInterrupt


def end_if_interrupted(_step: str = "", /) -> None:
    """Raise again what was swallowed, as where one library imports another; commands call this."""
    click.get_current_context().ensure_object(Interruption).check()


def _start_watcher() -> tuple[int, int] | None:
    """Start a process that kills this one at a second signal; None where there can be none.

    Handlers in Python wait for the interpreter, which code in C may hold for ever, as HDF5 does on a
    damaged file. The interpreter's own handler in C, which waits for nothing, writes the pipe.
    Only a young process is forked: libraries may have threads.
    """
    if not hasattr(os, "fork") or "numpy" in sys.modules:
        return None
    read_end, write_end = os.pipe()
    target = os.getpid()
    try:
        process = os.fork()
    except OSError:  # no more processes are allowed: a second signal is then one too many for the first
        os.close(read_end)
        os.close(write_end)
        return None
    if process == 0:
        try:
            _watch(read_end, target)
        finally:
            os._exit(0)
    os.close(read_end)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    return process, write_end


def _watch(read_end: int, target: int) -> None:
    """Wait for signals of another process, which ends the pipe when it ends."""
    os.setsid()  # out of reach of the terminal's signals
    for name in STOPPING:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.dup2(read_end, 0)
    os.closerange(1, 4096)  # or who reads our output would wait for the watcher, too
    first = None
    while os.read(0, 1):
        now = time.monotonic()
        first = now if first is None else first
        if now - first > _GRACE:
            with suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)
