"""Records of FASTA and FASTQ through dnaio, with errors that name the line."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import dnaio

from diffaug_bio.errors import InputError
from diffaug_bio.io._endings import FASTA_ENDINGS, FASTQ_ENDINGS
from diffaug_bio.io._stream import bare_name, open_bytes, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Record(NamedTuple):
    """One record as dnaio hands it over; unlike dnaio's own class it allows any letters in headers."""

    name: str
    sequence: str
    qualities: str | None


def first_letter(path: Path) -> str:
    """First letter of a file that is no white space; nothing if there is none near the start."""
    with reading(path), open_bytes(path) as stream:
        return stream.read(1024).decode("ascii", "replace").strip()[:1]


def sequence_format(path: Path) -> Literal["fasta", "fastq"]:
    """Tell FASTA and FASTQ apart by the ending; where that tells nothing, by the first letter."""
    name = bare_name(path)
    if name.endswith(FASTQ_ENDINGS) or (not name.endswith(FASTA_ENDINGS) and first_letter(path) == "@"):
        return "fastq"
    return "fasta"


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a FASTA or FASTQ file, and word what goes wrong on the way.

    Raises
    ------
    InputError
        If the file is cut off, not text, of neither format, or mixes both.
    """
    return _fastq_records(path) if sequence_format(path) == "fastq" else _fasta_records(path)


def _fasta_records(path: Path) -> Iterator[Record]:
    try:
        with reading(path), open_bytes(path) as stream:
            reader = dnaio.FastaReader(stream, sequence_class=Record)
            for record in cast("Iterator[Record]", iter(reader)):
                if "@" in record.sequence:  # dnaio takes a FASTQ record for more letters of the one before
                    _refuse_fastq_inside(path)
                yield record
    except dnaio.FastaFormatError as error:
        hint = ""
        if "'@" in error.message:
            hint = " It looks like FASTQ; convert it to FASTA, or give it the ending .fastq."
        msg = f"{path} is not FASTA, see line {(error.line or 0) + 1}: {error.message}{hint}"
        raise InputError(msg) from error


def _refuse_fastq_inside(path: Path) -> None:
    """Name the first line of FASTA that starts a FASTQ record, if there is one."""
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.startswith(b"@"):
                msg = (
                    f"{path} mixes FASTA and FASTQ: a FASTQ record starts in line {number}. Put the "
                    "records of each format into a file of their own."
                )
                raise InputError(msg)


def _fastq_records(path: Path) -> Iterator[Record]:
    n_read = 0
    try:
        with reading(path), open_bytes(path) as stream:
            reader = dnaio.FastqReader(stream, sequence_class=Record)
            for record in cast("Iterator[Record]", iter(reader)):
                yield record
                n_read += 1
    except dnaio.FastqFormatError as error:
        # dnaio's own line number is another one where a file ends early.
        first = 4 * n_read + 1
        with reading(path), open_bytes(path) as stream:
            rest = islice(stream, first - 1, None)
            lines = [line.decode("utf-8", "replace") for line in islice(rest, 4)]
            if not any(line.strip() for line in lines) and not any(line.strip() for line in rest):
                return  # empty lines at the end
        msg = f"{path} {_wrong_with_fastq(lines, first) or f'is not FASTQ: {error}'}"
        raise InputError(msg) from error


def _wrong_with_fastq(lines: list[str], first: int) -> str | None:
    """Say what is wrong with the four lines of a FASTQ record, of which `first` is the number."""
    is_cut = len(lines) < 4 or not lines[3].endswith("\n")
    header, letters, plus, qualities = (line.rstrip("\r\n") for line in (*lines, "", "", "", "")[:4])
    if not header.startswith("@"):
        if header.startswith(">") and first > 1:
            return (
                f"mixes FASTA and FASTQ: a FASTA record starts in line {first}. Put the records of each "
                "format into a file of their own."
            )
        hint = " It looks like FASTA; give it the ending .fasta." if header.startswith(">") else ""
        return f"is not FASTQ, see line {first}: expected '@' and an id, but got {header[:40]!r}.{hint}"
    where = f"record {header[1:41]!r}"
    if len(lines) > 2 and not plus.startswith("+"):
        return (
            f"{where} has no '+' in line {first + 2}, but {plus[:40]!r}. A read is four lines: '@ID', "
            "letters, '+', qualities."
        )
    if is_cut and len(qualities) < len(letters):
        return f"is cut off in its last {where}, which starts in line {first}. Copy or download it again."
    if len(letters) != len(qualities):
        return (
            f"{where} has {len(letters)} letters, but {len(qualities)} qualities in line {first + 3}. "
            "Give one quality for each letter, or remove the record."
        )
    return None
