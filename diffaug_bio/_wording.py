"""Values, names and file names as error messages quote them."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_NAME = 100  # characters of a name in a message
_LONGEST_VALUE = 60


def printable(text: str) -> str:
    """Replace bytes of file names that are not UTF-8, so that a text can be written."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def decoded(name: str) -> str:
    """Return a file name as UTF-8, whatever the locale; refuse other bytes, as two could become one."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"The name {printable(name)!r} is not UTF-8, as labels and row names are. Rename that file."
        raise InputError(msg) from error


def told(value: object) -> str:
    """Return the `repr` of a value, shortened however long or deep it is."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = _LONGEST_VALUE
    try:
        return shown.repr(value)
    except ValueError:  # Python writes no whole numbers of more than 4300 digits
        return "a whole number of thousands of digits"


def cut(text: str) -> str:
    """Shorten a text to 100 characters and `...`."""
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."


def near(name: str, known: Iterable[str]) -> str:
    """Ask for the known name that a misspelt one is most like; say nothing where none is."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def shorten(names: Iterable[object], *, limit: int = 5) -> str:
    """List the first names in quotes, and count the others."""
    names = list(names)
    listed = ", ".join(repr(cut(str(name))) for name in names[:limit])
    return listed + (f" and {len(names) - limit} more" if len(names) > limit else "")


def decimals(value: float) -> str:
    """Write a score with three decimals; one of -0.0001 is 0, not -0."""
    return f"{round(value, 3) + 0.0:.3f}"
