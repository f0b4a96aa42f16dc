"""Reading tables that have a column of sequences."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from diffaug_bio._keys import SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._table import (
    as_categories,
    column_names,
    has_usual_name,
    is_annotation,
    is_text,
    parse_table,
    read_texts,
)
from diffaug_bio.io.dna._from_sequences import Records, assemble
from diffaug_bio.io.dna._letters import is_nucleotides
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_NAMES = (SEQUENCE_KEY, "seq", "dna")  # of columns of sequences, in any case; the first one wins


class SequenceTable(NamedTuple):
    """A table and its column of sequences."""

    frame: pd.DataFrame
    letters: str


def find_sequence_table(path: Path, *, obs_columns: Sequence[str]) -> SequenceTable | None:
    """Read a table of sequences, or nothing if its columns say that it is one of features.

    It is one of sequences if a column of text is named `sequence`, `seq` or `dna`, and no other column is a
    numeric feature.
    """
    named = _named(column_names(path, may_be_single=True), obs_columns)
    if not named:
        return None
    texts = read_texts(path, named)
    letters = next((name for name in named if is_text(texts[name])), None)
    if letters is None:
        return None
    frame = parse_table(path, letters=letters)
    others = frame.drop(columns=letters)
    features = [
        name
        for name in others
        if not is_annotation(others[name], obs_columns) and others[name].notna().any()
    ]
    if not features:
        return SequenceTable(frame, letters)
    if all(map(is_nucleotides, frame[letters])):
        logger.info(
            '%s: column %r holds nucleotides, but column %r numbers; `modality="dna"` reads the sequences.',
            *(path.name, letters, features[0]),
        )
    return None


def require_sequence_table(
    path: Path, *, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> SequenceTable:
    """Read a table that is said to hold sequences.

    Raises
    ------
    InputError
        If no column has a usual name for sequences, and not exactly one holds nothing but nucleotides.
    """
    names = column_names(path, may_be_single=True)
    if len(names) == 1 and not _named(names, obs_columns) and is_nucleotides(names[0]):
        msg = (
            f"{path} starts with a sequence. Its first line has to name the columns: {SEQUENCE_KEY!r} "
            "above."
        )
        raise InputError(msg)
    if named := _named(names, obs_columns):
        texts = read_texts(path, named)
        letters = next((name for name in named if is_text(texts[name])), named[0])
        return SequenceTable(parse_table(path, letters=letters), letters)
    candidates = [name for name in names if name not in obs_columns and not has_usual_name(name)]
    texts = read_texts(path, candidates)
    k = max((kmers or KmerEncoding()).k)
    found = [name for name in candidates if _holds_sequences(texts[name], k)]
    if len(found) != 1:
        which = f"{len(found)} columns" if found else "no column"
        msg = (
            f"{path} has {which} of nothing but nucleotide letters: {shorten(found or names)}. Name the "
            f"one of the sequences {SEQUENCE_KEY!r}."
        )
        raise InputError(msg)
    return SequenceTable(parse_table(path, letters=found[0]), found[0])


def read_sequence_table(
    path: Path, table: SequenceTable, *, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData:
    """Make an AnnData of a table of sequences; see :func:`diffaug_bio.io.read`.

    Raises
    ------
    InputError
        If a column asked for is not there, or something is no nucleotide sequence.
    """
    frame, letters = table
    others = frame.drop(columns=letters)
    if frame.empty:
        msg = f"{path} has no rows below its first line."
        raise InputError(msg)
    if unknown := [name for name in obs_columns if name not in others]:
        msg = (
            f"{path} has no column {unknown[0]!r}; columns beside the sequences are "
            f"{shorten(others) or 'none'}."
        )
        raise InputError(msg)
    if SEQUENCE_KEY in others:
        msg = f"{path} has columns {letters!r} and {SEQUENCE_KEY!r}. Rename the one that holds no letters."
        raise InputError(msg)
    annotations = [name for name in others if is_annotation(others[name], obs_columns)]
    annotations += [name for name in others if not pd.api.types.is_numeric_dtype(others[name])]
    categories = as_categories(others[list(dict.fromkeys(annotations))])
    obs = others.assign(**{str(name): categories[name] for name in categories})
    logger.info(
        "%s: column %r holds the sequences; columns %s are annotations.",
        *(path.name, letters, shorten(obs.columns) or "none"),
    )
    ids = [str(name) for name in frame.index]
    return assemble(
        Records(
            origin=str(path),
            sequences=list(frame[letters]),
            names=ids,
            obs=obs,
            where=lambda number: f"{path} row {ids[number]!r} column {letters!r}",
            if_empty="Fill it in, or remove the row.",
        ),
        kmers,
    )


def _named(names: Sequence[str], obs_columns: Sequence[str]) -> list[str]:
    """Columns with a usual name for sequences, the most usual first."""
    usual = [name for name in names if name.strip().lower() in _NAMES and name not in obs_columns]
    return sorted(usual, key=lambda name: _NAMES.index(name.strip().lower()))


def _holds_sequences(column: pd.Series, k: int) -> bool:
    """Whether a column holds nucleotide letters only, and in some row enough for a word."""
    return all(map(is_nucleotides, filter(None, column))) and column.str.len().max() >= k
