"""Letters of sequences as numbers, and checks that all encodings of sequences share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

LETTERS = "ACGT"
OTHER = 4  # code of any letter but these four

_CODES = bytearray([OTHER] * 256)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    for _letter in _letters.encode():
        _CODES[_letter] = _code


def as_strings(sequences: Iterable[str]) -> list[str]:
    """Make a list of sequences, each of which is a string.

    Raises
    ------
    InputError
        If there is one string instead of several, or something among them is not a string.
    """
    if isinstance(sequences, str):
        msg = "Expected several sequences, got one string. Put it into a list."
        raise InputError(msg)
    rows = list(sequences)
    for number, row in enumerate(rows):
        if not isinstance(row, str):
            msg = f"Sequence number {number + 1} is not a string, but {row!r}. Leave it out or mend it."
            raise InputError(msg)
    return rows


def lengths_of(rows: Sequence[str]) -> NDArray[np.int64]:
    """Count the letters of each sequence."""
    return np.fromiter(map(len, rows), np.int64, len(rows))


def letter_codes(letters: str) -> NDArray[np.uint8]:
    """Write letters as numbers: A, C, G, T from 0 to 3, any other 4; lower case the same, U as T.

    Returns
    -------
    A read-only array of one number for each letter, also for letters outside of ASCII.
    """
    return np.frombuffer(letters.encode("ascii", "replace").translate(_CODES), np.uint8)
