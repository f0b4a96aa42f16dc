"""Messages about numbers that are written otherwise: what they are, and how to write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from diffaug_bio._wording import cut
from diffaug_bio.errors import InputError
from diffaug_bio.io.table._numbers import BLANKS, GAP, odd_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffaug_bio.io.table._numbers import Look

_PLAIN = "is numeric, but {row} holds {shown}"
_NO_VALUE = "leave the cell empty if it is missing"
_TOLD = {
    "limit": (
        f"{_PLAIN}, a limit rather than a value",
        f"Write a number in place of each, such as the limit or half of it, or {_NO_VALUE}.",
    ),
    "percent": (
        "holds numbers with a sign of per cent, such as {shown}, first in {row}",
        "Remove the sign, of all values or of none.",
    ),
    "minus": (f"{_PLAIN}, which is no number to a program", "Write a minus as '-' before the number."),
    "unit": (
        "holds numbers with a unit, such as {shown}, first in {row}",
        "Remove the unit from the values; it may stand in the name of the column.",
    ),
    "gap": (_PLAIN, f"If it means that there is no value, {_NO_VALUE}; if it means 0, write 0."),
    "text": (_PLAIN, f"Write a number, or {_NO_VALUE}."),
    "blanks": (
        "holds numbers with blanks or apostrophes between their digits, such as {shown}, first in {row}",
        "Remove these, and write a decimal comma as a point.",
    ),
}
_OTHER = (
    f"{_PLAIN}, which is no number to a program",
    f"Write digits and a point, as 1234.5, or {_NO_VALUE}.",
)
_COMMAS = "holds numbers with commas between thousands, such as {shown}, first in {row}"
_POINTS = "holds numbers with points between thousands, such as {shown}, first in {row}"
_EITHER = "holds numbers with commas between thousands, or decimal commas, such as {shown}, first in {row}"


def refuse_odd(look: Look, *, column: str, row: str, path: object) -> NoReturn:
    """Raise an `InputError` about a column of numbers some of which cannot be read.

    `column` names the column as the file has it (`"column 'age'"`), `row` is what the file calls a row.
    """
    wrong = look.wrong
    values = list(wrong)
    kind = next((found for found in map(odd_kind, values) if found), None)
    if kind is None:
        kind = "gap" if GAP.fullmatch(values[0]) else "text"
    what, remedy = _about_commas(values) if kind == "comma" else _TOLD.get(kind, _OTHER)
    shown = " and ".join(repr(cut(value)) for value in list(dict.fromkeys(values))[:2])
    count = "1 such value" if len(values) == 1 else f"{len(values)} such values"
    msg = (
        f"{path} {column} {what.format(row=f'{row} {wrong.index[0]!r}', shown=shown)} ({count}). {remedy} "
        "If these are labels, name the column as an annotation (`obs_columns`, `--annotations`)."
    )
    raise InputError(msg)


def _about_commas(wrong: Sequence[str]) -> tuple[str, str]:
    """Tell decimal commas and separators of thousands apart, or say that it may be either."""
    values = [value for value in wrong if odd_kind(value) == "comma"]
    first = values[0]
    if any(mark in value for value in values for mark in f"{BLANKS}'\u2019"):
        return _TOLD["blanks"]
    pointed = [value for value in values if "." in value]
    if any(value.rfind(",") > value.rfind(".") for value in pointed):  # 1.234,5
        example = pointed[0].replace(".", "").replace(",", ".")
        return _POINTS, f"Remove the points, and write decimal commas as points ({example})."
    if pointed and not any("," in value for value in pointed):  # 1.234.567
        return _POINTS, f"Remove the points ({pointed[0].replace('.', '')})."
    if pointed or any(value.count(",") > 1 for value in values):  # 5,036.4 and 1,234,567
        return _COMMAS, f"Remove the commas ({first.replace(',', '')})."
    if all(re.fullmatch(r"[^\w]?[1-9]\d{0,2},\d{3}", value) for value in values):
        return _EITHER, (
            f"Remove commas that part thousands (then {first!r} is {first.replace(',', '')}), or write "
            f"decimal commas as points (then it is {first.replace(',', '.')})."
        )
    return (
        "has decimal commas, such as {shown}, first in {row}",
        f"Write numbers with a point ({first.replace(',', '.')}).",
    )
