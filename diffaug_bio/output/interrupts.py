"""Letting Ctrl-C wait while something that must not be cut is at work."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Names of the signals that ask a program to end."""


@contextlib.contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """Let signals that stop a program wait for the end of the block; gives those that wait.

    By handlers, since a mask of this thread would leave a signal to the threads of other libraries.
    """
    waiting: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # which no signal reaches
        yield waiting
        return
    numbers = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler not in {signal.SIG_IGN, None}:
                signal.signal(number, lambda caught, _: waiting.append(caught))
        yield waiting
    finally:
        for number, handler in before.items():
            if handler is not None:  # which belongs to a library in C
                signal.signal(number, handler)
        if waiting:  # also where the block failed: the error is then the context of what the handler raises
            _hand_on(waiting[0], before[waiting[0]])


def _hand_on(number: int, handler: object) -> None:
    """Do what a signal was to do, without sending it again: who counts signals would see a second one."""
    if callable(handler):
        handler(number, None)
    else:
        signal.raise_signal(number)
