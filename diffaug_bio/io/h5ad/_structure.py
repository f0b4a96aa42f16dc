"""Looking at the structure of an HDF5 file before any of its values are read."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import h5py
import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.machine.memory import free_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MAX_DEPTH = 64  # groups within groups; files of AnnData have five or so
_MAX_VISITS = 100  # of one group; links that branch lead to it without end
_ALWAYS_READ = 2**30  # bytes that are never too many
_MOST_COMPRESSED = 1100  # bytes that one byte of a file can stand for; gzip reaches 1032

_NAMING = ("_index", "column-order", "categories")  # attributes by whose names anndata finds columns


@dataclass(frozen=True, slots=True)
class _Group:
    """A group, and all that it lies in."""

    group: h5py.Group
    identity: tuple[int, int]
    ancestors: frozenset[tuple[int, int]]


def check_structure(
    file: h5py.File, path: Path, names: Iterable[str], *, external_links: bool = False
) -> None:
    """Refuse elements of an HDF5 file that cannot be read safely.

    Parameters
    ----------
    file
        Open for reading.
    path
        Its path, as errors name it.
    names
        What is going to be read of it; what is not there is passed over.
    external_links
        Whether values may come from other files.

    Raises
    ------
    InputError
        If groups lie within themselves or too deep, links lead nowhere or to other files, values are
        compressed in an unknown way, or more of them are declared than the file or the memory can hold.
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
    _check_size(path, n_bytes)


def _identity(element: h5py.HLObject) -> tuple[int, int]:
    """Tell an element from all others, and its file from other files, by whatever links it was reached."""
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
    # A soft link may lead through an external one that lies elsewhere in the file.
    if not external_links and _identity(element)[0] != _identity(group)[0]:
        _refuse_external(path, place, f"leads to another file, {element.file.filename!r}")
    return element


def _check_columns(element: h5py.HLObject, path: Path) -> None:
    """Refuse a table whose columns, or their categories, are said to lie elsewhere in the file."""
    for name in _NAMING:
        for column in np.ravel(element.attrs.get(name, ())).tolist():
            text = column.decode(errors="replace") if isinstance(column, bytes) else column
            if isinstance(text, str) and text.startswith("/"):
                _refuse(path, element.name, f"names {text!r}, which lies elsewhere, as its {name!r}")


def _enter(holder: _Group, group: h5py.Group, path: Path) -> _Group:
    """Go one group deeper."""
    identity = _identity(group)
    ancestors = holder.ancestors | {holder.identity}
    if identity in ancestors:
        _refuse(path, group.name, "is a group that lies within itself")
    if len(ancestors) > _MAX_DEPTH:
        _refuse(path, group.name, f"lies more than {_MAX_DEPTH} groups deep")
    return _Group(group, identity, ancestors)


def _check_values(values: h5py.Dataset, path: Path, *, external_links: bool) -> int:
    """Refuse values of other files or of an unknown compression; return how many bytes they take."""
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


def _check_size(path: Path, n_bytes: int) -> None:
    """Refuse more values than the file can hold compressed, or than fit into memory."""
    if n_bytes <= _ALWAYS_READ:
        return
    gigabytes, held = n_bytes / 2**30, path.stat().st_size
    if n_bytes > held * _MOST_COMPRESSED:
        msg = (
            f"{path} declares {gigabytes:.4g} GiB of values, and is a file of {held} bytes, which cannot "
            "hold them. Copy or download it again."
        )
        raise InputError(msg)
    free = free_bytes()
    if free is not None and n_bytes > free:
        msg = (
            f"{path} holds {gigabytes:.4g} GiB of values, and {free / 2**30:.4g} GiB of memory are free. "
            "Use a machine with more memory, or a file with fewer rows, features or layers."
        )
        raise InputError(msg)


def _refuse_external(path: Path, place: str, found: str) -> NoReturn:
    msg = (
        f"{path}: {place} {found}, which a file from elsewhere could use to read what is not meant for it. "
        "If you trust the file, allow `external_links` (`--external-links`), or write one that holds all "
        "values."
    )
    raise InputError(msg)


def _refuse(path: Path, place: str, found: str) -> NoReturn:
    msg = f"{path}: {place} {found}. Remove that element, or write the file again."
    raise InputError(msg)
