"""Kinds of columns: which are features, which are annotations, and which only look like features."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from diffaug_bio._wording import cut
from diffaug_bio.io.table._column_names import (
    is_usual_label,
    may_count_rows,
    names_a_label,
)
from diffaug_bio.io.table._levels import has_few_levels, is_truth
from diffaug_bio.io.table._numbers import look_at
from diffaug_bio.io.table._remedies import refuse_odd
from diffaug_bio.io.table._row_names import counts_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from diffaug_bio.io.table._schema import Schema
    from diffaug_bio.io.table._sides import Sides

logger = logging.getLogger(__name__)

Kind = Literal["annotation", "numeric", "categorical", "ordinal", "maybe", "maybe true", "maybe label"]
"""Kinds of columns; `"maybe"` and `"maybe true"` are features in a table of measured values, and
`"maybe label"` would be, but for its name."""
_MOST_CODES = 50  # different values of a column of codes, such as sites


def is_annotation(column: pd.Series, obs_columns: Collection[str]) -> bool:
    """Return True for a column of labels or batches: asked for, with a usual name, or of text."""
    return column.name in obs_columns or is_usual_label(column.name) or is_text(column)


def is_text(column: pd.Series) -> bool:
    """Return True for a column of text that is not meant to be numbers."""
    return not pd.api.types.is_numeric_dtype(column) and look_at(column).kind == "text"


def holds_labels(column: pd.Series) -> bool:
    """Return True for numbers with some text among them, as a row of labels puts into each column."""
    return not pd.api.types.is_numeric_dtype(column) and look_at(column).kind == "odd"


def kinds_of(frame: pd.DataFrame, schema: Schema, *, may_detect: bool) -> dict[str, Kind]:
    """Decide the kind of each column: what the schema says, else what name and values say.

    Columns of truth values and of text with few levels may be features where `may_detect`, unless their
    name is that of a label, batch or outcome; `settle` decides.
    """
    said: dict[str, Kind] = {
        **dict.fromkeys(schema.annotations, "annotation"),
        **dict.fromkeys(schema.categorical, "categorical"),
        **dict.fromkeys(schema.ordinal, "ordinal"),
        **dict.fromkeys(schema.numeric, "numeric"),
    }
    found: dict[str, Kind] = {}
    # Of thousands of columns, few have to be looked at.
    for name, dtype in zip(map(str, frame.columns), frame.dtypes, strict=True):
        if name in said:
            found[name] = said[name]
        elif is_usual_label(name):
            found[name] = "annotation"
        elif _is_number(dtype):
            found[name] = "numeric"
        else:
            found[name] = _found_kind(frame[name], may_detect=may_detect)
    return found


def _is_number(dtype: Any) -> bool:
    """Return True for a type of numbers; truth values are none."""
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def _found_kind(column: pd.Series, *, may_detect: bool) -> Kind:
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    if may_detect and is_truth(column):
        return "maybe label" if names_a_label(column.name) else "maybe true"
    if may_detect and (is_category or is_text(column)) and has_few_levels(column):
        return "maybe label" if names_a_label(column.name) else "maybe"
    is_label = is_category or pd.api.types.is_bool_dtype(column) or is_text(column)
    return "annotation" if is_label else "numeric"


def numbers_of(frame: pd.DataFrame, sides: Sides) -> pd.DataFrame:
    """Return columns as numbers; refuse numbers that are written otherwise, and text."""
    if all(isinstance(dtype, np.dtype) and _is_number(dtype) for dtype in frame.dtypes):
        return frame
    found: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column):
            look = look_at(column)
            if len(look.wrong):
                named = f"{sides.column} {cut(str(name))!r}"
                refuse_odd(look, column=named, row=sides.row, path=sides.path)
            column = look.values
        if pd.api.types.is_extension_array_dtype(column):  # of parquet, where missing is no number
            found[name] = column.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        else:
            found[name] = column
    return pd.DataFrame(found, index=frame.index)


def identifiers(features: pd.DataFrame, path: Path, *, meant: Collection[str]) -> list[str]:
    """List numeric columns that identify rows, such as `patient_id`, and warn of them; `meant` are none."""
    found = [
        name
        for name in features.columns
        if name not in meant and may_count_rows(name) and counts_rows(features[name], name)
    ]
    if found:
        logger.warning(
            "%s: columns %s are named like identifiers: they are annotations, and no features. To name "
            "the rows by one, say so (`--id`); to have one as a feature, say that (`--numeric`).",
            path.name,
            listed(found),
        )
    return found


def warn_of_twins(frame: pd.DataFrame, path: Path) -> None:
    """Log a warning for labels that differ in blanks or capitals only, and so are different labels."""
    for name in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[name]):
            continue
        levels = frame[name].dropna().astype(str).unique()
        if len(levels) > _MOST_CODES:
            continue
        seen: dict[str, str] = {}
        for level in levels:
            twin = seen.setdefault(" ".join(level.split()).lower(), level)
            if twin != level:
                logger.warning(
                    "%s: column %r holds %r and %r, which are different labels: they differ in blanks or "
                    "capitals only. Write them alike, if they are one.",
                    *(path.name, cut(str(name)), cut(twin), cut(level)),
                )
                break


def as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with categorical columns. Text is a label as it is written: only empty is missing."""
    obs = frame.copy()
    for name in obs.columns:
        obs[name] = _as_category(obs[name])
    obs.columns = obs.columns.astype(str)
    return obs


def _as_category(column: pd.Series) -> pd.Series:
    """Return a categorical column: of numbers or truth values where all are, else of text."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("category")
    texts = column.astype(object).where(column.notna() & (column.astype(object) != ""), None)
    texts = texts.map(str, na_action="ignore")
    levels = texts.dropna().unique()
    if {str(level).lower() for level in levels} <= {"true", "false"} and len(levels):
        return texts.map(lambda text: text.lower() == "true", na_action="ignore").astype("category")
    numbers = pd.to_numeric(pd.Series(levels), errors="coerce")
    is_padded = any(re.match(r"[+-]?0\d", level) for level in levels)  # "01" is a code
    if len(levels) and numbers.notna().all() and numbers.is_unique and not is_padded:
        return texts.map(dict(zip(levels, numbers, strict=True))).astype("category")
    return texts.astype("category")


def listed(names: Sequence[str]) -> str:
    return ", ".join(repr(cut(str(name))) for name in names)
