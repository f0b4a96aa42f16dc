"""Text of others on one line, as it has to be in any document."""

from __future__ import annotations

import re


def one_line(value: object, *, limit: int = 200) -> str:
    """Bring any text to one line of printable characters, and cut it off after `limit` of them."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"


def base_name(path: object) -> str:
    """Return the last part of a path of any system: documents name no folders of a machine."""
    return re.split(r"[/\\]", one_line(path, limit=10_000).rstrip("/\\"))[-1]
