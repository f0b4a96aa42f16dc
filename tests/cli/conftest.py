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


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Result]]:
    """Call the command line in this process; the log and signals are put back afterwards."""
    logger = logging.getLogger("diffaug_bio")
    handlers, level, on_stop = list(logger.handlers), logger.level, signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["diffaug-bio", *map(str, arguments)])
        with pytest.raises(SystemExit, match=r"^[0-9]+$") as caught:
            main()
        logger.handlers[:] = handlers
        return Result(caught.value.code, *capsys.readouterr())

    yield run
    logger.setLevel(level)
    signal.signal(signal.SIGTERM, on_stop)
