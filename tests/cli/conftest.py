"""Calling the command line in this process."""

from __future__ import annotations

import contextlib
import io
import logging
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from diffaug_bio.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Result(NamedTuple):
    """What a call of the command line gave."""

    code: object
    out: str
    err: str


@contextlib.contextmanager
def put_back() -> Iterator[None]:
    """Put back the log, signals, arguments and the hook, which belong to a whole process."""
    logger = logging.getLogger("diffaug_bio")
    handlers, level, arguments, hook = list(logger.handlers), logger.level, sys.argv, sys.unraisablehook
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    signals = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        sys.argv, sys.unraisablehook = arguments, hook
        for number, handler in signals.items():
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _what_a_call_sets_is_put_back() -> Iterator[None]:
    with put_back():
        yield


def run_here(*arguments: object, folder: Path | str = ".") -> Result:
    """Call the command line in this process and a folder: a process of its own costs seconds of imports."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        put_back(),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        sys.argv = ["diffaug-bio", *map(str, arguments)]
        with pytest.raises(SystemExit, match=r"^[0-9]+$") as caught:
            main()
    return Result(caught.value.code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@pytest.fixture
def call() -> Callable[..., Result]:
    """Call the command line in this process."""
    return run_here
