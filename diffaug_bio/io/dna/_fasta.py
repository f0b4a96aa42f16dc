"""Reading FASTA and FASTQ: letters, annotations in the headers, and the mean quality of reads."""

from __future__ import annotations

import logging
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, cast

import dnaio
import numpy as np
import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import QUALITY_KEY, SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import FASTA_ENDINGS, FASTQ_ENDINGS, bare_name, open_bytes, reading
from diffaug_bio.io.dna._from_sequences import Records, assemble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding

logger = logging.getLogger(__name__)

_PHRED_ZERO = 33  # ASCII code of quality 0 ("Phred+33", of all sequencers since 2011)
_PHRED_LETTERS = bytes(range(_PHRED_ZERO, 127))
_MIXED = "Put the records of each format into a file of their own."
# `key=value`, `key="two words"` or, as NCBI writes it, `[key=two words]`
_ANNOTATION = re.compile(
    r"""(?<!\S)(?:
        \[ ([^\W\d_][\w.-]*) = ([^\]]*) \]
        | ([^\W\d_][\w.-]*) = (?: "([^"]*)" | (\S*) )
    )(?!\S)""",
    re.VERBOSE,
)


class _Record(NamedTuple):
    """Record as dnaio returns it; dnaio's own class refuses letters other than ASCII in headers."""

    name: str
    sequence: str
    qualities: str | None


def read_sequences(path: Path, *, obs_columns: Sequence[str], kmers: KmerEncoding | None) -> AnnData:
    """Read FASTA or FASTQ, plain or gzipped; see :func:`diffaug_bio.io.read`."""
    records = parse_sequences(path)
    check_keys(records, obs_columns)
    return assemble(records, kmers)


def check_keys(records: Records, obs_columns: Iterable[str]) -> None:
    """Raise an `InputError` for a key that no header has."""
    keys = list(records.obs.columns)
    if unknown := [name for name in obs_columns if name not in keys]:
        msg = (
            f"{records.origin} has no {unknown[0]!r} in its headers; keys found there are "
            f"{shorten(keys) or 'none'}. Write headers as '>ID {unknown[0]}=VALUE'."
        )
        raise InputError(msg)


def parse_sequences(path: Path) -> Records:
    """Read letters, not checked yet, ids and annotations of a FASTA or FASTQ file."""
    ids: list[str] = []
    sequences: list[str] = []
    annotations: list[dict[str, str]] = []
    qualities: list[float] = []
    is_fastq = _is_fastq(path)
    for record in _fastq_records(path) if is_fastq else _fasta_records(path):
        words = record.name.split(maxsplit=1)
        if not words:
            msg = f"{path} record {len(ids) + 1} has no id. Write its header as '>ID'."
            raise InputError(msg)
        ids.append(words[0])
        sequences.append(record.sequence)
        annotations.append(_annotations(words[1], path, words[0]) if len(words) > 1 else {})
        if record.qualities is not None:
            qualities.append(_mean_quality(record.qualities, path, words[0]))
    if not ids:
        form = (
            "lines '@ID', letters, '+' and qualities" if is_fastq else "a line '>ID' and lines of letters"
        )
        msg = f"{path} is empty: it holds no record. Records are {form}."
        raise InputError(msg)
    check_unique(ids, what="record ids", remedy=f"Give each record of {path} its own.")
    keys = list(dict.fromkeys(key for annotation in annotations for key in annotation))
    logger.info("%s: keys in headers: %s.", path.name, shorten(keys) or "none")
    columns = {key: pd.Categorical([given.get(key) for given in annotations]) for key in keys}
    means = {QUALITY_KEY: np.array(qualities, np.float32)} if qualities else {}
    return Records(
        origin=str(path),
        sequences=sequences,
        names=ids,
        obs=pd.DataFrame(columns | means, index=range(len(ids))),
        where=lambda number: f"{path} record {ids[number]!r}",
        if_empty="Add it below the header, or remove the header.",
    )


def first_letter(path: Path) -> str:
    """Return the first character near the start of a file that is not white space, or an empty text."""
    with reading(path), open_bytes(path) as stream:
        return stream.read(1024).decode("ascii", "replace").strip()[:1]


