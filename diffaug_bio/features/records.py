"""Rules of fields and arrays that fitted preprocessing has in a model folder, which strangers may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

import numpy as np

from diffaug_bio._wording import told
from diffaug_bio.config.kinds import STATES
from diffaug_bio.config.tables import is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

Values = Literal["any", "not_negative", "some_positive", "positive", "limits", "ascending"]

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
MOST = 2**31 - 1
"""Largest count: of features, epochs and the like."""
ARRAY_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype(np.float32), "I64": np.dtype(np.int64)}
"""Types of arrays, by the names that safetensors gives them."""
_MEANT = {
    "any": "finite",
    "not_negative": "finite and not below 0",
    "some_positive": "finite and not below 0, and one above",
    "positive": "finite and above 0",
    "limits": "not below 0",
    "ascending": "ascending, from 0 and below the number of features",
}


class Damage(Exception):  # noqa: N818 - no error of this package, but what is told in one
    """Fault in a file of a model: the file, the entry and how it is wrong."""


class Field(NamedTuple):
    """Rule of one field of a table."""

    what: str
    """Values that fit, in words."""
    fits: Callable[[Any], bool]
    is_needed: bool = True

    def or_null(self) -> Field:
        """Allow null as well."""
        return self._replace(
            what=f"{self.what} or null", fits=lambda value: value is None or self.fits(value)
        )

    def optional(self) -> Field:
        """Allow that the field is missing."""
        return self._replace(is_needed=False)


class ArrayRule(NamedTuple):
    """Rule of one array."""

    shape: tuple[int, ...]
    values: Values = "any"
    dtype: np.dtype[Any] = ARRAY_TYPES["F32"]
    n_vars: int = 0
    """Number that all ascending values lie below."""


def is_count(value: object) -> bool:
    """Return True for a whole number from 1."""
    return is_whole(value) and 1 <= value <= MOST  # type: ignore[operator]


STATE = Field(f"one of {', '.join(STATES)}", lambda value: isinstance(value, str) and value in STATES)
TABLE = Field("a table", lambda value: isinstance(value, dict))
FLAG = Field("true or false", lambda value: isinstance(value, bool))
COUNT = Field(f"a whole number from 1 to {MOST}", is_count)
POSITIVE = Field("a number above 0", lambda value: is_number(value) and value > 0)


def check_fields(table: Mapping[str, Any], fields: Mapping[str, Field], file: str, where: str = "") -> None:
    """Check that no field of a table is missing, unknown or wrong; else raise :class:`Damage`."""
    prefix = f"{where}." if where else ""
    for name, field in fields.items():
        if field.is_needed:
            refuse_unless(name in table, f"`{prefix}{name}` is missing", file=file)
    for name, value in table.items():
        refuse_unless(name in fields, f"`{prefix}` holds {told(name)}, which is unknown", file=file)
        what = fields[name].what
        refuse_unless(
            fields[name].fits(value), f"`{prefix}{name}` has to be {what}, got {told(value)}", file=file
        )


def check_equal(table: Mapping[str, Any], expected: Mapping[str, object], where: str) -> None:
    """Check fields of the preprocessing that settings decide."""
    for name, value in expected.items():
        refuse_unless(table[name] == value, f"`{where}.{name}` has to be {value}, got {told(table[name])}")


def check_arrays(arrays: Arrays, rules: Mapping[str, ArrayRule]) -> None:
    """Check that arrays have the type, shape and values of their rules, else raise :class:`Damage`."""
    for name, rule in rules.items():
        if name not in arrays:
            refuse_array(name, "is missing")
        array = arrays[name]
        if array.dtype != rule.dtype:
            refuse_array(name, f"has the type {array.dtype}, and {rule.dtype} is expected")
        # A single number is written as an array of one.
        if array.shape not in {rule.shape, rule.shape or (1,)}:
            refuse_array(name, f"has the shape {array.shape}, and {rule.shape} is expected")
        if not _holds(array, rule):
            refuse_array(name, f"has to hold numbers that are {_MEANT[rule.values]}")


def size_of(arrays: Arrays, name: str, axis: int) -> int:
    """Return the length of an axis of an array, 0 if there is no such array or axis."""
    shape = arrays[name].shape if name in arrays else ()
    return int(shape[axis]) if axis < len(shape) else 0


def refuse_unless(holds: bool, why: str, *, file: str | None = CONFIG) -> None:  # noqa: FBT001
    """Raise :class:`Damage` that names the file, unless a condition holds."""
    if not holds:
        msg = f"{file}: {why}" if file else why
        raise Damage(msg)


def refuse_array(name: str, why: str) -> NoReturn:
    """Raise :class:`Damage` that names an array."""
    msg = f"{WEIGHTS}: {told(name)} {why}"
    raise Damage(msg)


def _holds(array: NDArray[Any], rule: ArrayRule) -> bool:
    """Return True if all values are what they have to be; comparisons with NaN never hold."""
    if rule.values == "limits":  # infinite where there is no generator
        return bool((array >= 0).all())
    if not np.isfinite(array).all():
        return False
    if rule.values == "any":
        return True
    if rule.values == "positive":
        return bool((array > 0).all())
    if rule.values == "ascending":
        # Compared, since a difference of whole numbers may leave their range and come back in it.
        return bool((array[1:] > array[:-1]).all() and array[0] >= 0 and array[-1] < rule.n_vars)
    return bool((array >= 0).all()) and (rule.values != "some_positive" or bool((array > 0).any()))
