"""Sequences as one token, a small whole number, for each letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.pp._letters import LETTERS, OTHER, as_strings, lengths_of, letter_codes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_END = OTHER + 1  # token of a position past the end
_WRITTEN = bytes.maketrans(bytes(range(_END + 1)), f"{LETTERS}N\n".encode())


def encode_tokens(sequences: Iterable[str], *, length: int | None = None) -> NDArray[np.uint8]:
    """Encode each letter as a number: A, C, G, T from 0 to 3, any other, such as N, as 4.

    Lower and upper case are the same, and U is T. Positions past the end of a sequence are 5.

    Parameters
    ----------
    sequences
        Sequences of any lengths.
    length
        Number of tokens of a row; by default the length of the longest sequence. Longer sequences are cut
        off at the end.

    Returns
    -------
    Whole numbers from 0 to 5. Shape: `(n_sequences, length)`.

    Raises
    ------
    InputError
        If `length` is not a whole number of at least 1, or a sequence is not a string.

    See Also
    --------
    decode_tokens : The inverse.

    Examples
    --------
    >>> encode_tokens(["ACGT", "nu"]).tolist()
    [[0, 1, 2, 3], [4, 3, 5, 5]]
    >>> encode_tokens(["ACGT", "nu"], length=3).tolist()
    [[0, 1, 2], [4, 3, 5]]
    """
    rows = as_strings(sequences)
    if length is not None and (
        not isinstance(length, int | np.integer) or isinstance(length, bool) or length < 1
    ):
        msg = f"`length` must be a whole number of at least 1 or None, got {length!r}."
        raise InputError(msg)
    lengths = lengths_of(rows)
    width = int(lengths.max(initial=0) if length is None else length)
    tokens = np.full((len(rows), width), _END, np.uint8)
    kept = np.minimum(lengths, width)
    for block, row_tokens in row_blocks(tokens):
        is_letter = np.repeat(
            np.tile([True, False], len(row_tokens)),
            np.column_stack([kept[block], width - kept[block]]).ravel(),
        )
        letters = "".join([row[:width] for row in rows[block]])
        row_tokens[is_letter.reshape(row_tokens.shape)] = letter_codes(letters)
    return tokens


def decode_tokens(tokens: NDArray[np.integer]) -> list[str]:
    """Decode tokens of :func:`encode_tokens` into letters.

    Parameters
    ----------
    tokens
        Whole numbers from 0 to 5. Shape: `(n_sequences, length)`.

    Returns
    -------
    Sequences of A, C, G, T, and N for 4. A sequence ends before its first 5.

    Raises
    ------
    InputError
        If `tokens` is not a matrix of whole numbers from 0 to 5.

    Examples
    --------
    >>> decode_tokens(np.array([[0, 1, 2, 3], [4, 3, 5, 5]]))
    ['ACGT', 'NT']
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
        msg = (
            "Tokens must be a matrix of whole numbers, one row for each sequence, got "
            f"{tokens.dtype} of shape {tokens.shape}."
        )
        raise InputError(msg)
    if tokens.size and (tokens.min() < 0 or tokens.max() > _END):
        msg = (
            f"Tokens must be from 0 to {_END}, got {tokens.min()} to {tokens.max()}. Make them with "
            "`encode_tokens`."
        )
        raise InputError(msg)
    width = tokens.shape[1]
    sequences: list[str] = []
    for _, block in row_blocks(tokens):
        letters = block.astype(np.uint8).tobytes().translate(_WRITTEN).decode("ascii")
        rows = (letters[row * width : (row + 1) * width] for row in range(len(block)))
        sequences += [row.partition("\n")[0] for row in rows]
    return sequences
