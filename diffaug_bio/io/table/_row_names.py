"""Row names of a table: which column holds them, and what to do where they repeat."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.table._column_names import (
    ends_as_id,
    is_usual_id,
    is_usual_label,
    may_count_rows,
    names_cells,
    names_genes,
)
from diffaug_bio.io.table._numbers import look_at, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

logger = logging.getLogger(__name__)

_NAMELESS_IN_R = "X"  # a column without a name, once R has read and written the table; elsewhere a place


class Named(NamedTuple):
    """A table whose rows are named."""

    frame: pd.DataFrame
    """Columns besides the row names, with the row names as index."""
    id_name: str | None
    """Column of the row names; None if rows are numbered."""


def named_rows(
    frame: pd.DataFrame,
    path: Path,
    *,
    transpose: bool,
    id_column: str | None = None,
    claimed: Collection[str] = (),
    kept: Collection[str] = (),
    are_sequences: bool = False,
) -> Named:
    """Take a column of names, the index, or the first column if it holds row names, or number the rows.

    Columns in `claimed` are features, whatever they look like; those in `kept` may name rows, and are
    columns as well. Names that repeat are numbered where they are those of features (`transpose`), else
    refused; `are_sequences` says that rows are no genes of a table that is to be turned.
    """
    first = None if not frame.shape[1] else str(frame.columns[0])
    if id_column is not None:
        texts, name = _texts(frame[id_column]), id_column
    elif not isinstance(frame.index, pd.RangeIndex):
        texts, name = _texts(frame.index.to_series()), str(frame.index.name or "")
    elif first is not None and first not in claimed and _may_name(frame, path, kept, transpose=transpose):
        texts, name = _texts(frame[first]), first
    else:
        return _named(frame, pd.RangeIndex(len(frame)).astype(str), None)
    if name in frame.columns and name not in kept:
        frame = frame.drop(columns=name)
    if (texts == "").any():
        what = "features without a name" if transpose else "rows without an id"
        msg = (
            f"{path} has {int((texts == '').sum())} {what} in column {name!r}. Fill them in, or remove "
            "these rows."
        )
        raise InputError(msg)
    if transpose and not texts.is_unique:
        from anndata.utils import make_index_unique

        repeated = list(dict.fromkeys(texts[texts.duplicated()]))
        logger.warning(
            "%s: %d names in column %r occur more than once: %s. They are numbered in their order, as "
            "scanpy does (%r, %r). To have one feature of each name, sum or select these rows first.",
            *(path.name, len(repeated), name, shorten(repeated), repeated[0], f"{repeated[0]}-1"),
        )
        return _named(frame, make_index_unique(pd.Index(texts, dtype=object)), name)
    remedy = f"Give each row of {path} its own."
    if names_genes(name) and not are_sequences:
        remedy = (
            f"If genes are in rows, read {path} with `--transpose` (`transpose=True`), which numbers them."
        )
    check_unique(texts, what=f"ids in column {name!r}", remedy=remedy)
    return _named(frame, pd.Index(list(texts), dtype=object), name)


def _named(frame: pd.DataFrame, names: pd.Index, id_name: str | None) -> Named:
    """Name the rows of a frame without a copy of its values."""
    frame = frame.copy(deep=False)
    frame.index = names
    return Named(frame, id_name)


def counts_rows(values: pd.Series, name: object) -> bool:
    """Return True for numbers that identify rows: named as ids are, or all different and named `nr`."""
    if ends_as_id(name):
        return whole_numbers(values.dropna())
    return may_count_rows(name) and values.is_unique and whole_numbers(values)


def _may_name(frame: pd.DataFrame, path: Path, kept: Collection[str], *, transpose: bool) -> bool:
    """Return True if the first column holds row names; an annotation only where it can."""
    column = frame.iloc[:, 0]
    if str(column.name) in kept and not column.is_unique:
        return False
    return _are_names(column, path, transpose=transpose)


def _are_names(column: pd.Series, path: Path, *, transpose: bool) -> bool:
    """Return True if the first column holds names: by its own name, or because it is unique text."""
    name = column.name
    if is_usual_id(name):
        return True
    if is_usual_label(name):
        return False
    if transpose and names_genes(name):
        return True
    look = look_at(column)
    if look.kind == "text":
        return transpose or column.is_unique
    may_count = (
        may_count_rows(name) or names_cells(name) or (name == _NAMELESS_IN_R and _counts(look.values))
    )
    if not may_count or not column.is_unique or not whole_numbers(look.values):
        return False
    logger.info(
        "%s: column %r holds another whole number in each row: it names the rows, and is no feature "
        "(`--numeric` makes it one).",
        path.name,
        name,
    )
    return True


def _counts(values: pd.Series) -> bool:
    """Return True for 1, 2, 3 and so on."""
    return np.array_equal(values.to_numpy(), np.arange(1, len(values) + 1))


def _texts(values: pd.Series) -> pd.Series:
    """Return values as text, and missing ones as no text."""
    return values.astype(object).where(values.notna(), "").map(str)
