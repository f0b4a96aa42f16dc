"""Reading FASTA and FASTQ: letters, what the headers say, and how good reads are."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import QUALITY_KEY, SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.dna._fastx import read_records, sequence_format
from diffaug_bio.io.dna._from_sequences import Records, assemble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding

logger = logging.getLogger(__name__)

_PHRED_ZERO = 33  # the letter that stands for quality 0 ("Phred+33", of all sequencers since 2011)
_PHRED_LETTERS = bytes(range(_PHRED_ZERO, 127))
# `key=value`, `key="two words"` or, as NCBI writes it, `[key=two words]`
_ANNOTATION = re.compile(
    r"""(?<!\S)(?:
        \[ ([^\W\d_][\w.-]*) = ([^\]]*) \]
        | ([^\W\d_][\w.-]*) = (?: "([^"]*)" | (\S*) )
    )(?!\S)""",
    re.VERBOSE,
)


def read_sequences(
    path: Path, *, obs_columns: Sequence[str] = (), kmers: KmerEncoding | None = None
) -> AnnData:
    """Read nucleotide sequences from FASTA or FASTQ, plain or gzipped; see :func:`diffaug_bio.io.read`.

    Parameters
    ----------
    path
        The file. RNA is read as DNA.
    obs_columns
        Keys that have to be in the headers.
    kmers
        How words are counted.

    Returns
    -------
    A row per record, named by the first word of its header; see
    :func:`diffaug_bio.io.from_sequences`. `.obs` holds a categorical column for every `key=value` of the
    headers, missing where a header lacks the key; of FASTQ also `mean_quality`, the mean Phred quality of
    each read, float32.

    Raises
    ------
    InputError
        If the file is empty, cut off, of neither format or not of nucleotides, if a record has no id, no
        letters, or the id of another, or if a key is not there.
    """
    records = parse_sequences(path)
    check_keys(records, obs_columns)
    return assemble(records, kmers)


def check_keys(records: Records, obs_columns: Iterable[str]) -> None:
    """Refuse keys that no header has."""
    keys = list(records.obs.columns)
    if unknown := [name for name in obs_columns if name not in keys]:
        msg = (
            f"{records.origin} has no {unknown[0]!r} in its headers; keys found there are "
            f"{shorten(keys) or 'none'}. Write headers as '>ID {unknown[0]}=VALUE'."
        )
        raise InputError(msg)


def parse_sequences(path: Path) -> Records:
    """Read letters, ids and annotations of a FASTA or FASTQ file; letters are not checked."""
    ids: list[str] = []
    sequences: list[str] = []
    annotations: list[dict[str, str]] = []
    qualities: list[float] = []
    for record in read_records(path):
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
        is_fastq = sequence_format(path) == "fastq"
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


def _mean_quality(qualities: str, path: Path, name: str) -> float:
    """Mean of the Phred qualities of a read; one without letters is refused elsewhere."""
    letters = qualities.encode("ascii", "replace")
    if letters.translate(None, _PHRED_LETTERS):
        msg = (
            f"{path} record {name!r} has letters in its quality line that stand for no quality. They have "
            f"to be of ASCII, from '!' (0) to '~' (93)."
        )
        raise InputError(msg)
    return sum(letters) / len(letters) - _PHRED_ZERO if letters else 0.0


def _annotations(text: str, path: Path, name: str) -> dict[str, str]:
    """Find the `key=value` of a header; a key without a value is missing."""
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
