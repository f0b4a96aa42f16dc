"""Zarr stores of AnnData: folders `.zarr`, or one zipped into a file, of zarr's formats 2 and 3."""

from __future__ import annotations

import logging
import math
import re
import warnings
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import MOST_DEFLATED, check_unpacked_size
from diffaug_bio.io.stores._group import PARTS, read_group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_METADATA = ("zarr.json", ".zgroup", ".zarray")
_SPARSE = re.compile(r"(^|/)(data|indices|indptr)$")


def is_zarr(path: Path) -> bool:
    """Return True for a folder, or a zip of one, that holds a zarr store at its top."""
    if path.is_dir():
        return any((path / name).is_file() for name in _METADATA)
    return path.name.lower().endswith(".zarr.zip")


def read_zarr(path: Path) -> AnnData:
    """Read an AnnData from a zarr store, after a check of its links, sizes and pieces."""
    with _errors(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about metadata that anndata writes
        group = _open(path)
        if not {"obs", "var"} <= set(group):
            raise InputError(_why_not(path, list(group)))
        _check(group, path)
        if foreign := sorted(set(group) - {*PARTS}):
            logger.info("%s: %s do not belong to an AnnData, and are left out.", path, shorten(foreign))
        return read_group(group, path)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn what zarr and anndata raise on damaged stores, which is nearly anything, into one sentence."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        msg = f"{path} does not fit into memory. Take a part of it, or a machine with more memory."
        raise InputError(msg) from error
    except PermissionError as error:
        msg = f"{path} cannot be read: permission denied."
        raise InputError(msg) from error
    except Exception as error:
        lines = str(error).splitlines()
        reason = lines[0].rstrip(".") if lines else type(error).__name__
        msg = f"{path} is a damaged zarr store: {reason}. Copy it again, with all its files."
        raise InputError(msg) from error


def _open(path: Path) -> Any:
    """Open the group of the AnnData; a zip may hold the store's folder or its content."""
    import zarr

    if path.is_dir():
        _check_links(path)
        return zarr.open_group(path, mode="r")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.rpartition("/")[2] in _METADATA]
    if not names:
        msg = f"{path} is a zip without a zarr store. Unpack it, and name what it holds."
        raise InputError(msg)
    top = min(names, key=lambda name: name.count("/")).rpartition("/")[0]
    return zarr.open_group(zarr.storage.ZipStore(path, mode="r"), path=top, mode="r")


def _check_links(path: Path) -> None:
    """Refuse links out of a store, through which a stranger's store could read private files."""
    top = path.resolve()
    for entry in path.rglob("*"):
        if entry.is_symlink() and not entry.resolve().is_relative_to(top):
            msg = f"{path}: {entry.relative_to(path)} is a link out of the store. Copy what it leads to."
            raise InputError(msg)


def _check(group: Any, path: Path) -> None:
    """Refuse more values than the store can hold, and pieces that are missing."""
    import zarr

    arrays = {
        name: member for name, member in group.members(max_depth=None) if isinstance(member, zarr.Array)
    }
    n_bytes = 0
    for name, member in arrays.items():
        _refuse_pickles(member, name, path)
        size = member.dtype.itemsize if member.dtype.kind in "biufcSU" else 8
        # Pieces are unpacked whole, also where they reach beyond the array.
        pieces = zip(member.shape, member.chunks, strict=True)
        n_bytes += math.prod(-(-n // max(piece, 1)) * piece for n, piece in pieces) * size
    check_unpacked_size(path, n_bytes, most_compressed=MOST_DEFLATED, held=_size(path))
    names = {f"{frame}/{group[frame].attrs.get('_index')}" for frame in ("obs", "var")}
    lacking = {
        name: f"{member.nchunks - member.nchunks_initialized} of {member.nchunks} pieces of {name}"
        for name, member in arrays.items()
        if math.prod(member.shape) > 1 and member.nchunks_initialized < member.nchunks
    }
    if sure := next((name for name in lacking if name in names or _SPARSE.search(name)), None):
        msg = f"{path} is incomplete: {lacking[sure]} are missing. Copy it again, with all its files."
        raise InputError(msg)
    if lacking:
        # Zarr leaves out pieces of zeros only, such as the codes of a category that all cells have.
        logger.log(
            logging.WARNING if "X" in lacking else logging.INFO,
            "%s: %s are not there, and read as zeros. That is right if they hold no other value; if the "
            "copy may be incomplete, copy it again.",
            path,
            ", ".join(list(lacking.values())[:5]),
        )


def _refuse_pickles(member: Any, name: str, path: Path) -> None:
    """Refuse codecs that unpickle, which runs code of the file; not all versions of numcodecs do."""
    if any("pickle" in repr(codec).lower() for codec in (*member.filters, *member.compressors)):
        msg = (
            f"{path} holds Python objects in {name} (codec 'pickle'), which are not read, since they can "
            "run any code. Write the store again without them."
        )
        raise InputError(msg)


def _size(path: Path) -> int:
    """Count the bytes of a store."""
    if path.is_dir():
        return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())
    return path.stat().st_size


def _why_not(path: Path, keys: list[str]) -> str:
    """Word the error for a store without an AnnData at its top; SpatialData has tables below it."""
    if "tables" in keys or "table" in keys:
        hint = f"Name a table of it, such as {path / 'tables' / 'table'}."
    else:
        hint = "Name the group of the AnnData, if there is one."
    return f"{path} is a zarr store, but not of an AnnData: it holds {shorten(keys) or 'nothing'}. {hint}"
