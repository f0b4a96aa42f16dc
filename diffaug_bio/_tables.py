"""Putting nested tables, as TOML and JSON give them, into frozen dataclasses, checked."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

_Node = TypeVar("_Node", bound="DataclassInstance")


def replaced(node: _Node, table: Mapping[str, Any], *, source: str, where: str) -> _Node:
    """Copy a dataclass with the values of a table, checked against its annotations."""
    known = {entry.name for entry in fields(node)}
    if unknown := sorted(set(table) - known):
        msg = (
            f"{source}: unknown key {where}{unknown[0]}; "
            f"{f'[{where[:-1]}]' if where else 'the file'} may hold {', '.join(sorted(known))}."
        )
        raise InputError(msg)
    hints = get_type_hints(type(node))
    changes: dict[str, Any] = {}
    for key, value in table.items():
        current = getattr(node, key)
        name = f"{where}{key}"
        if is_dataclass(current) and not isinstance(current, type):
            if not isinstance(value, dict):
                msg = f"{source}: `{name}` has to be a table [{name}], got {value!r}."
                raise InputError(msg)
            changes[key] = replaced(current, value, source=source, where=f"{name}.")
        else:
            changes[key] = _parsed(value, hints[key], name=name, source=source)
    try:
        return replace(node, **changes)
    except InputError as error:  # a section knows its settings, and not where they come from
        msg = f"{source}: {f'[{where[:-1]}] ' if where else ''}{error}"
        raise InputError(msg) from error


def _parsed(value: object, hint: Any, *, name: str, source: str) -> object:
    """Return a TOML or JSON value as the annotated type, or say what was expected."""
    if get_origin(hint) is Literal:
        expected, fits = f"one of {', '.join(map(repr, get_args(hint)))}", value in get_args(hint)
    elif hint is float:
        expected = "a number"
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        fits = fits and math.isfinite(cast("float", value))
        value = float(cast("float", value)) if fits else value
    elif hint is int:
        expected, fits = "a whole number", isinstance(value, int) and not isinstance(value, bool)
    elif hint is bool:
        expected, fits = "true or false", isinstance(value, bool)
    elif hint == tuple[str, ...]:
        expected = "a list of words"
        fits = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        value = tuple(cast("list[str]", value)) if fits else value
    else:  # the one remaining kind: tuple[int, ...]
        expected = "a list of whole numbers"
        fits = isinstance(value, list | tuple) and all(type(item) is int for item in value)
        value = tuple(cast("list[int]", value)) if fits else value
    if not fits:
        msg = f"{source}: `{name}` has to be {expected}, got {value!r}."
        raise InputError(msg)
    return value
