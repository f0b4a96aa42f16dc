"""One-hot encoding of sequences of equal length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.pp._letters import LETTERS, OTHER, as_strings, letter_codes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def encode_onehot(sequences: Iterable[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """Encode each base as four numbers: 1 for that base, else 0.

    Lower and upper case are the same, and U is T. Any other letter, such as N, is four zeros.

    Parameters
    ----------
    sequences
        Sequences of equal length, aligned so that each position means the same in all.

    Returns
    -------
    A dense matrix of 0 and 1, and the names of its columns: `1_A`, `1_C`, `1_G`, `1_T`, `2_A` and so on.
    Shape: `(n_sequences, 4 * length)`.

    Raises
    ------
    InputError
        If the lengths differ, or a sequence is not a string.

    Examples
    --------
    >>> matrix, names = encode_onehot(["AC", "NT"])
    >>> matrix.tolist()
    [[1, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]]
    >>> names[:5]
    ['1_A', '1_C', '1_G', '1_T', '2_A']
    """
    rows = as_strings(sequences)
    length = len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != length:
            msg = (
                f"One-hot encoding needs sequences of equal length: sequence 1 has {length} letters, "
                f"sequence {number + 1} has {len(row)}. Cut them to one length, or use `encode_kmers`."
            )
            raise InputError(msg)
    codes = letter_codes("".join(rows)).reshape(len(rows), length)
    identity = np.eye(OTHER + 1, OTHER, dtype=np.uint8)  # the last row, for other letters, is zero
    matrix = identity[codes].reshape(len(rows), 4 * length)
    return matrix, [f"{position}_{letter}" for position in range(1, length + 1) for letter in LETTERS]
