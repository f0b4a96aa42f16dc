"""A schema to edit: the kind of each column as it is found, with some of its values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from diffaug_bio._wording import cut
from diffaug_bio.io.table._column_names import is_usual_label
from diffaug_bio.io.table._doubtful import warn_of_doubtful
from diffaug_bio.io.table._kinds import identifiers, kinds_of, numbers_of
from diffaug_bio.io.table._levels import are_missing, level_texts
from diffaug_bio.io.table._matrix import are_measured, settle
from diffaug_bio.io.table._numbers import MISSING_WORDS, look_at
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
    found = _found(frame, nothing, path)
    kinds = found.kinds
    lines = [
        f"# Columns of {cut(path.name)}, for `diffaug-bio fit {cut(path.name)} --schema THIS_FILE`.",
        "# Move a column's line to another list to change what it is taken for.",
    ]
    if found.doubts:
        lines += [
            "# A column whose line starts with # waits for you: until then a fit takes it as without a",
            "# schema, and may warn of it. Remove the # if its list is right, or move it without the #.",
        ]
    lines.append("")
    if id_name is None:
        lines += ['# id = "COLUMN"  # names of the rows, which are numbered without', ""]
    elif id_name in whole:
        lines += [
            f"id = {toml_value(id_name)}  # names of the rows: {_shown(whole[id_name], 'annotation')}",
            "",
        ]
    else:  # an index, as of Parquet, which is no column
        lines += ["# Rows are named by the index of the file.", ""]
    for kind, heading in _LISTS:
        key = "annotations" if kind == "annotation" else kind
        lines += [f"# {heading}", f"{key} = ["]
        lines += [found.line(frame[name]) for name in kinds if kinds[name] == kind]
        lines += ["]", ""]
    n_missing = sum(
        bool(_is_missing(frame[name], kind).any()) for name, kind in kinds.items() if kind != "annotation"
    )
    lines += ["# Columns to leave out.", "ignore = []", ""]
    lines += [f"# A feature for each of the {n_missing} columns with missing values that says where."]
    lines += ["missing_indicators = false", ""]
    lines += [
        "# Ordered categories, the lowest first: a column stands here or in `categorical`, not in both."
    ]
    lines += ["[ordinal]"]
    for name in (name for name, kind in kinds.items() if kind == "categorical"):
        texts = level_texts(frame[name])
        levels = sorted(set(texts[~are_missing(texts)]), key=_rank)
        if len(levels) > 2:
            lines.append(f"# {toml_key(name)} = {toml_value(levels)}")
    return "".join(f"{line}\n" for line in lines)


class _Found(NamedTuple):
    """What a fit takes columns for."""

    kinds: dict[str, Kind]
    remarks: dict[str, str]
    """What a user has to know about some columns."""
    doubts: dict[str, str]
    """Columns of which a fit warns: it goes on to, as long as a schema does not name them."""

    def line(self, column: pd.Series) -> str:
        """Write the line of a column; one in doubt is no more than a comment."""
        name = str(column.name)
        said = f"{toml_value(name)},  # {_shown(column, self.kinds[name])}"
        if name in self.doubts:
            return f"    # {said}. DECIDE: {self.doubts[name]}"
        return f"    {said}. {self.remarks[name]}" if name in self.remarks else f"    {said}"


def _found(frame: pd.DataFrame, schema: Schema, path: Path) -> _Found:
    """Find the kind of each column as a fit does, but that numbers written otherwise are no error yet."""
    sides = Sides(path=path)
    kinds = kinds_of(frame, schema, may_detect=True)
    remarks = {
        name: "Its name is that of a label, a batch or an outcome."
        for name, kind in kinds.items()
        if kind == "maybe label" or is_usual_label(name)
    }
    numeric = [name for name, kind in kinds.items() if kind == "numeric"]
    odd = {
        name: look
        for name in numeric
        if not pd.api.types.is_numeric_dtype(frame[name]) and len((look := look_at(frame[name])).wrong)
    }
    for name, look in odd.items():
        remarks[name] = (
            f"FIX: {_one(look.wrong.iloc[0])} in row {_one(str(look.wrong.index[0]))} is no number "
            f"({len(look.wrong)} such values), and a fit ends there. Mend the table."
        )
    numbers = numbers_of(frame[[name for name in numeric if name not in odd]], sides)
    counting = identifiers(numbers, path, meant=schema.numeric)
    numbers = numbers.drop(columns=counting)
    kinds.update(dict.fromkeys(counting, "annotation"))
    remarks.update(dict.fromkeys(counting, "It identifies the rows."))
    doubts = warn_of_doubtful(numbers, path, meant=schema.numeric)
    if any(kind.startswith("maybe") for kind in kinds.values()):
        undecided = [name for name, kind in kinds.items() if kind in {"maybe", "maybe true"}]
        mended = numbers.assign(**{name: _mended(frame[name]) for name in odd})
        kinds = settle(kinds, is_measured=are_measured(mended), sides=sides)
        doubts.update(dict.fromkeys(undecided, "A feature, or a label, a batch or an outcome?"))
    kinds.update(dict.fromkeys((name for name in kinds if kinds[name] == "maybe true"), "categorical"))
    return _Found(kinds, remarks, doubts)


def _mended(column: pd.Series) -> pd.Series:
    """Return numbers with their decimal commas, as they will be once the table is mended."""
    values = look_at(column).values
    return values.fillna(pd.to_numeric(column.astype(str).str.replace(",", "."), errors="coerce"))


def _shown(column: pd.Series, kind: Kind) -> str:
    """Show some values of a column, and say how many there are."""
    texts = level_texts(column)
    is_missing = _is_missing(column, kind)
    different = list(dict.fromkeys(texts[~is_missing]))
    values = ", ".join(_one(text) for text in different[:_N_SHOWN])
    said = f"{values}{', ...' if len(different) > _N_SHOWN else ''} ({len(different)} different"
    if not is_missing.any():
        return f"{said})"
    words = sorted(set(texts[is_missing & column.notna()]) - {""})
    return f"{said}; {int(is_missing.sum())} missing{', such as ' + _one(words[0]) if words else ''})"


def _is_missing(column: pd.Series, kind: Kind) -> pd.Series:
    """Tell which values a fit takes for missing: words for it are labels among annotations."""
    texts = level_texts(column)
    if kind == "categorical":
        return are_missing(texts)
    return texts.isin(["", *MISSING_WORDS]) if kind == "numeric" else texts == ""


def _one(text: str) -> str:
    """Show a value in a comment, which may hold no line end."""
    text = toml_value(text)[1:-1]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


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
