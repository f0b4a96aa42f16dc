"""Sequences as numbers: counts of words of k letters, and one-hot letters."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix

_LETTERS = "ACGT"
_MAX_K = 8
_BLOCK_LETTERS = 2**20  # counted at a time: some 20 MB of arrays

_OTHER = 4
_CODES = np.full(256, _OTHER, np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    _CODES[list(_letters.encode())] = _code


def encode_kmers(
    sequences: Iterable[str], *, k: int = 4, canonical: bool = False, relative: bool = True
) -> tuple[Matrix, list[str]]:
    """Count the overlapping words of k letters in each sequence.

    Lower and upper case are the same, and U is T. Words with any other letter than these four, such as N,
    are not counted.

    Parameters
    ----------
    sequences
        Of any lengths, one a row.
    k
        Letters of a word, from 1 to 8.
    canonical
        Whether a word and its reverse complement count as one, named by the smaller of the two: right
        where the strand that a sequence was read from means nothing.
    relative
        Whether to divide each row by the number of words counted in it. A row of none stays zero.

    Returns
    -------
    A CSR matrix of float32 and the words its columns stand for, in lexicographic order. Shape:
    `(n_sequences, 4**k)`, about half as many columns with `canonical`.

    Raises
    ------
    InputError
        If k is out of range, or something among the sequences is not a string.

    Examples
    --------
    >>> counts, words = encode_kmers(["ACGT", "AANA"], k=2, relative=False)
    >>> counts.shape
    (2, 16)
    >>> [words[column] for column in counts[0].indices], counts[1, words.index("AA")].item()
    (['AC', 'CG', 'GT'], 1.0)
    >>> shares, words = encode_kmers(["ACGT"], k=2, canonical=True)  # AC and GT are one
    >>> round(shares[0, words.index("AC")].item(), 3)
    0.667
    """
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or not 1 <= k <= _MAX_K:
        msg = f"`k` has to be a whole number from 1 to {_MAX_K}, got {k!r}."
        raise InputError(msg)
    rows = _as_strings(sequences)
    words = ["".join(letters) for letters in product(_LETTERS, repeat=int(k))]
    columns = np.arange(len(words), dtype=np.int32)
    if canonical:
        kept, columns = _merge_strands(int(k))
        words = [words[column] for column in kept]
    blocks = [_count(block, int(k), columns, len(words)) for block in _blocks(rows)]
    counts = (
        sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix((0, len(words)), dtype=int)
    )
    values = counts.data
    if relative:
        totals = np.asarray(counts.sum(1)).ravel()
        values = values / np.repeat(totals, np.diff(counts.indptr))
    return sparse.csr_matrix(
        (values.astype(np.float32), counts.indices, counts.indptr), counts.shape
    ), words


def encode_onehot(sequences: Iterable[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """Write each letter as four numbers, of which the one that stands for it is 1.

    Lower and upper case are the same, and U is T. Any other letter, such as N, is four zeros.

    Parameters
    ----------
    sequences
        Of one length, one a row; position 5 should mean the same in all of them.

    Returns
    -------
    A dense matrix of 0 and 1, and the names of its columns: `1_A`, `1_C`, `1_G`, `1_T`, `2_A` and so on.
    Shape: `(n_sequences, 4 * length)`.

    Raises
    ------
    InputError
        If the lengths differ, or something among the sequences is not a string.

    Examples
    --------
    >>> matrix, names = encode_onehot(["AC", "NT"])
    >>> matrix.tolist()
    [[1, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]]
    >>> names[:5]
    ['1_A', '1_C', '1_G', '1_T', '2_A']
    """
    rows = _as_strings(sequences)
    length = len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != length:
            msg = (
                f"One-hot letters need sequences of one length: number 1 has {length} letters, number "
                f"{number + 1} has {len(row)}. Cut them alike, or use `encode_kmers`."
            )
            raise InputError(msg)
    codes = _codes("".join(rows)).reshape(len(rows), length)
    identity = np.eye(_OTHER + 1, _OTHER, dtype=np.uint8)  # its last row, for other letters, is zero
    matrix = identity[codes].reshape(len(rows), 4 * length)
    return matrix, [f"{position}_{letter}" for position in range(1, length + 1) for letter in _LETTERS]


def _as_strings(sequences: Iterable[str]) -> list[str]:
    """Make a list of sequences, each of which is a string."""
    if isinstance(sequences, str):
        msg = "Expected several sequences, got one string. Put it into a list."
        raise InputError(msg)
    rows = list(sequences)
    for number, row in enumerate(rows):
        if not isinstance(row, str):
            msg = f"Sequence number {number + 1} is not a string, but {row!r}. Leave it out or mend it."
            raise InputError(msg)
    return rows


def _codes(letters: str) -> NDArray[np.uint8]:
    """Write letters as numbers: A, C, G, T from 0 to 3, any other 4."""
    return _CODES[np.frombuffer(letters.encode("ascii", "replace"), np.uint8)]


def _blocks(rows: Sequence[str]) -> Iterator[list[str]]:
    """Yield consecutive sequences, of a bounded number of letters unless one alone has more."""
    block: list[str] = []
    n_letters = 0
    for row in rows:
        if block and n_letters + len(row) > _BLOCK_LETTERS:
            yield block
            block, n_letters = [], 0
        block.append(row)
        n_letters += len(row)
    if block:
        yield block


def _count(rows: Sequence[str], k: int, columns: NDArray[np.int32], n_columns: int) -> Matrix:
    """Count the words of some sequences; `columns` tells the column of each word's number."""
    # An "other" letter after every sequence: no word across two sequences is counted, and each has as
    # many places where a word may start as it has letters.
    codes = _codes("".join(f"{row}\n" for row in rows) + "\n" * (k - 1))
    n_starts = len(codes) - k + 1
    numbers = np.zeros(n_starts, np.int32)  # of the word that starts here, in base 4
    is_word = np.ones(n_starts, bool)
    for offset in range(k):
        letter = codes[offset : offset + n_starts]
        numbers <<= 2
        numbers += letter
        is_word &= letter != _OTHER
    ends = np.cumsum([len(row) + 1 for row in rows])
    n_words = np.concatenate([[0], np.cumsum(is_word)])
    indptr = np.concatenate([[0], n_words[ends]])
    indices = columns[numbers[is_word]]
    ones = np.ones(len(indices), np.int32)
    counts = sparse.csr_matrix((ones, indices, indptr), (len(rows), n_columns))
    counts.sum_duplicates()
    return counts


def _merge_strands(k: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Find the words that name a pair of reverse complements, and the column of every word."""
    numbers = np.arange(4**k)
    reverse, rest = np.zeros_like(numbers), numbers.copy()
    for _ in range(k):
        reverse = 4 * reverse + 3 - rest % 4  # the complement of letter i is letter 3 - i
        rest //= 4
    kept, columns = np.unique(np.minimum(numbers, reverse), return_inverse=True)
    return kept, columns.astype(np.int32)
