"""What the values of a section have to be, and how large they may be at most.

A bound is generous: ten times and more what anybody needs. What lies beyond it is a slip of the keyboard or
an attack, and would end in hours of waiting, or in the memory of the machine.
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
"""Most numbers that a layer of a perceptron gives."""


def settle(config: DataclassInstance) -> None:
    """Check the types of all settings, and bring them to Python's own: of numbers, and tuples for lists.

    Numbers that are not finite are left to the checks of ranges below, which no setting goes without.
    """
    hints: dict[str, Any] = get_type_hints(type(config))
    for entry in fields(config):
        value, hint = getattr(config, entry.name), hints[entry.name]
        if not (hint is float and isinstance(value, float)):
            object.__setattr__(config, entry.name, parsed(value, hint, name=entry.name))


def require_positive(config: object, **most: float) -> None:
    """Check numbers above 0, each up to its bound."""
    for name in most:
        if not getattr(config, name) > 0:
            msg = f"`{name}` has to be above 0, got {told(getattr(config, name))}."
            raise InputError(msg)
    _require_at_most(config, most)


def require_at_least(config: object, least: int, **most: float) -> None:
    """Check numbers from a least one up, each up to its bound."""
    for name in most:
        if not getattr(config, name) >= least:
            msg = f"`{name}` has to be at least {least}, got {told(getattr(config, name))}."
            raise InputError(msg)
    _require_at_most(config, most)


def require_fraction(config: object, *names: str) -> None:
    """Check shares that are never all."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            msg = f"`{name}` is a share in [0, 1), got {told(getattr(config, name))}."
            raise InputError(msg)


def require_share(config: object, *names: str, of: str = "") -> None:
    """Check shares of something, nothing and all among them."""
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            msg = f"`{name}` is a share {of}from 0 to 1, got {told(getattr(config, name))}."
            raise InputError(msg)


def require_widths(config: object, *names: str) -> None:
    """Check widths of layers."""
    for name in names:
        widths = getattr(config, name)
        if len(widths) > _MOST_LAYERS or not all(1 <= width <= MOST_WIDE for width in widths):
            msg = (
                f"`{name}` holds widths of layers, each at least 1 and at most {MOST_WIDE}, and of at most "
                f"{_MOST_LAYERS} layers; got {told(widths)}."
            )
            raise InputError(msg)


def _require_at_most(config: object, most: dict[str, float]) -> None:
    for name, bound in most.items():
        if getattr(config, name) > bound:
            msg = f"`{name}` has to be at most {bound:.12g}, got {told(getattr(config, name))}."
            raise InputError(msg)
