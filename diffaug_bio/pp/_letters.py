"""Bases as numbers, and checks that all encodings of sequences share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

LETTERS = "ACGT"
OTHER = 4  # code of any other letter

_CODES = bytearray([OTHER] * 256)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    for _letter in _letters.encode():
        _CODES[_letter] = _code


def as_strings(sequences: Iterable[str]) -> list[str]:
    """Make a list of sequences; refuse a single string, and sequences that are not strings."""
    if isinstance(sequences, str):
        msg = "Expected a list of sequences, got one string. Put it into a list."
        raise InputError(msg)
    rows = list(sequences)
    for number, row in enumerate(rows):
        if not isinstance(row, str):
            msg = f"Sequence {number + 1} must be a string, got {row!r}. Leave it out or correct it."
            raise InputError(msg)
    return rows


def lengths_of(rows: Sequence[str]) -> NDArray[np.int64]:
    """Count the letters of each sequence."""
    return np.fromiter(map(len, rows), np.int64, len(rows))


def letter_codes(letters: str) -> NDArray[np.uint8]:
    """Encode letters (also outside ASCII) as A, C, G, T from 0 to 3, others as 4; any case, and U as T."""
    return np.frombuffer(letters.encode("ascii", "replace").translate(_CODES), np.uint8)
