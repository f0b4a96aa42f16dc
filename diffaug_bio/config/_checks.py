"""What the values of a section have to be, beside their types."""

from __future__ import annotations

from typing import Literal, get_args, get_origin, get_type_hints

from diffaug_bio.errors import InputError


def require_choices(config: object) -> None:
    """Check settings that are one of a few words."""
    for name, hint in get_type_hints(type(config)).items():
        if get_origin(hint) is Literal and getattr(config, name) not in get_args(hint):
            choices = ", ".join(map(repr, get_args(hint)))
            msg = f"`{name}` has to be one of {choices}, got {getattr(config, name)!r}."
            raise InputError(msg)


def require_positive(config: object, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            msg = f"`{name}` has to be above 0, got {getattr(config, name)!r}."
            raise InputError(msg)


def require_at_least(config: object, least: int, *names: str) -> None:
    for name in names:
        if getattr(config, name) < least:
            msg = f"`{name}` has to be at least {least}, got {getattr(config, name)!r}."
            raise InputError(msg)


def require_fraction(config: object, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            msg = f"`{name}` is a share in [0, 1), got {getattr(config, name)!r}."
            raise InputError(msg)
