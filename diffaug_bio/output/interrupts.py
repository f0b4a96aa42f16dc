"""Making Ctrl-C wait for the end of work that must not be cut."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """Make signals that stop a program wait for the end of the block; yield the list of those that wait."""
    waiting: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield waiting
        return
    numbers = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():  # a signal mask would leave the signal to other threads
            if handler not in {signal.SIG_IGN, None}:
                signal.signal(number, lambda caught, _: waiting.append(caught))
        yield waiting
    finally:
        for number, handler in before.items():
            if handler is not None:  # None stands for a handler of a C library
                signal.signal(number, handler)
        if waiting:  # even if the block failed: its error is then the context of the handler's
            _hand_on(waiting[0], before[waiting[0]])


def _hand_on(number: int, handler: object) -> None:
    """Call the handler of a signal; sending the signal again would be counted as a second one."""
    if callable(handler):
        handler(number, None)
    else:
        signal.raise_signal(number)
