"""Numbers as text: which columns hold numbers, and which hold numbers that are written otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Collection

MISSING_WORDS = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
"""Words that stand for a missing number, as pandas has them; among labels they are labels."""
_MOSTLY_TEXT = 0.5  # of a column's values; with fewer, text among numbers is a mistake
_MOST_LEVELS = 20  # of a column of labels such as "24 h" or "<18"
_ROWS_A_LEVEL = 3

_PLAIN = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+\-\u2212]?\d+)?"
_COMMA = r"\d*,\d+(?:[eE][+\-\u2212]?\d+)?"
BLANKS = "\u00a0\u202f\u2009 "
_THOUSANDS = rf"\d{{1,3}}(?:[,.'\u2019{BLANKS}]\d{{3}})+(?:[.,]\d+)?"
_ANY = rf"(?:{_THOUSANDS}|{_COMMA}|{_PLAIN})"
_SIGN = r"[+\-\u2212\u2013]?"
_MONEY = r"[$\u20ac\u00a3\u00a5]"
_PART = r"\s*"
_ODD: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "limit": rf"(?:[<>~\u2248\u2264\u2265]|<=|>=|=){_PART}{_SIGN}{_ANY}{_PART}%?",
        "percent": rf"{_SIGN}{_ANY}{_PART}[%\u2030]",
        "comma": rf"{_SIGN}(?:{_THOUSANDS}|{_COMMA})",
        "minus": rf"[\u2212\u2013]{_ANY}|\({_ANY}\)|{_ANY}-",
        "currency": rf"{_SIGN}{_MONEY}{_PART}{_SIGN}{_ANY}|{_SIGN}{_ANY}{_PART}{_MONEY}",
        "spread": rf"{_SIGN}{_ANY}{_PART}(?:\u00b1|\+/-|\+-){_PART}{_ANY}",
        "power": rf"{_SIGN}{_ANY}{_PART}[x\u00d7*]{_PART}10{_PART}\^?{_PART}{_SIGN}\d+",
        "mark": rf"{_SIGN}{_ANY}{_PART}[*\u2020\u2021?]+",
        "unit": rf"{_SIGN}{_ANY}{_PART}[^\W\d_]{{1,6}}(?:/[^\W_]{{1,6}})?\d?",
    }.items()
}
"""Ways in which people write numbers that no reader takes for numbers, by the kind."""
_UNIT = re.compile(r"[^\W\d_].*$")
GAP = re.compile(
    r"(?:[-\u2013\u2014._?*/]{1,3}|n\.?\s?[adqs]\.?|na|none|nil|missing|unknown|unk|not\s(?:detected|available|"
    r"measured|done|determined|quantified)|bdl|bql|[<>]?\s?(?:u?l+o[dq]|lod|loq|mdl|bloq|limit)|below\s.*|"
    r"#(?:div/0|value|ref|num|name)[!?]|error|inconclusive|pending|tntc)",
    re.IGNORECASE,
)
"""Words that people write where a number is missing or below a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the values of a column of text are."""

    kind: Literal["numbers", "odd", "text", "empty"]
    """`"odd"` if the column is meant to hold numbers, and some cannot be read."""
    values: pd.Series
    """Values as numbers, nan where that fails."""
    wrong: pd.Series
    """Values, as they are written, that are neither numbers nor missing."""


def with_numbers(frame: pd.DataFrame, *, but: Collection[str]) -> pd.DataFrame:
    """Return a frame of text whose columns of nothing but numbers are numeric, except those in `but`.

    All values are converted at once: a table that is turned has a column for each of thousands of genes.
    """
    texts = frame.to_numpy(object)
    values = pd.Series(texts.ravel()).astype(str).str.strip()
    is_missing = ((values == "") | values.isin(MISSING_WORDS)).to_numpy().reshape(texts.shape)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64).reshape(texts.shape)
    numbers[is_missing] = np.nan
    are_numbers = (~np.isnan(numbers) | is_missing).all(0) & ~is_missing.all(0)
    return pd.DataFrame(
        {
            name: numbers[:, place] if are_numbers[place] and name not in but else frame[name]
            for place, name in enumerate(frame.columns)
        },
        index=frame.index,
    )


def look_at(column: pd.Series) -> Look:
    """Tell whether a column of text holds numbers, numbers that are written otherwise, or labels."""
    text = column.astype(object).where(column.notna(), "").astype(str).str.strip()
    is_missing = (text == "") | text.isin(MISSING_WORDS)
    values = pd.to_numeric(text.where(~is_missing), errors="coerce")
    wrong = text[values.isna() & ~is_missing]
    n_present = int((~is_missing).sum())
    if not len(wrong):
        return Look(kind="numbers" if n_present else "empty", values=values, wrong=wrong)
    n_numbers = n_present - len(wrong)
    odd = [odd_kind(value) for value in wrong]
    n_gaps = sum(
        kind is None and GAP.fullmatch(value) is not None for kind, value in zip(odd, wrong, strict=True)
    )
    n_odd = sum(kind is not None for kind in odd)
    if {kind for kind in odd if kind} == {"unit"} and not _shares_units(wrong[[*map(bool, odd)]]):
        n_odd = 0  # "1A", "2B": names of places rather than numbers
    n_alike = n_numbers + n_odd
    is_number = n_alike > 0 and n_alike >= _MOSTLY_TEXT * (n_present - n_gaps)
    if is_number and not n_numbers and {*odd} <= {"unit", "limit", None} and _has_few_levels(wrong):
        is_number = False  # "0h", "24h": labels of groups
    return Look(kind="odd" if is_number else "text", values=values, wrong=wrong)


def odd_kind(value: str) -> str | None:
    """Name the way in which a number is written, or return None for what is none."""
    if len(value) > 40 or not any(letter.isdigit() for letter in value):
        return None
    return next((kind for kind, pattern in _ODD.items() if pattern.fullmatch(value)), None)


def _shares_units(values: pd.Series) -> bool:
    """Return True if most values end with one and the same unit or another: names of places do not."""
    units = [found[0] if (found := _UNIT.search(value)) else "" for value in values]
    n_units = len(set(units))
    return n_units == 1 or (n_units <= max(3, len(units) // 10) and len(units) >= 10 * n_units)


def _has_few_levels(values: pd.Series) -> bool:
    """Return True if values repeat as those of a label do."""
    n_levels = values.nunique()
    return n_levels <= _MOST_LEVELS and len(values) >= _ROWS_A_LEVEL * n_levels


def whole_numbers(values: pd.Series) -> bool:
    """Return True if all values are whole numbers, and none is missing."""
    if len(values) == 0 or values.isna().any():
        return False
    numbers = values.to_numpy(dtype=np.float64)
    return bool(np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all())
