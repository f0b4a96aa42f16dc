"""Checks of the structure of an HDF5 file before any of its values are read."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import h5py
import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.io._files import MOST_DEFLATED, check_unpacked_size

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MAX_DEPTH = 64  # groups within groups; files of AnnData have five or so
_MAX_VISITS = 100  # of one group; branching links could lead to it without end

_NAMING = ("_index", "column-order", "categories")  # attributes that name columns to anndata


@dataclass(frozen=True, slots=True)
class _Group:
    """Group of an HDF5 file with all groups around it."""

    group: h5py.Group
    identity: tuple[int, int]
    ancestors: frozenset[tuple[int, int]]


def check_structure(
    file: h5py.File, path: Path, names: Iterable[str], *, external_links: bool = False
) -> None:
    """Refuse elements `names` of an HDF5 file that cannot be read safely; missing ones are skipped.

    Groups within themselves or too deep, links that lead nowhere or (without `external_links`) to other
    files, unknown compression, and more values than the file or the memory can hold raise an `InputError`.
    """
    start = _Group(file, _identity(file), frozenset())
    pending = [(start, [name for name in names if file.get(name, getlink=True) is not None])]
    visits: Counter[tuple[int, int]] = Counter()
    n_bytes = 0
    while pending:
        holder, inside = pending.pop()
        visits[holder.identity] += 1
        if visits[holder.identity] > _MAX_VISITS:
            _refuse(path, holder.group.name, f"is a group that more than {_MAX_VISITS} links lead to")
        for name in inside:
            element = _open(holder.group, name, path, external_links=external_links)
            _check_columns(element, path)
            if isinstance(element, h5py.Group):
                pending.append((_enter(holder, element, path), list(element)))
            elif isinstance(element, h5py.Dataset):
                n_bytes += _check_values(element, path, external_links=external_links)
            else:
                _refuse(path, element.name, "is a data type without values")
    check_unpacked_size(path, n_bytes, most_compressed=MOST_DEFLATED)


def _identity(element: h5py.HLObject) -> tuple[int, int]:
    """Return file number and address of an element, the same by whatever link it was reached."""
    found = h5py.h5o.get_info(element.id)
    return found.fileno, found.addr


def _open(
    group: h5py.Group, name: str, path: Path, *, external_links: bool
) -> h5py.Dataset | h5py.Group | h5py.Datatype:
    """Follow a link, if it may be followed."""
    place = f"{group.name.rstrip('/')}/{name}"
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink) and not external_links:
        _refuse_external(path, place, f"leads to another file, {link.filename!r}")
    try:
        element = group[name]
    except KeyError as error:
        if isinstance(link, h5py.SoftLink | h5py.ExternalLink):
            _refuse(path, place, f"is a link to {link.path!r}, where there is nothing that can be read")
        msg = f"{path} is damaged: {place} cannot be opened. Copy it again."
        raise InputError(msg) from error
    # A soft link may lead through an external one elsewhere in the file.
    if not external_links and _identity(element)[0] != _identity(group)[0]:
        _refuse_external(path, place, f"leads to another file, {element.file.filename!r}")
    return element


def _check_columns(element: h5py.HLObject, path: Path) -> None:
    """Refuse a table with columns or categories that lie elsewhere in the file."""
    for name in _NAMING:
        for column in np.ravel(element.attrs.get(name, ())).tolist():
            text = column.decode(errors="replace") if isinstance(column, bytes) else column
            if isinstance(text, str) and text.startswith("/"):
                _refuse(path, element.name, f"names {text!r}, which lies elsewhere, as its {name!r}")


def _enter(holder: _Group, group: h5py.Group, path: Path) -> _Group:
    """Enter a group, unless it lies within itself or too deep."""
    identity = _identity(group)
    ancestors = holder.ancestors | {holder.identity}
    if identity in ancestors:
        _refuse(path, group.name, "is a group that lies within itself")
    if len(ancestors) > _MAX_DEPTH:
        _refuse(path, group.name, f"lies more than {_MAX_DEPTH} groups deep")
    return _Group(group, identity, ancestors)


def _check_values(values: h5py.Dataset, path: Path, *, external_links: bool) -> int:
    """Refuse values in other files or of an unknown compression; return their size in bytes."""
    settings = values.id.get_create_plist()
    if settings.get_external_count() and not external_links:
        _refuse_external(path, values.name, f"lies in another file, {values.external[0][0]!r}")
    if settings.get_layout() == h5py.h5d.VIRTUAL and not external_links:
        _refuse_external(path, values.name, "is put together from other values (a virtual dataset)")
    for number in range(settings.get_nfilters()):
        code, _, _, name = settings.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            compression = name.decode(errors="replace") or f"number {code}"
            _refuse(path, values.name, f"is compressed by the filter {compression}, which is not installed")
    return 0 if values.shape is None else math.prod(values.shape) * values.dtype.itemsize


def _refuse_external(path: Path, place: str, found: str) -> NoReturn:
    msg = (
        f"{path}: {place} {found}, and a file from a stranger could so read your private files. If you "
        "trust it, allow `external_links` (`--external-links`), or write a file that holds all values."
    )
    raise InputError(msg)


def _refuse(path: Path, place: str, found: str) -> NoReturn:
    msg = f"{path}: {place} {found}. Remove that element, or write the file again."
    raise InputError(msg)
