"""Types and ranges of settings.

Upper bounds are ten times and more what anybody needs: a larger value is a typing error or an attack, and
would take hours, or all memory of the machine.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_type_hints

from diffaug_bio._wording import told
from diffaug_bio.config.tables import parsed
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MOST_LAYERS = 32
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


def _require_at_most(config: object, most: dict[str, float]) -> None:
    for name, value in _given(config, *most):
        if value > most[name]:
            msg = f"`{name}` has to be at most {most[name]:.12g}, got {told(value)}."
            raise InputError(msg)


def _given(config: object, *names: str) -> list[tuple[str, float]]:
    """List names and values of settings that are not left to the data."""
    values = ((name, getattr(config, name)) for name in names)
    return [(name, value) for name, value in values if value is not None]
