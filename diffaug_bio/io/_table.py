"""Reading delimited text: delimiter, ids, annotations and missing values are detected."""

from __future__ import annotations

import csv
import logging
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd

from diffaug_bio._checks import check_columns, check_unique
from diffaug_bio._wording import cut, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import open_text, reading
from diffaug_bio.matrix.summary import as_float32

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_DELIMITERS = (",", "\t", ";", "|")
_ID_NAMES = frozenset(
    {"", "id", "ids", "index", "name", "names", "cell", "cells", "cell_id", "barcode", "barcodes"}
    | {"sample", "samples", "sample_id", "sampleid", "gene", "genes", "gene_id", "unnamed: 0"}
)
_OBS_NAMES = frozenset(
    {"label", "labels", "class", "target", "batch", "cell_type", "celltype", "cluster", "group"}
    | {"generated", "source"}
)
_DECIMAL_COMMA = r"[+-]?\d+,\d+"
_MOSTLY_TEXT = 0.5  # of a column's values; with fewer, text among numbers is a mistake


def read_table(path: Path, *, obs_columns: Sequence[str], transpose: bool) -> AnnData:
    """Read a table of features; see :func:`diffaug_bio.io.read`."""
    frame = parse_table(path)
    if transpose:
        frame = frame.T.infer_objects()
    texts = [name for name in frame.columns if is_text(frame[name])]
    check_columns(obs_columns, frame.columns, where=path, listed=texts)
    annotations = [name for name in frame.columns if is_annotation(frame[name], obs_columns)]
    for column in annotations:
        values = frame[column].dropna().astype(str)
        if column in texts and values.str.fullmatch(_DECIMAL_COMMA).all():
            msg = f"{path} column {str(column)!r} has decimal commas. Write numbers with a point."
            raise InputError(msg)
    features = frame.drop(columns=annotations)
    if features.shape[1] == 0:
        msg = f"{path} has no numeric column."
        raise InputError(msg)
    for name in [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]:
        features[name] = _numbers(features[name], path)
    if annotations:
        logger.info("%s: columns %s are annotations, not features.", path.name, shorten(annotations))
    names = features.columns.astype(str)
    try:
        matrix = as_float32(features, list(names))
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error
    return anndata.AnnData(X=matrix, obs=as_categories(frame[annotations]), var=pd.DataFrame(index=names))


def parse_table(path: Path, *, letters: str | None = None) -> pd.DataFrame:
    """Read text into a frame indexed by ids or row numbers; `letters` ("NA" is two) are kept, never ids."""
    with _parsing(path):
        delimiter, names = _header(path, may_be_single=letters is not None)
        _refuse_ragged(path, delimiter)
        ids = None
        if names[0] != letters:
            with open_text(path) as stream:
                ids = _ids(stream, path, delimiter)
        with open_text(path) as stream:
            # Ids were read on their own, as text: "001" and "NA" are names.
            kept = list(range(0 if ids is None else 1, len(names)))
            as_written = {} if letters is None else {letters: str}
            frame = pd.read_csv(
                stream, sep=delimiter, low_memory=False, usecols=kept, converters=as_written
            )
    frame.index = pd.RangeIndex(len(frame)).astype(str) if ids is None else pd.Index(ids)
    return frame


def column_names(path: Path) -> list[str]:
    """Read the column names in the first line of a table."""
    with _parsing(path):
        return _header(path, may_be_single=True)[1]


