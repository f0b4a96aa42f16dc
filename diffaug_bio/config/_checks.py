"""Types and ranges of settings.

Upper bounds are ten times and more what anybody needs: a larger value is a typing error or an attack, and
would take hours, or all memory of the machine.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

from diffaug_bio._wording import told
from diffaug_bio.config.tables import parsed
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MOST_LAYERS = 32
_N_LEVELS = {
    "categorical": (1, math.inf, "one or more"),
    "ordinal": (1, math.inf, "one or more, in order"),
    "boolean": (2, 2, "two, the false and the true one"),
    "missing": (0, 0, "none"),
}
"""Least and largest number of levels of a column of each kind, and what to say of it."""
MOST_WIDE = 16_384
"""Largest width of a layer of a perceptron."""


def settle(config: DataclassInstance) -> None:
    """Check the types of all settings, and turn them into Python's own numbers and tuples.

    Numbers that are not finite are left to the checks of ranges below, which every number passes.
    """
    hints: dict[str, Any] = get_type_hints(type(config))
    for entry in fields(config):
        value, hint = getattr(config, entry.name), hints[entry.name]
        if not (hint in (float, float | None) and isinstance(value, float)):
            object.__setattr__(config, entry.name, parsed(value, hint, name=entry.name))


def require_positive(config: object, **most: float) -> None:
    """Check that numbers are above 0 and at most their bound; None is left to the data."""
    for name, value in _given(config, *most):
        if not value > 0:
            msg = f"`{name}` has to be above 0, got {told(value)}."
            raise InputError(msg)
    _require_at_most(config, most)


def require_at_least(config: object, least: int, **most: float) -> None:
    """Check that numbers are at least `least` and at most their bound; None is left to the data."""
    for name, value in _given(config, *most):
        if not value >= least:
            msg = f"`{name}` has to be at least {least}, got {told(value)}."
            raise InputError(msg)
    _require_at_most(config, most)


def require_fraction(config: object, *names: str) -> None:
    """Check that shares are at least 0 and below 1."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            msg = f"`{name}` is a share in [0, 1), got {told(getattr(config, name))}."
            raise InputError(msg)


def require_share(config: object, *names: str) -> None:
    """Check that shares are from 0 to 1."""
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            msg = f"`{name}` is a share from 0 to 1, got {told(getattr(config, name))}."
            raise InputError(msg)


def require_widths(config: object, *names: str) -> None:
    """Check the number and widths of layers."""
    for name in names:
        widths = getattr(config, name)
        if len(widths) > _MOST_LAYERS or not all(1 <= width <= MOST_WIDE for width in widths):
            msg = (
                f"`{name}` holds widths of layers, each at least 1 and at most {MOST_WIDE}, and of at most "
                f"{_MOST_LAYERS} layers; got {told(widths)}."
            )
            raise InputError(msg)


def require_columns(columns: tuple[tuple[str, ...], ...]) -> None:
    """Check columns of a table: each a kind, a name, and the levels that the kind has."""
    for entry in columns:
        kind, levels = entry[0] if entry else "", entry[2:]
        if len(entry) < 2 or kind not in _N_LEVELS:
            msg = (
                "`columns` holds lists of a kind, the name of a column and its levels, as "
                f'["ordinal", "grade", "I", "II"], with a kind of {", ".join(_N_LEVELS)}; got '
                f"{told(list(entry))}."
            )
            raise InputError(msg)
        least, most, words = _N_LEVELS[kind]
        if not least <= len(levels) <= most:
            msg = f"`columns`: {kind} column {told(entry[1])} has {len(levels)} levels, and needs {words}."
            raise InputError(msg)
        if repeated := sorted(level for level in set(levels) if levels.count(level) > 1):
            msg = (
                f"`columns`: column {told(entry[1])} has the level {told(repeated[0])} twice. Name it once."
            )
            raise InputError(msg)
    # A column and the feature that tells where it is missing have one name.
    named = [(entry[0] == "missing", entry[1]) for entry in columns]
    if repeats := [name for number, name in enumerate(named) if name in named[:number]]:
        msg = f"`columns` describes column {told(repeats[0][1])} twice. Leave one of them out."
        raise InputError(msg)


def _require_at_most(config: object, most: dict[str, float]) -> None:
    for name, value in _given(config, *most):
        if value > most[name]:
            msg = f"`{name}` has to be at most {most[name]:.12g}, got {told(value)}."
            raise InputError(msg)


def _given(config: object, *names: str) -> list[tuple[str, float]]:
    """List names and values of settings that are not left to the data."""
    values = ((name, getattr(config, name)) for name in names)
    return [(name, value) for name, value in values if value is not None]