def _is_fastq(path: Path) -> bool:
    """Return True for FASTQ by the ending or, if that is not known, by the first letter."""
    name = bare_name(path)
    return name.endswith(FASTQ_ENDINGS) or (not name.endswith(FASTA_ENDINGS) and first_letter(path) == "@")


def _mean_quality(qualities: str, path: Path, name: str) -> float:
    """Return the mean Phred quality of a read; 0 without letters, which is refused elsewhere."""
    letters = qualities.encode("ascii", "replace")
    if letters.translate(None, _PHRED_LETTERS):
        msg = (
            f"{path} record {name!r} has letters in its quality line that stand for no quality. They have "
            f"to be of ASCII, from '!' (0) to '~' (93)."
        )
        raise InputError(msg)
    return sum(letters) / len(letters) - _PHRED_ZERO if letters else 0.0


def _annotations(text: str, path: Path, name: str) -> dict[str, str]:
    """Find every `key=value` in a header; a key without a value is missing."""
    found: dict[str, str] = {}
    for bracketed, of_bracketed, key, quoted, plain in _ANNOTATION.findall(text):
        key, value = bracketed or key, of_bracketed or quoted or plain  # noqa: PLW2901 - one of three
        if key in {SEQUENCE_KEY, QUALITY_KEY}:
            msg = (
                f"{path} record {name!r} has the header key {key!r}, a name that is taken. Rename the key."
            )
            raise InputError(msg)
        if found.get(key, value) != value:
            msg = f"{path} record {name!r} has two values of {key!r}. Keep one, or rename a key."
            raise InputError(msg)
        if value:
            found[key] = value
    return found


def _fasta_records(path: Path) -> Iterator[_Record]:
    try:
        with reading(path), open_bytes(path) as stream:
            reader = dnaio.FastaReader(stream, sequence_class=_Record)
            for record in cast("Iterator[_Record]", iter(reader)):
                if "@" in record.sequence:  # dnaio appends a FASTQ record to the letters of the one before
                    _refuse_fastq_inside(path)
                yield record
    except dnaio.FastaFormatError as error:
        hint = ""
        if "'@" in error.message:
            hint = " It looks like FASTQ; convert it to FASTA, or give it the ending .fastq."
        msg = f"{path} is not FASTA, see line {(error.line or 0) + 1}: {error.message}{hint}"
        raise InputError(msg) from error


def _refuse_fastq_inside(path: Path) -> None:
    """Name the first line of a FASTA file that starts a FASTQ record, if there is one."""
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.startswith(b"@"):
                msg = f"{path} mixes FASTA and FASTQ: a FASTQ record starts in line {number}. {_MIXED}"
                raise InputError(msg)


def _fastq_records(path: Path) -> Iterator[_Record]:
    n_read = 0
    try:
        with reading(path), open_bytes(path) as stream:
            reader = dnaio.FastqReader(stream, sequence_class=_Record)
            for record in cast("Iterator[_Record]", iter(reader)):
                yield record
                n_read += 1
    except dnaio.FastqFormatError as error:
        # dnaio counts lines differently where a file ends early.
        first = 4 * n_read + 1
        with reading(path), open_bytes(path) as stream:
            rest = islice(stream, first - 1, None)
            lines = [line.decode("utf-8", "replace") for line in islice(rest, 4)]
            if not any(line.strip() for line in lines) and not any(line.strip() for line in rest):
                return  # empty lines at the end
        msg = f"{path} {_wrong_with_fastq(lines, first) or f'is not FASTQ: {error}'}"
        raise InputError(msg) from error


def _wrong_with_fastq(lines: list[str], first: int) -> str | None:
    """Word what is wrong with the four lines of a FASTQ record that starts in line `first`."""
    is_cut = len(lines) < 4 or not lines[3].endswith("\n")
    header, letters, plus, qualities = (line.rstrip("\r\n") for line in (*lines, "", "", "", "")[:4])
    if not header.startswith("@"):
        if header.startswith(">") and first > 1:
            return f"mixes FASTA and FASTQ: a FASTA record starts in line {first}. {_MIXED}"
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