def read_texts(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Read some columns of a table as text."""
    with _parsing(path):
        delimiter, columns = _header(path, may_be_single=True)
        places = sorted(columns.index(name) for name in names)
        _refuse_ragged(path, delimiter)
        with open_text(path) as stream:
            texts = pd.read_csv(stream, sep=delimiter, usecols=places, dtype=str, keep_default_na=False)
    return texts.set_axis([columns[place] for place in places], axis=1)


def is_annotation(column: pd.Series, obs_columns: Sequence[str]) -> bool:
    """Return True for a column of labels or batches: asked for, with a usual name, or of text."""
    return column.name in obs_columns or str(column.name).lower() in _OBS_NAMES or is_text(column)


def has_usual_name(name: object) -> bool:
    """Return True for a usual name of a column of ids or labels."""
    return str(name).strip().lower() in _ID_NAMES | _OBS_NAMES


def as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with categorical columns; values other than numbers become text."""
    obs = frame.copy()
    for name in obs.columns:
        if not pd.api.types.is_numeric_dtype(obs[name]):
            obs[name] = obs[name].map(str, na_action="ignore")
        obs[name] = obs[name].astype("category")
    obs.columns = obs.columns.astype(str)
    return obs


def is_text(column: pd.Series) -> bool:
    """Return True if most values of a column are text."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    present = column.dropna()
    numeric = pd.to_numeric(present, errors="coerce").notna().sum()
    return len(present) > 0 and numeric < (1 - _MOSTLY_TEXT) * len(present)


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Turn errors of parsing a table into an `InputError` that names the file."""
    try:
        with reading(path):
            yield
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        msg = f"{path} is not a table: {error}."
        raise InputError(msg) from error


def _header(path: Path, *, may_be_single: bool) -> tuple[str, list[str]]:
    """Detect the delimiter, the most frequent one in the first line, and read the column names."""
    with open_text(path) as stream:
        header = stream.readline()
    if not header.strip():
        msg = f"{path} is empty or starts with an empty line; its first line has to name the columns."
        raise InputError(msg)
    if "\0" in header:
        msg = f"{path} is not a text file."
        raise InputError(msg)
    delimiter = max(_DELIMITERS, key=header.count)
    if header.count(delimiter) == 0 and not may_be_single:
        msg = (
            f"{path} has a single column: its header {header.strip()[:40]!r} holds no comma, tab, "
            "semicolon or vertical bar."
        )
        raise InputError(msg)
    with open_text(path) as stream:  # a quoted name may go on in the next line
        names = next(csv.reader(stream, delimiter=delimiter))
    check_unique(names, what="column names", remedy=f"Rename them in {path}.")
    return delimiter, names


def _refuse_ragged(path: Path, delimiter: str) -> None:
    """Refuse lines with more or fewer fields than the header, which pandas would fill silently."""
    expected = None
    for number, found in _field_counts(path, delimiter):
        expected = expected or found
        if found != expected:
            msg = (
                f"{path} line {number} has {found} fields, the header has {expected}. Correct that line, "
                "or quote values that hold the delimiter."
            )
            raise InputError(msg)


def _field_counts(path: Path, delimiter: str) -> Iterator[tuple[int, int]]:
    """Yield the number of each line that is not empty, and the number of its fields."""
    with open_text(path) as stream:
        for number, line in enumerate(_without_nul(stream, path), start=1):
            if '"' in line:
                break
            if line.strip():
                yield number, line.count(delimiter) + 1
        else:
            return
    # Quoted fields may hold delimiters and line ends, which the csv module parses, but more slowly.
    with open_text(path) as stream:
        rows = csv.reader(_without_nul(stream, path), delimiter=delimiter)
        yield from ((rows.line_num, len(row)) for row in rows if row)


def _without_nul(stream: IO[str], path: Path) -> Iterator[str]:
    """Yield lines, and refuse NUL bytes, at which pandas would end a field."""
    for number, line in enumerate(stream, start=1):
        if "\0" in line:
            msg = f"{path} is not a text file: line {number} holds a NUL byte."
            raise InputError(msg)
        yield line


def _ids(stream: IO[str], path: Path, delimiter: str) -> list[str] | None:
    """Read the first column if it holds ids: by its name, or because it is unique text."""
    first = pd.read_csv(stream, sep=delimiter, usecols=[0], dtype=str, keep_default_na=False)
    column = first.iloc[:, 0]
    name = str(column.name)
    named = name.strip().lower() in _ID_NAMES or name.startswith("Unnamed: ")
    looks_like_id = column.is_unique and is_text(column) and name.lower() not in _OBS_NAMES
    if not (named or looks_like_id):
        return None
    if (column == "").any():
        msg = f"{path} has {int((column == '').sum())} rows without an id in column {name!r}."
        raise InputError(msg)
    check_unique(column, what=f"ids in column {name!r}", remedy=f"Give each row of {path} its own.")
    return [str(value) for value in column]


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    """Convert a column that is mostly numbers, or name its first value that is not."""
    values = pd.to_numeric(column, errors="coerce")
    wrong = values.isna() & column.notna()
    if wrong.any():
        row = column.index[int(np.flatnonzero(wrong)[0])]
        msg = (
            f"{path} column {str(column.name)!r} is numeric, but row {row!r} holds "
            f"{cut(str(column[row]))!r} ({int(wrong.sum())} such values). Write a number, or leave the "
            "cell empty if it is missing."
        )
        raise InputError(msg)
    return values
