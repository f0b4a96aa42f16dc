"""What is kept where a command ends early."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def kept(note: str, *, on: tuple[type[BaseException], ...] = (BaseException,)) -> Iterator[None]:
    """Have what ends the block say what is kept, and how to go on, as notes do.

    Parameters
    ----------
    note
        A sentence or two.
    on
        Errors that are to say so.
    """
    try:
        yield
    except on as error:
        error.add_note(note)
        raise
