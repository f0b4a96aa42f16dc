"""Counting the words of sequences, sparse and in blocks.

A word's row and column make one number, its key. The keys of a block, sorted, are the block's part of a CSR
matrix: equal ones lie together, rows come in order, and in a row its columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.pp._letters import LETTERS, OTHER, lengths_of, letter_codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix

_BLOCK_LETTERS = 2**17  # what a block needs at once fits into a processor's cache
_MAX_KEY = 2**31 - 1  # 32-bit numbers are sorted in half the time of 64-bit ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """The words of one length, and where they stand among the columns."""

    k: int
    """Letters of a word."""
    first: int
    """Column of the first word in the first bin."""
    numbers: NDArray[np.int64]
    """In base 4, of the words that have a column, ascending."""
    columns: NDArray[np.int32] | None
    """For every number its column within a bin; None where that is the number itself."""

    @property
    def n_words(self) -> int:
        """Columns of a bin."""
        return len(self.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the columns stand for: spectra, in each of them bins, in each of these words."""

    spectra: tuple[Spectrum, ...]
    """By ascending length of the words."""
    n_bins: int
    """Parts of a sequence whose words are counted apart."""

    @classmethod
    def of(cls, k: Sequence[int], *, canonical: bool, n_bins: int) -> Layout:
        """Lay out the words of ascending lengths."""
        spectra: list[Spectrum] = []
        first = 0
        for length in k:
            numbers, columns = _merge_strands(length) if canonical else (np.arange(4**length), None)
            spectra.append(Spectrum(k=length, first=first, numbers=numbers, columns=columns))
            first += len(numbers) * n_bins
        return cls(spectra=tuple(spectra), n_bins=n_bins)

    @property
    def n_columns(self) -> int:
        """Columns in all."""
        return self.n_bins * sum(spectrum.n_words for spectrum in self.spectra)

    @property
    def bins(self) -> NDArray[np.int64]:
        """First column of each bin of each spectrum, ascending."""
        steps = np.arange(self.n_bins)
        return np.concatenate([one.first + one.n_words * steps for one in self.spectra])

    def names(self) -> list[str]:
        """Name the columns."""
        names: list[str] = []
        for spectrum in self.spectra:
            every = [""]
            for _ in range(spectrum.k):
                every = [word + letter for word in every for letter in LETTERS]
            words = [every[number] for number in spectrum.numbers.tolist()]
            if self.n_bins == 1:
                names += words
            else:
                endings = [f"@{number}/{self.n_bins}" for number in range(1, self.n_bins + 1)]
                names += [word + ending for ending in endings for word in words]
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Consecutive sequences, or a piece of one that is long."""

    codes: NDArray[np.uint8]
    """Of the letters here, and of those after them that a word starting here may reach."""
    lengths: NDArray[np.int64]
    """Letters of each sequence as a whole."""
    first: int
    """Where in its sequence the first letter here stands."""
    stops: NDArray[np.int64]
    """Where in each sequence the letters here end, with the line end that closes a whole sequence."""


def count_words(rows: Sequence[str], layout: Layout, *, relative: bool) -> Matrix:
    """Count the words of each sequence.

    Parameters
    ----------
    rows
        The sequences.
    layout
        What the columns stand for.
    relative
        Whether to divide by the number of words of the same length in the same bin of the row.

    Returns
    -------
    CSR of float32 with sorted indices. Shape: `(n_sequences, n_columns)`.
    """
    lengths = lengths_of(rows)
    # Room for all entries there may be: memory costs nothing until it is written to.
    most = sum(
        int(np.clip(lengths - one.k + 1, 0, one.n_words * layout.n_bins).sum()) for one in layout.spectra
    )
    indices, values = np.empty(most, np.int32), np.empty(most, np.float32)
    indptr = np.zeros(len(rows) + 1, np.int64)
    weights = np.maximum(lengths + 1, layout.n_bins)
    for block in _row_slices(weights, _MAX_KEY // layout.n_columns):
        keys, counts = _count_rows(rows[block], lengths[block], layout)
        bins = _first_keys(layout, block.stop - block.start)
        # Entries before each bin of each row, and the same for rows, the end of the last one included.
        edges = np.append(np.searchsorted(keys, bins.ravel()), len(keys))
        row_edges = edges[:: bins.shape[1]]
        before = indptr[block.start]
        entries = slice(before, before + len(keys))
        indices[entries] = keys - np.repeat(bins[:, 0], np.diff(row_edges))
        values[entries] = _shares(counts, edges) if relative else counts
        indptr[block.start + 1 : block.stop + 1] = before + row_edges[1:]
    for array in (indices, values):
        array.resize(indptr[-1], refcheck=False)  # gives back the rest, without a copy
    return sparse.csr_matrix((values, indices, indptr), (len(rows), layout.n_columns))


def _merge_strands(k: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Find the words that name a pair of reverse complements, and the column of every word."""
    numbers = np.arange(4**k)
    reverse, rest = np.zeros_like(numbers), numbers.copy()
    for _ in range(k):
        reverse = 4 * reverse + 3 - rest % 4  # the complement of letter i is letter 3 - i
        rest //= 4
    kept, columns = np.unique(np.minimum(numbers, reverse), return_inverse=True)
    return kept, columns.astype(np.int32)


