"""Parsing text into a frame: numbers as numbers, everything else letter by letter."""

from __future__ import annotations

import logging
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from diffaug_bio.io._files import open_text
from diffaug_bio.io.table._layout import find_header, find_layout, log_layout, parsing
from diffaug_bio.io.table._lines import BLANK, parted, skip_lines
from diffaug_bio.io.table._numbers import MISSING_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from diffaug_bio.io.table._layout import Layout

logger = logging.getLogger(__name__)


def parse_text(
    path: Path,
    *,
    as_text: Callable[[str], bool] = lambda _: False,
    may_be_single: bool = False,
    is_logged: bool = True,
) -> pd.DataFrame:
    """Read a text table into a frame with a column for each field, and rows counted from 0.

    The first column, those whose names `as_text` picks, and all that hold anything but numbers and words
    for missing ones are text as it is written, empty cells `""`; the others are numbers.
    """
    with parsing(path):
        layout = find_layout(path, may_be_single=may_be_single)
        if is_logged:
            log_layout(path, layout)
        first = 1 if layout.is_numbered else 0
        names = layout.names
        kept = range(first, len(names))
        texts = [place for place in kept if place == first or as_text(names[place])]
        numbers = sorted({*kept} - {*texts})
        frame = _columns(path, layout, numbers, is_text=False)
        odd = [place for place, dtype in zip(numbers, frame.dtypes, strict=True) if not _is_number(dtype)]
        text = _columns(path, layout, sorted([*texts, *odd]), is_text=True)
        if odd:
            frame = frame.drop(columns=odd)
        frame = pd.concat([frame, text], axis=1)[list(kept)]
    unnamed = [place for place in kept if place != first and not names[place]]
    frame = _without_empty(frame, unnamed, path, is_logged=is_logged)
    left = [int(place) for place in frame.columns]
    named = [names[place] or ("" if place == first else f"Unnamed: {place}") for place in left]
    frame.columns = pd.Index(named, dtype=object)
    return frame


def column_names(path: Path) -> list[str]:
    """Read the column names of a table."""
    with parsing(path):
        return list(find_header(path, may_be_single=True).names)


def read_texts(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Read some columns of a table as text."""
    with parsing(path):
        layout = find_layout(path, may_be_single=True)
        places = sorted(layout.names.index(name) for name in names)
        texts = _columns(path, layout, places, is_text=True)
    return texts.set_axis([layout.names[place] for place in places], axis=1)


def _columns(path: Path, layout: Layout, places: Sequence[int], *, is_text: bool) -> pd.DataFrame:
    """Read the fields at some places of each line, named by their place."""
    if not places:
        return pd.DataFrame()
    with open_text(path) as stream:
        _skip_header(stream, layout)
        return pd.read_csv(
            stream,
            sep=r"\s+" if layout.delimiter == BLANK else layout.delimiter,
            header=None,
            names=list(range(len(layout.names))),
            usecols=list(places),
            nrows=layout.n_rows,
            index_col=False,
            low_memory=False,
            dtype=str if is_text else None,
            keep_default_na=False,
            na_values=[] if is_text else ["", *MISSING_WORDS],
        )


def _skip_header(stream: IO[str], layout: Layout) -> None:
    """Read up to the first row: a quoted name may go on in the next line."""
    skip_lines(stream, layout.n_before)
    next(parted(iter(stream.readline, ""), layout.delimiter), None)


def _is_number(dtype: Any) -> bool:
    """Return True for the type of a column that pandas reads as numbers; true and false are words."""
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def _without_empty(
    frame: pd.DataFrame, unnamed: Sequence[int], path: Path, *, is_logged: bool
) -> pd.DataFrame:
    """Leave out what a spreadsheet adds: columns without name and values, and rows without any value."""
    texts = frame.select_dtypes(object).columns
    is_missing = frame.isna()
    is_missing[texts] = frame[texts] == ""
    if frame.shape[1] > 1 and (empty := is_missing.all(axis=1)).any():
        n_rows = int(empty.sum())
        if is_logged:
            logger.info("%s: left out %d rows without any value.", path.name, n_rows)
        frame, is_missing = frame[~empty].reset_index(drop=True), is_missing[~empty]
    if void := [place for place in unnamed if is_missing[place].all()]:
        if is_logged:
            logger.info("%s: left out %d columns without name and values.", path.name, len(void))
        frame = frame.drop(columns=void)
    return frame
