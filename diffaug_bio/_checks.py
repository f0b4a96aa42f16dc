"""Checks of single arguments: counts, seeds, names, files, and keys of an AnnData."""

from __future__ import annotations

import math
from collections import Counter
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING

from diffaug_bio._wording import near, shorten, told
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def check_anndata(adata: object) -> None:
    """Refuse anything but an AnnData with an `InputError` that says how to make one."""
    from anndata import AnnData

    if isinstance(adata, AnnData):
        return
    remedy = "Make one with `anndata.AnnData(X)`, or fit arrays and data frames with `diffaug_bio.DiffAug`."
    if isinstance(adata, str | PathLike):
        remedy = "Read the file with `diffaug_bio.io.read`."
    elif type(adata).__name__ == "MuData":
        remedy = "Take one modality of a MuData, such as `mdata['rna']`."
    msg = f"Expected an AnnData, got {type(adata).__module__}.{type(adata).__name__}. {remedy}"
    raise InputError(msg)


def check_held(name: str, held: Iterable[object], *, what: str, where: str, remedy: str = "") -> None:
    """Refuse a column or entry missing in `held`, a table or mapping; the message lists what there is.

    `what` is a noun (`"label column"`), `where` the place (`` "`.obs`" ``), `remedy` the last sentence.
    """
    if name not in (names := list(held)):
        meant = near(name, map(str, names))
        found = f"There is no {what} {name!r} in {where}{meant}; it holds {shorten(names) or 'nothing'}."
        raise InputError(f"{found} {remedy}".rstrip())


def check_unique(names: Iterable[str], *, what: str, remedy: str) -> None:
    """Raise an `InputError` that lists repeated names and ends with the remedy."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"{len(repeated)} {what} occur more than once: {shorten(repeated)}. {remedy}"
        raise InputError(msg)


def check_columns(
    asked: Iterable[str], known: Iterable[object], *, where: object, listed: Iterable[object] | None = None
) -> None:
    """Refuse the first unknown column; the message lists the known, or if thousands those in `listed`."""
    names = [str(name) for name in known]
    if missing := next((name for name in asked if name not in names), None):
        found = f"it has {shorten(names) or 'none'}"
        if listed is not None:
            found = f"columns of text are {shorten(listed) or 'none'}"
        msg = f"{where} has no column {missing!r}{near(missing, names)}; {found}."
        raise InputError(msg)


def check_count(name: str, value: object, *, most: float = math.inf) -> None:
    """Raise an `InputError` unless an argument is a whole number from 1 to `most`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not 1 <= int(value) <= most:
        bound = "" if most == math.inf else f" and at most {most}"
        msg = f"`{name}` has to be a whole number of at least 1{bound}, got {told(value)}."
        raise InputError(msg)


def check_seed(seed: object) -> None:
    """Raise an `InputError` unless a seed suits numpy, scikit-learn and torch: from 0 to 2**32 - 1."""
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not 0 <= int(seed) < 2**32:
        msg = f"`random_state` has to be a whole number from 0 to {2**32 - 1}, got {told(seed)}."
        raise InputError(msg)


def check_exists(path: Path) -> None:
    """Refuse a path without a file or folder; the message lists some files beside it."""
    if not path.exists():
        folder = path.parent if path.parent.is_dir() else None
        beside = sorted(entry.name for entry in folder.iterdir()) if folder else []
        seen = [name for name in beside if not name.startswith(".")][:5]
        found = f" {folder.resolve()} holds {', '.join(seen)}." if folder and seen else ""
        msg = f"There is no file {path}.{found}"
        raise InputError(msg)


def check_folder_of(path: Path) -> None:
    """Refuse a file to write in a folder that is missing."""
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent} to write {path.name} into. Make it first."
        raise InputError(msg)
