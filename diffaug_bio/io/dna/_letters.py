"""Letters of nucleotide sequences: checked in blocks, upper case with T for U."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BASES = b"ACGT"
_UNKNOWN = b"N"
_AMBIGUOUS = b"RYSWKMBDHV"  # IUPAC codes for two or three bases
_CODES = _BASES + _UNKNOWN + _AMBIGUOUS
_PROTEIN_ONLY = frozenset("EFIJLOPQXZ*")  # letters of proteins that stand for no nucleotide
_COMPLEMENT = bytes.maketrans(b"ACGTRYSWKMBDHV", b"TGCAYRSWMKVHDB")
_BLOCK = 1024  # sequences that are looked at together: one call for many short ones


class CheckedLetters(NamedTuple):
    """Sequences in upper case with T for U, and the numbers of N and of other IUPAC codes in them."""

    sequences: list[str]
    n_unknown: int
    n_ambiguous: int


def check_letters(
    sequences: Sequence[str], *, where: Callable[[int], str], if_empty: str
) -> CheckedLetters:
    """Check letters, and convert them to upper case with T for U; correct sequences are not copied.

    An empty sequence, a protein or letters that are no nucleotide codes raise an `InputError`, which takes
    the place of the sequence from `where`, and the remedy for an empty one from `if_empty`.
    """
    checked: list[str] = []
    n_unknown = n_ambiguous = 0
    for start in range(0, len(sequences), _BLOCK):
        block = list(sequences[start : start + _BLOCK])
        if not all(block):
            msg = f"{where(start + block.index(''))} has no sequence. {if_empty}"
            raise InputError(msg)
        others = _as_bytes("".join(block)).translate(None, _BASES)
        if others.translate(None, _CODES):
            block = [_normalized(letters, where, start + number) for number, letters in enumerate(block)]
            others = _as_bytes("".join(block)).translate(None, _BASES)
        n_unknown += others.count(_UNKNOWN)
        n_ambiguous += len(others) - others.count(_UNKNOWN)
        checked += block
    return CheckedLetters(checked, n_unknown, n_ambiguous)


def is_nucleotides(text: str) -> bool:
    """Return True for a text of nucleotide codes."""
    return bool(text) and not _as_bytes(text).upper().translate(None, _CODES + b"U")


def reverse_complement(letters: str) -> str:
    """Return the reverse complement of a checked sequence."""
    return letters.encode().translate(_COMPLEMENT)[::-1].decode()


def _as_bytes(letters: str) -> bytes:
    return letters.encode("ascii", "replace")


def _normalized(sequence: str, where: Callable[[int], str], number: int) -> str:
    """Return letters in upper case with T for U, or refuse a text that is not a nucleotide sequence."""
    letters = _as_bytes(sequence).upper().replace(b"U", b"T")
    if not letters.translate(None, _CODES):
        return letters.decode()
    foreign = [letter for letter in dict.fromkeys(sequence) if not is_nucleotides(letter)]
    n_usual = len(letters) - len(letters.translate(None, _BASES + _UNKNOWN))
    if {letter.upper() for letter in foreign} <= _PROTEIN_ONLY and 2 * n_usual < len(letters):
        msg = (
            f"{where(number)} looks like a protein. Only DNA and RNA are read: give the coding sequences "
            "instead."
        )
        raise InputError(msg)
    msg = (
        f"{where(number)} holds {shorten(foreign)}, which is not a nucleotide code. Write N for unknown "
        "letters, and remove gaps, numbers and spaces."
    )
    raise InputError(msg)
