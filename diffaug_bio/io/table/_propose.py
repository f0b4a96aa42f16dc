"""A schema to edit: the kind of each column as it is found, with some of its values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from diffaug_bio._wording import cut
from diffaug_bio.io.table._kinds import identifiers, kinds_of, numbers_of
from diffaug_bio.io.table._levels import level_texts
from diffaug_bio.io.table._matrix import are_measured
from diffaug_bio.io.table._numbers import look_at
from diffaug_bio.io.table._row_names import named_rows
from diffaug_bio.io.table._schema import Schema, toml_key, toml_value
from diffaug_bio.io.table._sides import Sides

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.io.table._kinds import Kind

_N_SHOWN = 3
_LONGEST = 30
_LISTS: tuple[tuple[Kind, str], ...] = (
    ("numeric", "Numeric features."),
    ("categorical", "Categories: a feature for each level. Ordered ones belong to [ordinal], below."),
    ("annotation", "No features: labels, batches, notes. Scores use them (--label-key, --batch-key)."),
)
_RANKS = (
    *("none", "no", "absent", "negative", "very low", "low", "minimal", "mild", "minor", "medium"),
    *("moderate", "intermediate", "normal", "major", "high", "severe", "very high", "extreme", "positive"),
)
_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6}


def proposed_toml(frame: pd.DataFrame, path: Path) -> str:
    """Write TOML that says of each column of a frame what it is taken for; `path` is its file."""
    nothing, whole = Schema(), frame
    frame, id_name = named_rows(frame, path, transpose=False)
    kinds = _kinds(frame, nothing, path)
    lines = [
        f"# Columns of {cut(path.name)}, for `diffaug-bio fit {cut(path.name)} --schema THIS_FILE`.",
        "# Move a column's line to another list to change what it is taken for.",
        "",
    ]
    if id_name is None:
        lines += ['# id = "COLUMN"  # names of the rows, which are numbered without', ""]
    else:
        shown = _shown(whole[id_name]) if id_name in whole else ""
        lines += [f"id = {toml_value(id_name)}  # names of the rows: {shown}", ""]
    for kind, heading in _LISTS:
        key = "annotations" if kind == "annotation" else kind
        named = [name for name, found in kinds.items() if found == kind]
        lines += [f"# {heading}", f"{key} = ["]
        lines += [f"    {toml_value(name)},  # {_shown(frame[name])}" for name in named]
        lines += ["]", ""]
    n_missing = sum(bool(_is_missing(frame[name]).any()) for name in frame.columns)
    lines += ["# Columns to leave out.", "ignore = []", ""]
    lines += [f"# A feature for each of the {n_missing} columns with missing values that says where."]
    lines += ["missing_indicators = false", ""]
    lines += ["# Ordered categories, the lowest first: take a column out of `categorical` to name it here."]
    lines += ["[ordinal]"]
    for name in (name for name, found in kinds.items() if found == "categorical"):
        levels = sorted(set(level_texts(frame[name])) - {""}, key=_rank)
        if len(levels) > 2:
            lines.append(f"# {toml_key(name)} = {toml_value(levels)}")
    return "".join(f"{line}\n" for line in lines)


def _kinds(frame: pd.DataFrame, schema: Schema, path: Path) -> dict[str, Kind]:
    """Find the kind of each column; one of numbers that cannot be read is an annotation until mended."""
    kinds = kinds_of(frame, schema, may_detect=True)
    for name, kind in kinds.items():
        column = frame[name]
        if kind == "numeric" and not pd.api.types.is_numeric_dtype(column) and len(look_at(column).wrong):
            kinds[name] = "annotation"
    numbers = numbers_of(
        frame[[name for name, kind in kinds.items() if kind == "numeric"]], Sides(path=path)
    )
    kinds.update(dict.fromkeys(identifiers(numbers, path, meant=()), "annotation"))
    feature: Kind = "categorical" if are_measured(numbers) else "annotation"
    kinds.update({name: "annotation" for name, kind in kinds.items() if kind == "maybe label"})
    return {name: feature if kind.startswith("maybe") else kind for name, kind in kinds.items()}


def _shown(column: pd.Series) -> str:
    """Show some values of a column, and say how many there are."""
    texts = level_texts(column)
    present = texts[~_is_missing(column)]
    different = list(dict.fromkeys(present))
    values = ", ".join(_one(text) for text in different[:_N_SHOWN])
    n_missing = len(texts) - len(present)
    said = f"{values}{', ...' if len(different) > _N_SHOWN else ''} ({len(different)} different"
    if not pd.api.types.is_numeric_dtype(column) and (look := look_at(column)).kind == "odd":
        said += f"; numeric, but {_one(look.wrong.iloc[0])} is no number"
    return f"{said}; {n_missing} missing)" if n_missing else f"{said})"


def _one(text: str) -> str:
    """Show a value in a comment, which may hold no line end."""
    text = toml_value(text)[1:-1]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _is_missing(column: pd.Series) -> pd.Series:
    return column.isna() | (column.astype(object) == "")


def _rank(level: str) -> tuple[Any, ...]:
    """Sort levels as people order them: words of degree, Roman and other numbers, else by letters."""
    word = level.lower()
    if word in _RANKS:
        return (0, _RANKS.index(word), word)
    stem, _, last = level.rpartition(" ")
    if last.rstrip("ABCabc") in _ROMAN:
        return (1, stem, _ROMAN[last.rstrip("ABCabc")], last)
    number = re.search(r"\d+(?:\.\d+)?", level)
    return (2, float(number[0]), level) if number else (3, level)
