"""Counts of k-mers in sequences."""

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
    """Settings of :func:`encode_kmers`, to keep and use again."""

    k: tuple[int, ...] = (4,)
    """Length of the k-mers, from 1 to 8, or several lengths in ascending order."""
    canonical: bool = False
    """Count a k-mer and its reverse complement as one."""
    relative: bool = True
    """Divide counts by the number of k-mers of that length in the sequence, or in a bin of it."""
    n_bins: int = 1
    """Number of equal parts of a sequence, whose k-mers are counted separately."""

    def __post_init__(self) -> None:
        if not isinstance(self.k, tuple) or not self.k:
            msg = f"`k` must be a tuple of whole numbers, such as (4,) or (3, 4, 5), got {self.k!r}."
            raise InputError(msg)
        for length in self.k:
            if not _is_whole(length) or not 1 <= length <= _MAX_K:
                msg = f"`k` must be a whole number from 1 to {_MAX_K}, got {length!r}."
                raise InputError(msg)
        if any(length >= longer for length, longer in pairwise(self.k)):
            msg = f"`k` must list each length once, in ascending order, got {self.k!r}."
            raise InputError(msg)
        for name in ("canonical", "relative"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                msg = f"`{name}` must be True or False, got {getattr(self, name)!r}."
                raise InputError(msg)
        if not _is_whole(self.n_bins) or self.n_bins < 1:
            msg = f"`n_bins` must be a whole number of at least 1, got {self.n_bins!r}."
            raise InputError(msg)
        if (n_columns := self.n_bins * sum(4**length for length in self.k)) > _MAX_COLUMNS:
            msg = (
                f"`k` {self.k!r} with `n_bins` {self.n_bins} gives up to {n_columns} columns, more than "
                f"{_MAX_COLUMNS}. Take fewer bins or shorter k-mers."
            )
            raise InputError(msg)

    def encode(self, sequences: Iterable[str]) -> tuple[Matrix, list[str]]:
        """Count the k-mers of sequences, and name the columns; see :func:`encode_kmers`.

        Parameters
        ----------
        sequences
            Sequences of any lengths.

        Raises
        ------
        InputError
            If a sequence is not a string.
        """
        layout = Layout.of(self.k, canonical=self.canonical, n_bins=self.n_bins)
        return count_words(as_strings(sequences), layout, relative=self.relative), layout.names()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for JSON and for `.uns["kmers"]` of an h5ad file."""
        return {
            "k": [int(length) for length in self.k],
            "canonical": bool(self.canonical),
            "relative": bool(self.relative),
            "n_bins": int(self.n_bins),
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, source: str) -> Self:
        """Rebuild the settings from :meth:`to_dict`, also if an h5ad file held them.

        Parameters
        ----------
        table
            Settings, possibly as numpy's arrays and scalars; missing ones have their defaults.
        source
            Name of the source, for errors.

        Raises
        ------
        InputError
            If a key is unknown, or a value has the wrong type or is out of range.

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
    """Count the overlapping k-mers of each sequence.

    Lower and upper case are the same, and U is T. K-mers with other letters, such as N, are not counted.
    Memory beyond the result is some tens of MB, however long the sequences.

    Parameters
    ----------
    sequences
        Sequences of any lengths.
    k
        Length of the k-mers, from 1 to 8, or several lengths in ascending order.
    canonical
        Count a k-mer and its reverse complement as one, named by the smaller of the two: right if the
        strand that was read is arbitrary.
    relative
        Divide counts by the number of k-mers of that length in the sequence, or in its bin. Without any
        k-mers, values are zero.
    n_bins
        Number of equal parts of a sequence, whose k-mers are counted separately, for sequences in which
        position matters, such as promoters around their start. A k-mer belongs to the part in which it
        starts: start `s` of `n`, counted from 0, to bin `s * n_bins // n`.

    Returns
    -------
    A CSR matrix of float32 and the names of its columns: for each k and each bin the k-mers in alphabetical
    order, such as `ACGT`, or `ACGT@3/8` in bin 3 of 8. Shape: `(n_sequences, n_bins * (4**k + ...))`, with
    about half as many columns if `canonical`.

    Raises
    ------
    InputError
        If `k` or `n_bins` is out of range, `k` is not ascending, there would be more than 2**22 columns, or
        a sequence is not a string.

    See Also
    --------
    KmerEncoding : The same settings as an object, to keep and use again.

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
