"""Reading the files of a model folder strictly: what a stranger wrote may hold anything."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from diffaug_bio._wording import printable, told
from diffaug_bio.errors import CheckpointError
from diffaug_bio.features.records import CONFIG, WEIGHTS, Damage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FEATURES, HISTORY = "features.json", "history.json"
DIGEST_ENTRY = "sha256"
"""Entry of `config.json`: digest of what it and `features.json` hold."""

_MOST_BYTES = {CONFIG: 2**24, FEATURES: 2**28, HISTORY: 2**26}
"""Sizes far above those of any model; names of millions of words take some 60 MB."""


class ArrayHeader(NamedTuple):
    """Head of an array in a file of weights."""

    dtype: str
    """Name that safetensors gives the type: F32, I64, BF16 and so on."""
    shape: tuple[int, ...]


@contextlib.contextmanager
def damage_told(folder: object) -> Iterator[None]:
    """Turn damage that is found in a model folder into one sentence, and what nobody foresaw too."""
    try:
        yield
    except CheckpointError:
        raise
    except Damage as damage:
        why, cause = str(damage), damage.__cause__
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        why, cause = repr(error), error
    else:
        return
    msg = f"{folder} is damaged: {why}. Fit the model again, or restore the folder."
    raise CheckpointError(msg) from cause


def read_table(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of a model: one table of strict JSON, every entry there once; else `Damage`."""
    try:
        with (folder / name).open("rb") as stream:
            content = stream.read(_MOST_BYTES[name] + 1)
    except OSError as error:
        msg = f"{name} cannot be read ({error.strerror or error})"
        raise Damage(msg) from error
    if len(content) > _MOST_BYTES[name]:
        msg = f"{name} is larger than {_MOST_BYTES[name]} bytes, and that of no model is"
        raise Damage(msg)
    try:
        table = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError as error:
        msg = f"{name} is nested too deeply"
        raise Damage(msg) from error
    except (ValueError, Damage) as error:  # no UTF-8, no JSON, or a number of thousands of digits
        msg = f"{name} is no strict JSON ({error})"
        raise Damage(msg) from error
    if not isinstance(table, dict):
        msg = f"{name} has to hold a table, and holds {told(table)}"
        raise Damage(msg)
    return table


def read_header(folder: Path) -> dict[str, ArrayHeader]:
    """Read names, types and shapes of the arrays of a model, and none of their values."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="np") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no dict
            return {
                name: ArrayHeader(part.get_dtype(), tuple(part.get_shape())) for name, part in parts.items()
            }
    except (SafetensorError, OSError) as error:
        msg = f"{WEIGHTS} cannot be read ({error})"
        raise Damage(msg) from error


def read_arrays(folder: Path) -> dict[str, NDArray[np.generic]]:
    """Read all arrays of a model, of types that :func:`read_header` found to be known."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(folder / WEIGHTS))
    except (SafetensorError, OSError) as error:
        msg = f"{WEIGHTS} cannot be read ({error})"
        raise Damage(msg) from error


def digest_of(description: Mapping[str, Any], names: Sequence[str] | None) -> str:
    """SHA-256 of the other entries of `config.json`, and of the features' names in order.

    It tells a change to another valid model: two names that changed places, or a truth value that was
    turned.
    """
    entries = {key: value for key, value in description.items() if key != DIGEST_ENTRY}
    text = json.dumps([entries, names], sort_keys=True, allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(printable(text).encode()).hexdigest()  # of what is written


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a table of its entries, and refuse one that is there twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        msg = f"the entry {told(next(name for name in names if names.count(name) > 1))} is there twice"
        raise Damage(msg)
    return table


def _no_number(literal: str) -> NoReturn:
    msg = f"{literal} is no number"
    raise Damage(msg)
