"""Calling the command line in this process."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from diffaug_bio.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Result(NamedTuple):
    """What a call of the command line gave."""

    code: object
    out: str
    err: str


@pytest.fixture(autouse=True)
def _what_a_call_sets_is_put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back the log, signals and the hook, which belong to a whole process."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    logger = logging.getLogger("diffaug_bio")
    handlers, level = list(logger.handlers), logger.level
    signals = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
    for number, handler in signals.items():
        signal.signal(number, handler)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Call the command line in this process."""
    logger = logging.getLogger("diffaug_bio")
    handlers = list(logger.handlers)

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["diffaug-bio", *map(str, arguments)])
        with pytest.raises(SystemExit, match=r"^[0-9]+$") as caught:
            main()
        logger.handlers[:] = handlers
        return Result(caught.value.code, *capsys.readouterr())

    return run