def _row_slices(weights: NDArray[np.int64], n_rows: int) -> Iterator[slice]:
    """Cut rows into blocks of a bounded number and weight, unless one alone weighs more."""
    ends = np.cumsum(weights)
    start = 0
    while start < len(ends):
        most = _BLOCK_LETTERS + (ends[start - 1] if start else 0)
        fitting = int(np.searchsorted(ends, most, side="right"))
        stop = min(max(fitting, start + 1), start + n_rows)
        yield slice(start, stop)
        start = stop


def _first_keys(layout: Layout, n_rows: int) -> NDArray[np.int32]:
    """Key of the first word of each bin of each row. Shape: `(n_rows, n_bins * n_spectra)`."""
    rows = layout.n_columns * np.arange(n_rows)
    return (rows[:, None] + layout.bins).astype(np.int32)


def _shares(counts: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide the counts between two edges by their sum."""
    before = np.append(0, np.cumsum(counts))[edges]
    shares: NDArray[np.float64] = counts / np.repeat(np.diff(before), np.diff(edges))
    return shares


def _count_rows(
    rows: Sequence[str], lengths: NDArray[np.int64], layout: Layout
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count the words of a block of sequences: sorted keys, and how often each occurs."""
    reach = layout.spectra[-1].k - 1
    if len(rows) > 1 or lengths[0] < _BLOCK_LETTERS:
        # A letter that is in no word ends every sequence: no word across two of them is counted.
        codes = letter_codes("\n".join([*rows, "\n" * reach]))
        return _count_block(_Block(codes=codes, lengths=lengths, first=0, stops=lengths + 1), layout)
    counts = np.zeros(layout.n_columns, np.int64)
    for first in range(0, len(rows[0]), _BLOCK_LETTERS):
        stop = min(first + _BLOCK_LETTERS, len(rows[0]))
        codes = letter_codes(rows[0][first : stop + reach].ljust(stop - first + reach))
        block = _Block(codes=codes, lengths=lengths, first=first, stops=np.array([stop]))
        keys, counts_here = _count_block(block, layout)
        counts[keys] += counts_here
    keys = np.flatnonzero(counts).astype(np.int32)
    return keys, counts[keys]


def _count_block(block: _Block, layout: Layout) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Count the words of what is small enough to be looked at as a whole."""
    bins = _first_keys(layout, len(block.lengths)).reshape(len(block.lengths), -1, layout.n_bins)
    found = []
    for place, (numbers, is_word) in enumerate(_words(block, layout)):
        spectrum = layout.spectra[place]
        keys = np.repeat(bins[:, place].ravel(), _bin_sizes(block, spectrum.k, layout.n_bins).ravel())
        keys += numbers if spectrum.columns is None else spectrum.columns[numbers]
        found.append(keys[is_word])
    keys = np.concatenate(found)
    keys.sort()
    is_new = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=is_new[1:])
    edges = np.append(np.flatnonzero(is_new), len(keys))
    return keys[edges[:-1]], np.diff(edges)


def _words(block: _Block, layout: Layout) -> Iterator[tuple[NDArray[np.uint16], NDArray[np.bool_]]]:
    """Yield for each spectrum the number of the word that starts at a letter, and whether it is one."""
    lengths = [spectrum.k for spectrum in layout.spectra]
    n_starts = len(block.codes) - lengths[-1] + 1
    letters = (block.codes & 3).astype(np.uint16)  # any number below 4 will do where there is no word
    is_letter = block.codes != OTHER
    numbers, is_word = np.zeros(n_starts, np.uint16), np.ones(n_starts, bool)
    for k in range(1, lengths[-1] + 1):
        last = slice(k - 1, k - 1 + n_starts)
        numbers <<= 2
        numbers |= letters[last]
        is_word &= is_letter[last]
        if k in lengths:
            yield numbers, is_word  # to be used at once: the next round changes both


def _bin_sizes(block: _Block, k: int, n_bins: int) -> NDArray[np.int64]:
    """Count the letters here that are in each bin of a sequence. Shape: `(n_rows, n_bins)`."""
    n_starts = np.maximum(block.lengths - k + 1, 0)[:, None]
    # Start s is in bin b if b <= s * n_bins / n_starts < b + 1. What follows the last start is in no word.
    edges: NDArray[np.int64] = -(-np.arange(n_bins + 1) * n_starts // n_bins)
    edges[:, -1] = block.stops
    edges = edges.clip(block.first, block.stops[:, None])
    return edges[:, 1:] - edges[:, :-1]
