"""Names of files as text: they are bytes, and need not be UTF-8."""

from __future__ import annotations

from diffaug_bio.errors import InputError


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
