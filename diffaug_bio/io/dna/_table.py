"""Reading tables with a column of sequences."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pandas as pd

from diffaug_bio._checks import check_columns
from diffaug_bio._keys import SEQUENCE_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.dna._from_sequences import Records, assemble
from diffaug_bio.io.dna._letters import is_nucleotides
from diffaug_bio.io.table import (
    as_categories,
    column_names,
    has_usual_name,
    is_annotation,
    is_text,
    named_rows,
    parse_text,
    read_texts,
)
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    _Table = tuple[pd.DataFrame, str]  # a table and the name of its column of sequences

logger = logging.getLogger(__name__)

_NAMES = (SEQUENCE_KEY, "seq", "dna")  # of columns of sequences, in any case; the first one wins


def read_sequence_table(
    path: Path, *, is_sure: bool, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData | None:
    """Read a table of sequences; see :func:`diffaug_bio.io.read`.

    Unless `is_sure`, return None for a table of features: one without a column of text named `sequence`,
    `seq` or `dna`, or with numeric features beside it.
    """
    table = _require(path, obs_columns, kmers) if is_sure else _find(path, obs_columns)
    if table is None:
        return None
    frame, letters = table
    others = frame.drop(columns=letters)
    if frame.empty:
        msg = f"{path} has no rows below its first line."
        raise InputError(msg)
    check_columns(obs_columns, others, where=path)
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


def _find(path: Path, obs_columns: Sequence[str]) -> _Table | None:
    """Read a table if its columns show that it is one of sequences."""
    named = _named(column_names(path), obs_columns)
    if not named:
        return None
    texts = read_texts(path, named)
    letters = next((name for name in named if _may_be_letters(texts[name])), None)
    if letters is None:
        return None
    frame = _parsed(path, letters, obs_columns)
    others = frame.drop(columns=letters)
    features = [
        name
        for name in others
        if not is_annotation(others[name], obs_columns) and others[name].notna().any()
    ]
    if not features:
        return frame, letters
    if all(map(is_nucleotides, frame[letters])):
        logger.info(
            '%s: column %r holds nucleotides, but column %r numbers; `modality="dna"` reads the sequences.',
            *(path.name, letters, features[0]),
        )
    return None


def _may_be_letters(column: pd.Series) -> bool:
    """Return True for text, also if all of it reads "NaN" or "NA", which are letters of sequences, too."""
    return is_text(column) or (len(column) > 0 and all(map(is_nucleotides, column)))


def _require(path: Path, obs_columns: Sequence[str], kmers: KmerEncoding | None) -> _Table:
    """Read a table of sequences: in a column with a usual name, or the only one of nucleotide letters."""
    names = column_names(path)
    if len(names) == 1 and not _named(names, obs_columns) and is_nucleotides(names[0]):
        msg = (
            f"{path} starts with a sequence. Its first line has to name the columns: {SEQUENCE_KEY!r} "
            "above."
        )
        raise InputError(msg)
    if named := _named(names, obs_columns):
        texts = read_texts(path, named)
        letters = next((name for name in named if _may_be_letters(texts[name])), named[0])
        return _parsed(path, letters, obs_columns), letters
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
    return _parsed(path, found[0], obs_columns), found[0]


def _parsed(path: Path, letters: str, obs_columns: Sequence[str]) -> pd.DataFrame:
    """Read a table, its letters as they are written ("NA" is two), and name its rows, never by letters."""
    frame = parse_text(
        path,
        as_text=lambda name: name == letters or name in obs_columns or has_usual_name(name),
        may_be_single=True,
    )
    if frame.columns[0] == letters:
        return frame.set_axis(pd.RangeIndex(len(frame)).astype(str))
    return named_rows(frame, path, transpose=False, are_sequences=True).frame


def _named(names: Sequence[str], obs_columns: Sequence[str]) -> list[str]:
    """List columns with a usual name for sequences, the most usual first."""
    usual = [name for name in names if name.strip().lower() in _NAMES and name not in obs_columns]
    return sorted(usual, key=lambda name: _NAMES.index(name.strip().lower()))


def _holds_sequences(column: pd.Series, k: int) -> bool:
    """Return True for a column of nucleotide letters with enough of them for a word in some row."""
    return all(map(is_nucleotides, filter(None, column))) and column.str.len().max() >= k
