"""Keeping what is logged while something runs."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = "diffaug_bio"
_PROGRESS = f"{_PACKAGE}.progress"  # of the command line: how far training is, and nothing about the data


@contextmanager
def kept_log() -> Iterator[list[dict[str, str]]]:
    """Collect what this package logs while the block runs: `level` and `text` of each message.

    Only what the logger lets pass, so of a library's user who has set no level the warnings.
    """
    kept: list[dict[str, str]] = []
    handler = _Keeper(kept)
    logger = logging.getLogger(_PACKAGE)
    logger.addHandler(handler)
    try:
        yield kept
    finally:
        logger.removeHandler(handler)


class _Keeper(logging.Handler):
    """Puts messages into a list."""

    def __init__(self, kept: list[dict[str, str]]) -> None:
        super().__init__()
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != _PROGRESS:
            self._kept.append({"level": record.levelname.lower(), "text": record.getMessage()})
