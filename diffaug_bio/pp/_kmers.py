"""Sequences as numbers: how often words of k letters occur in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from diffaug_bio.config.tables import replaced
from diffaug_bio.errors import InputError
from diffaug_bio.pp._letters import as_strings
from diffaug_bio.pp._spectra import Layout, count_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diffaug_bio.matrix.blocks import Matrix

_MAX_K = 8
_MAX_COLUMNS = 2**22  # their names alone take some 300 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class KmerEncoding:
    """How sequences become counts of words; see :func:`encode_kmers`."""

    k: tuple[int, ...] = (4,)
    """Letters of a word, from 1 to 8; several lengths, ascending, stand side by side."""
    canonical: bool = False
    """Whether a word and its reverse complement count as one."""
    relative: bool = True
    """Whether to divide by the number of words of that length in the row, or in a bin of it."""
    n_bins: int = 1
    """Equal parts of a sequence whose words are counted apart."""

    def __post_init__(self) -> None:
        if not isinstance(self.k, tuple) or not self.k:
            msg = f"`k` has to be a tuple of whole numbers, such as (4,) or (3, 4, 5), got {self.k!r}."
            raise InputError(msg)
        for length in self.k:
            if not _is_whole(length) or not 1 <= length <= _MAX_K:
                msg = f"`k` has to be a whole number from 1 to {_MAX_K}, got {length!r}."
                raise InputError(msg)
        if any(length >= longer for length, longer in pairwise(self.k)):
            msg = f"`k` has to name each word length once, in ascending order, got {self.k!r}."
            raise InputError(msg)
        for name in ("canonical", "relative"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                msg = f"`{name}` has to be True or False, got {getattr(self, name)!r}."
                raise InputError(msg)
        if not _is_whole(self.n_bins) or self.n_bins < 1:
            msg = f"`n_bins` has to be a whole number of at least 1, got {self.n_bins!r}."
            raise InputError(msg)
        if (n_columns := self.n_bins * sum(4**length for length in self.k)) > _MAX_COLUMNS:
            msg = (
                f"`k` {self.k!r} with `n_bins` {self.n_bins} makes up to {n_columns} columns, more than "
                f"{_MAX_COLUMNS}. Take fewer bins or shorter words."
            )
            raise InputError(msg)

    def encode(self, sequences: Iterable[str]) -> tuple[Matrix, list[str]]:
        """Count the words of sequences, and name the columns; see :func:`encode_kmers`.

        Parameters
        ----------
        sequences
            Of any lengths, one a row.

        Raises
        ------
        InputError
            If something among the sequences is not a string.
        """
        layout = Layout.of(self.k, canonical=self.canonical, n_bins=self.n_bins)
        return count_words(as_strings(sequences), layout, relative=self.relative), layout.names()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON and `.uns["kmers"]` of an h5ad file hold them."""
        return {
            "k": [int(length) for length in self.k],
            "canonical": bool(self.canonical),
            "relative": bool(self.relative),
            "n_bins": int(self.n_bins),
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, source: str) -> Self:
        """Rebuild what :meth:`to_dict` returned, also after a way through an h5ad file.

        Parameters
        ----------
        table
            May hold numpy's arrays and scalars. Keys that are not there have their defaults.
        source
            Where the table, called `kmers` there, comes from; named in errors.

        Raises
        ------
        InputError
            If a key is unknown, or a value is not of its type or out of range.

        Examples
        --------
        >>> KmerEncoding.from_dict({"k": np.array([4]), "canonical": np.False_}, source="cells.h5ad")
        KmerEncoding(k=(4,), canonical=False, relative=True, n_bins=1)
        """
        plain = {
            key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            for key, value in table.items()
        }
        return replaced(cls(), plain, source=source, where="kmers.")


def encode_kmers(
    sequences: Iterable[str],
    *,
    k: int | Sequence[int] = 4,
    canonical: bool = False,
    relative: bool = True,
    n_bins: int = 1,
) -> tuple[Matrix, list[str]]:
    """Count the overlapping words of k letters in each sequence.

    Lower and upper case are the same, and U is T. Words with any other letter than these four, such as N,
    are not counted. Memory beyond the result is some tens of MB, however long the sequences.

    Parameters
    ----------
    sequences
        Of any lengths, one a row.
    k
        Letters of a word, from 1 to 8, or several such numbers in ascending order.
    canonical
        Whether a word and its reverse complement count as one, named by the smaller of the two: right
        where the strand that a sequence was read from means nothing.
    relative
        Whether to divide by the number of words counted: in the row, of one length, in one bin. Where
        there are none, the row stays zero.
    n_bins
        Equal parts of a sequence whose words are counted apart, for sequences in which position means
        something, such as promoters around their start. A word belongs to the part in which it starts:
        the one that starts at `s` of `n` possible ones, counted from 0, to bin `s * n_bins // n`.

    Returns
    -------
    A CSR matrix of float32 and the names of its columns: for each k and in it for each bin the words in
    lexicographic order, named as themselves, or with bins such as `ACGT@3/8`, counted from 1. Shape:
    `(n_sequences, n_bins * (4**k + ...))`, about half as many columns with `canonical`.

    Raises
    ------
    InputError
        If k is out of range, not ascending or named twice, if there are fewer than one bin or more than
        2**22 columns, or if something among the sequences is not a string.

    See Also
    --------
    KmerEncoding : The same settings as an object, to be kept and used again.

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
    >>> counts, words = encode_kmers(["AAACC"], k=(1, 2), n_bins=2, relative=False)
    >>> {words[column]: int(counts[0, column]) for column in counts.indices}
    {'A@1/2': 3, 'C@2/2': 2, 'AA@1/2': 2, 'AC@2/2': 1, 'CC@2/2': 1}
    """
    lengths = tuple(k) if isinstance(k, Iterable) else (k,)
    return KmerEncoding(k=lengths, canonical=canonical, relative=relative, n_bins=n_bins).encode(sequences)


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
