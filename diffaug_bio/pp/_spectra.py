"""Sparse counts of k-mers, in blocks of sequences.

Row and column of a k-mer make one number, its key; the sorted keys of a block are its part of a CSR matrix.
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

_BLOCK_LETTERS = 2**17  # a block fits into a processor's cache
_MAX_KEY = 2**31 - 1  # sorting 32-bit numbers takes half the time of 64-bit ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """K-mers of one length, and their columns."""

    k: int
    first: int
    """Column of the first k-mer in the first bin."""
    numbers: NDArray[np.int64]
    """Numbers, in base 4, of the k-mers that have a column, ascending."""
    columns: NDArray[np.int32] | None
    """Column of every number within a bin; None if it is the number itself."""

    @property
    def n_words(self) -> int:
        """Number of columns of a bin."""
        return len(self.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Order of the columns: spectra, in each spectrum bins, in each bin k-mers."""

    spectra: tuple[Spectrum, ...]
    n_bins: int

    @classmethod
    def of(cls, k: Sequence[int], *, canonical: bool, n_bins: int) -> Layout:
        """Order the k-mers of ascending lengths."""
        spectra: list[Spectrum] = []
        first = 0
        for length in k:
            numbers, columns = _merge_strands(length) if canonical else (np.arange(4**length), None)
            spectra.append(Spectrum(k=length, first=first, numbers=numbers, columns=columns))
            first += len(numbers) * n_bins
        return cls(spectra=tuple(spectra), n_bins=n_bins)

    @property
    def n_columns(self) -> int:
        """Number of all columns."""
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
    """Consecutive sequences, or a part of a long one."""

    codes: NDArray[np.uint8]
    """Letters of the block as numbers, and the next ones that a k-mer starting here may reach."""
    lengths: NDArray[np.int64]
    """Number of letters of each whole sequence."""
    first: int
    """Position of the first letter in its sequence."""
    stops: NDArray[np.int64]
    """End of the block in each sequence, including the line end after a whole sequence."""


def count_words(rows: Sequence[str], layout: Layout, *, relative: bool) -> Matrix:
    """Count the k-mers of each sequence; if `relative`, as shares of those of the same length and bin."""
    lengths = lengths_of(rows)
    # Room for all possible entries: memory is not used until it is written to.
    most = sum(
        int(np.clip(lengths - one.k + 1, 0, one.n_words * layout.n_bins).sum()) for one in layout.spectra
    )
    indices, values = np.empty(most, np.int32), np.empty(most, np.float32)
    indptr = np.zeros(len(rows) + 1, np.int64)
    weights = np.maximum(lengths + 1, layout.n_bins)
    for block in _row_slices(weights, _MAX_KEY // layout.n_columns):
        keys, counts = _count_rows(rows[block], lengths[block], layout)
        bins = _first_keys(layout, block.stop - block.start)
        # Number of entries before each bin, and before each row, with the end of the last row.
        edges = np.append(np.searchsorted(keys, bins.ravel()), len(keys))
        row_edges = edges[:: bins.shape[1]]
        before = indptr[block.start]
        entries = slice(before, before + len(keys))
        indices[entries] = keys - np.repeat(bins[:, 0], np.diff(row_edges))
        values[entries] = _shares(counts, edges) if relative else counts
        indptr[block.start + 1 : block.stop + 1] = before + row_edges[1:]
    for array in (indices, values):
        array.resize(indptr[-1], refcheck=False)  # frees the rest without a copy
    return sparse.csr_matrix((values, indices, indptr), (len(rows), layout.n_columns))


def _merge_strands(k: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Find the k-mers that name pairs of reverse complements, and the column of every k-mer."""
    numbers = np.arange(4**k)
    reverse, rest = np.zeros_like(numbers), numbers.copy()
    for _ in range(k):
        reverse = 4 * reverse + 3 - rest % 4  # the complement of letter i is letter 3 - i
        rest //= 4
    kept, columns = np.unique(np.minimum(numbers, reverse), return_inverse=True)
    return kept, columns.astype(np.int32)


def _row_slices(weights: NDArray[np.int64], n_rows: int) -> Iterator[slice]:
    """Split rows into blocks of limited number and weight, unless one row alone weighs more."""
    ends = np.cumsum(weights)
    start = 0
    while start < len(ends):
        most = _BLOCK_LETTERS + (ends[start - 1] if start else 0)
        fitting = int(np.searchsorted(ends, most, side="right"))
        stop = min(max(fitting, start + 1), start + n_rows)
        yield slice(start, stop)
        start = stop


def _first_keys(layout: Layout, n_rows: int) -> NDArray[np.int32]:
    """Compute the key of the first k-mer of each bin. Shape: `(n_rows, n_bins * n_spectra)`."""
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
    """Count the k-mers of some sequences: sorted keys, and the count of each."""
    reach = layout.spectra[-1].k - 1
    if len(rows) > 1 or lengths[0] < _BLOCK_LETTERS:
        # A line end, which is in no k-mer, ends every sequence, so that no k-mer spans two.
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
    """Count the k-mers of a block: sorted keys, and the count of each."""
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
    """Yield, for each spectrum, the numbers of the k-mers starting at each letter, and which are valid."""
    lengths = [spectrum.k for spectrum in layout.spectra]
    n_starts = len(block.codes) - lengths[-1] + 1
    letters = (block.codes & 3).astype(np.uint16)  # any number below 4 will do for other letters
    is_letter = block.codes != OTHER
    numbers, is_word = np.zeros(n_starts, np.uint16), np.ones(n_starts, bool)
    for k in range(1, lengths[-1] + 1):
        last = slice(k - 1, k - 1 + n_starts)
        numbers <<= 2
        numbers |= letters[last]
        is_word &= is_letter[last]
        if k in lengths:
            yield numbers, is_word  # changed by the next round


def _bin_sizes(block: _Block, k: int, n_bins: int) -> NDArray[np.int64]:
    """Count the block's letters in each bin of a sequence. Shape: `(n_rows, n_bins)`."""
    n_starts = np.maximum(block.lengths - k + 1, 0)[:, None]
    # Start s is in bin b if b <= s * n_bins / n_starts < b + 1. No k-mer starts after the last start.
    edges: NDArray[np.int64] = -(-np.arange(n_bins + 1) * n_starts // n_bins)
    edges[:, -1] = block.stops
    edges = edges.clip(block.first, block.stops[:, None])
    return edges[:, 1:] - edges[:, :-1]
