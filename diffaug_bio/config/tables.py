"""Checked transfer of nested tables, from TOML or JSON, into frozen dataclasses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from diffaug_bio._wording import cut, near, told
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Node = TypeVar("_Node", bound="DataclassInstance")


def replaced(node: _Node, table: Mapping[str, Any], *, source: str = "", where: str = "") -> _Node:
    """Copy a dataclass with the values of a table, checked against its annotations."""
    origin = f"{source}: " if source else ""
    known = {entry.name for entry in fields(node)}
    if unknown := sorted(str(key) for key in set(table) - known):
        first = unknown[0] if unknown[0].isidentifier() else repr(unknown[0])
        place = f" of [{where[:-1]}]" if where else ""
        msg = (
            f"{origin}unknown key {where}{cut(first)}{near(first, known)}; keys{place} are "
            f"{', '.join(sorted(known))}."
        )
        raise InputError(msg)
    hints = get_type_hints(type(node))
    changes: dict[str, Any] = {}
    for key, value in table.items():
        current = getattr(node, key)
        name = f"{where}{key}"
        if is_dataclass(current) and not isinstance(current, type):
            if not isinstance(value, Mapping):
                msg = f"{origin}`{name}` has to be a table [{name}], got {told(value)}."
                raise InputError(msg)
            changes[key] = replaced(current, value, source=source, where=f"{name}.")
        else:
            try:
                changes[key] = parsed(value, hints[key], name=name)
            except InputError as error:
                msg = f"{origin}{error}"
                raise InputError(msg) from error
    try:
        return replace(node, **changes)
    except InputError as error:  # a section knows its settings, and not where they come from
        msg = f"{origin}{f'[{where[:-1]}] ' if where else ''}{error}"
        raise InputError(msg) from error


def parsed(value: object, hint: Any, *, name: str) -> object:
    """Return a value as the annotated type; raise InputError for another type or a number not finite."""
    if type(None) in get_args(hint):  # a setting that may be left to the data
        if value is None:
            return None
        hint = next(one for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is Literal:
        expected = f"one of {', '.join(map(repr, get_args(hint)))}"
        fits = isinstance(value, str) and value in get_args(hint)
    elif hint is float:
        expected, fits = "a number", is_number(value)
        value = float(value) if fits else value  # type: ignore[arg-type]
    elif hint is int:
        expected, fits = "a whole number", is_whole(value)
        value = int(value) if fits else value  # type: ignore[call-overload]
    elif hint is bool:
        expected, fits = "true or false", isinstance(value, bool)
    elif hint == tuple[tuple[str, ...], ...]:
        expected, rows = "a list of lists of words", _items(value)
        words = None if rows is None else [_items(row) for row in rows]
        fits = words is not None and all(row is not None and all(map(_is_word, row)) for row in words)
        if fits and words is not None:
            value = tuple(tuple(row) for row in words if row is not None)
    else:  # the remaining kinds: tuple[str, ...] and tuple[int, ...]
        holds_words = hint == tuple[str, ...]
        expected = f"a list of {'words' if holds_words else 'whole numbers'}"
        items = _items(value)
        is_one = _is_word if holds_words else is_whole
        fits = items is not None and all(is_one(item) for item in items)
        if fits and items is not None:
            value = tuple(items if holds_words else (int(item) for item in items))  # type: ignore[call-overload]
    if not fits:
        msg = f"`{name}` has to be {expected}, got {told(value)}."
        raise InputError(msg)
    return value


def is_whole(value: object) -> bool:
    """Return True for a whole number, of numpy too; truth values are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Return True for a finite number, of numpy too, that a float can hold; truth values are none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _items(value: object) -> Sequence[object] | None:
    """Return a list or tuple as it is, and None for anything else."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else None


def _is_word(value: object) -> bool:
    return isinstance(value, str)
