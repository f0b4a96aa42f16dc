"""Columns of categories, ordered levels and truth values as features, by the contract of `CodedColumn`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffaug_bio._wording import cut, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.table._numbers import MISSING_WORDS
from diffaug_bio.matrix.columns import CodedColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.io.table._sides import Sides

logger = logging.getLogger(__name__)

_TRUTHS = (("false", "true"), ("no", "yes"))
_MOST_LEVELS = 20
_ROWS_A_LEVEL = 5  # on average: with fewer, a column is a name or a note rather than a category
_MOST_CATEGORIES = 500  # features that one column may become
# "None" is a level ("None", "mild", "severe"), unlike the other words for missing values.
_NO_LEVELS = frozenset(MISSING_WORDS) - {"None"}


def level_texts(column: pd.Series) -> pd.Series:
    """Return the values of a column as levels, "" for missing: without blanks around, 1.0 as 1."""
    texts = column.astype(object).where(column.notna(), "")
    return texts.map(_level_text)


def is_truth(column: pd.Series) -> bool:
    """Return True for a column of nothing but true and false, or yes and no."""
    if pd.api.types.is_bool_dtype(column):
        return True
    return not pd.api.types.is_numeric_dtype(column) and _truth_of(level_texts(column)) is not None


def has_few_levels(column: pd.Series) -> bool:
    """Return True for text that may be a category: at most 20 levels, of five rows each on average."""
    texts = level_texts(column)
    present = texts[~are_missing(texts)]
    n_levels = present.nunique()
    return 1 < n_levels <= _MOST_LEVELS and len(present) >= _ROWS_A_LEVEL * n_levels


def truth_coded(column: pd.Series, sides: Sides) -> tuple[CodedColumn, NDArray[np.float32]]:
    """Code a column of truth values."""
    texts = level_texts(column)
    _log_words(texts[are_missing(texts)], column.name, sides)
    pair = _truth_of(texts) or _TRUTHS[0]
    written = {text.lower(): text for text in texts if text}
    like = next(iter(written.values()), "")
    style = str.upper if like.isupper() else str.title if like.istitle() else str.lower
    levels = tuple(written.get(word, style(word)) for word in pair)
    coded = CodedColumn(name=str(column.name), kind="boolean", levels=levels)
    places = {word: place for place, word in enumerate(pair)}
    return coded, coded.coded(_places(texts.str.lower(), places))


def category_coded(column: pd.Series, sides: Sides) -> tuple[CodedColumn, NDArray[np.float32]]:
    """Code a column of categories by its sorted levels."""
    texts = level_texts(column)
    missing = are_missing(texts)
    _log_words(texts[missing], column.name, sides)
    levels = sorted(texts[~missing].unique())
    if len(levels) > _MOST_CATEGORIES:
        named = f"{sides.path} {sides.column} {cut(str(column.name))!r}"
        msg = (
            f"{named} has {len(levels)} different values, and a column of categories may have "
            f"{_MOST_CATEGORIES}. Name it as an annotation (`--annotations`), or leave it out (`--ignore`)."
        )
        raise InputError(msg)
    coded = CodedColumn(name=str(column.name), kind="categorical", levels=tuple(levels))
    return coded, coded.coded(_places(texts, {level: place for place, level in enumerate(levels)}))


def unknown_levels(column: pd.Series, levels: Sequence[str]) -> list[str]:
    """List the values of a column, sorted, that are neither missing nor among given levels."""
    texts = level_texts(column)
    known = {_level_text(level) for level in levels}
    return sorted({*texts[~are_missing(texts)]} - known)


def ordinal_coded(
    column: pd.Series, levels: Sequence[str], sides: Sides
) -> tuple[CodedColumn, NDArray[np.float32]]:
    """Code a column by given levels in their order; refuse a value that is none of them."""
    texts = level_texts(column)
    known = {level: place for place, level in enumerate(map(_level_text, levels))}
    missing = are_missing(texts) & ~texts.isin(list(known))
    _log_words(texts[missing], column.name, sides)
    wrong = texts[~missing & ~texts.isin(list(known))]
    if len(wrong):
        msg = (
            f"{sides.path} {sides.column} {cut(str(column.name))!r} holds {cut(wrong.iloc[0])!r} in "
            f"{sides.row} {wrong.index[0]!r}, which is none of its levels {shorten(levels)} ({len(wrong)} "
            "such values). Add it to the levels (`--ordinal`), or leave the cell empty if it is missing."
        )
        raise InputError(msg)
    coded = CodedColumn(name=str(column.name), kind="ordinal", levels=tuple(levels))
    return coded, coded.coded(_places(texts, known))


def _level_text(value: object) -> str:
    """Return one level as text: a whole number without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _truth_of(texts: pd.Series) -> tuple[str, str] | None:
    """Find the pair of words, false and true, that a column is made of."""
    words = {text.lower() for text in texts[~are_missing(texts)].unique()}
    return next((pair for pair in _TRUTHS if words and words <= {*pair}), None)


def are_missing(texts: pd.Series) -> pd.Series:
    """Return True for each of some levels that stands for a missing one."""
    return (texts == "") | texts.isin(_NO_LEVELS)


def _places(texts: pd.Series, places: dict[str, int]) -> NDArray[np.int64]:
    """Return the number of each row's level, -1 where it has none."""
    return np.asarray(texts.map(places).fillna(-1), np.int64)


def _log_words(missing: pd.Series, name: object, sides: Sides) -> None:
    """Log which words of a column of levels count as missing."""
    if words := sorted(set(missing) - {""}):
        logger.info(
            "%s: %s %r: %s count as missing values (%d), not as a level.",
            *(sides.path.name, sides.column, cut(str(name)), shorten(words), int((missing != "").sum())),
        )
