"""Checks of arguments that hold for every command."""

from __future__ import annotations

import math
import re
from typing import Any

import click

_MAX_LENGTH = 4096  # as of paths


def check_arguments(arguments: list[str]) -> None:
    """Refuse arguments that are empty, too long, or hold what no name of a file or column can."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        place = f"after {before[:40]!r}" if before.startswith("-") else ""
        if not argument or re.fullmatch(r"--[a-z-]+=", argument):
            msg = f"An argument {place or repr(argument)} is empty. Give a value, or leave it out."
        elif "\0" in argument:
            msg = f"An argument {place} holds a NUL byte, which no name can."
        elif len(argument) > _MAX_LENGTH:
            msg = f"An argument {place} has {len(argument)} characters, more than {_MAX_LENGTH}."
        else:
            continue
        raise click.UsageError(" ".join(msg.split()))


class Number(click.FloatRange):
    """A finite number in a range; click lets nan pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


def word_lengths(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """Read whole numbers from 1 to 8 with commas."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(re.fullmatch("[1-8]", part) for part in parts):
        msg = f"Give whole numbers from 1 to 8 with commas, such as 4 or 3,4,5; got {value!r}."
        raise click.BadParameter(msg)
    return tuple(int(part) for part in parts)
