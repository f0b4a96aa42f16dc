"""Notes on what is saved when a command ends early."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def kept(note: str, *, on: tuple[type[BaseException], ...] = (BaseException,)) -> Iterator[None]:
    """Add a note on what is saved, and how to go on, to errors of the given types in the block."""
    try:
        yield
    except on as error:
        error.add_note(note)
        raise
