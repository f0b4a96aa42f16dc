"""Words for what errors quote: values cut to a length, lists of names, names of files that are no UTF-8."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_SHOWN = 100  # letters of a name or value in a message
_SHOWN = 60  # characters of a value in an error


def printable(text: str) -> str:
    """Replace the bytes of file names in a text that are no UTF-8, so that it can be written."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def decoded(name: str) -> str:
    """Return the name of a file or folder that becomes part of the data, whatever the locale.

    Raises
    ------
    InputError
        If its bytes are no UTF-8: replaced, two names could become one.
    """
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        msg = (
            f"The name {printable(name)!r} is not UTF-8, and would become a label or name of rows. Rename "
            "that file or folder."
        )
        raise InputError(msg) from error


def told(value: object) -> str:
    """Show a value in an error: shortened, however long or deep it is."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = _SHOWN
    try:
        return shown.repr(value)
    except ValueError:  # Python writes no whole numbers of more than 4300 digits
        return "a whole number of thousands of digits"


def cut(text: str) -> str:
    """Leave out the end of a text that is longer than a message can be."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def shorten(names: Iterable[object], *, limit: int = 5) -> str:
    """List some names and say how many more there are."""
    names = list(names)
    listed = ", ".join(repr(cut(str(name))) for name in names[:limit])
    return listed + (f" and {len(names) - limit} more" if len(names) > limit else "")
