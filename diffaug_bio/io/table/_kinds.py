"""Kinds of columns: which are features, which are annotations, and which only look like features."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from diffaug_bio._wording import cut
from diffaug_bio.io.table._column_names import is_usual_label, names_a_label
from diffaug_bio.io.table._numbers import look_at, whole_numbers
from diffaug_bio.io.table._remedies import refuse_odd
from diffaug_bio.io.table._row_names import counts_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


logger = logging.getLogger(__name__)

_MOST_CODES = 50  # different values of a column of codes, such as sites
_ROWS_A_CODE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """How a file calls what a table has in columns and in rows: the other way round if it is transposed."""

    path: Path
    column: str = "column"
    row: str = "row"


def is_annotation(column: pd.Series, obs_columns: Collection[str]) -> bool:
    """Return True for a column of labels or batches: asked for, with a usual name, or of text."""
    return column.name in obs_columns or is_usual_label(column.name) or is_text(column)


def is_text(column: pd.Series) -> bool:
    """Return True for a column of text that is not meant to be numbers."""
    return not pd.api.types.is_numeric_dtype(column) and look_at(column).kind == "text"


def holds_labels(column: pd.Series) -> bool:
    """Return True for numbers with some text among them, as a row of labels puts into each column."""
    return not pd.api.types.is_numeric_dtype(column) and look_at(column).kind == "odd"


def features_of(frame: pd.DataFrame, annotations: Collection[str], sides: Sides) -> pd.DataFrame:
    """Return all columns but annotations as numbers; refuse numbers that are written otherwise."""
    found: dict[str, Any] = {}
    for name in frame.columns:
        if name in annotations:
            continue
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column):
            look = look_at(column)
            if look.kind == "odd":
                named = f"{sides.column} {cut(str(name))!r}"
                refuse_odd(look, column=named, row=sides.row, path=sides.path)
            column = look.values
        if pd.api.types.is_extension_array_dtype(column):  # of parquet, where missing is no number
            found[name] = column.astype("Float64").to_numpy(np.float64, na_value=np.nan)
        else:
            found[name] = column
    return pd.DataFrame(found, index=frame.index)


def identifiers(features: pd.DataFrame, path: Path) -> list[str]:
    """List numeric columns that identify rows, such as `patient_id`, and log a warning about them."""
    found = [name for name in features.columns if counts_rows(features[name], name)]
    if found:
        logger.warning(
            "%s: columns %s are named like identifiers: they are annotations, and no features. To name the "
            "rows by one, make it the first column.",
            path.name,
            _listed(found),
        )
    return found


def warn_of_codes(features: pd.DataFrame, path: Path) -> None:
    """Log a warning that names all features that look like codes of sites, batches or outcomes."""
    found = [name for name in features.columns if names_a_label(name) and _are_codes(features[name])]
    if found:
        logger.warning(
            "%s: columns %s look like codes of a label, batch or outcome, and are features: the embedding "
            "would show them. To keep them out, name them as annotations (`obs_columns`, `--annotations`).",
            path.name,
            _listed(found),
        )


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
    if len(levels) and numbers.notna().all() and numbers.is_unique:
        return texts.map(dict(zip(levels, numbers, strict=True))).astype("category")
    return texts.astype("category")


def _are_codes(values: pd.Series) -> bool:
    """Return True for whole numbers of few different values."""
    n_levels = values.nunique()
    return (
        1 < n_levels <= _MOST_CODES
        and len(values) >= _ROWS_A_CODE * n_levels
        and whole_numbers(values.dropna())
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(cut(str(name))) for name in names)
