"""Reading h5ad files, with errors that name the damaged element."""

from __future__ import annotations

import contextlib
import errno
import logging
import re
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import h5py
from anndata.io import read_elem

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import is_gzipped, open_bytes, reading
from diffaug_bio.io.h5ad._elements import check_elements, parts_of
from diffaug_bio.io.h5ad._heaps import check_heaps
from diffaug_bio.io.h5ad._structure import check_structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anndata import AnnData

logger = logging.getLogger(__name__)

_PARTS = ("X", "obs", "var", "layers", "obsm", "varm", "obsp", "varp", "uns", "raw")
_PARTS_OF_RAW = ("X", "var", "varm")
_OLD_PARTS = ("raw.X", "raw.var", "raw.varm")  # before anndata 0.7
_PIECE = 2**20
_NOTE = re.compile(r"reading key '(.*)' of .* from (.*)")  # note that anndata adds to an error


def read_h5ad(path: Path, *, external_links: bool = False) -> AnnData:
    """Read an h5ad file; see :func:`diffaug_bio.io.read`.

    The structure is checked before any value is read, and every sparse matrix before it is used. Foreign
    members are left out, and a column `_index`, which cannot be written again, is dropped or renamed.
    """
    with open_h5ad(path, [*_PARTS, *_OLD_PARTS], external_links=external_links) as file:
        keys = set(file)
        if missing := {"obs", "var"} - keys:
            msg = (
                f"{path} is HDF5, but not an AnnData: it lacks {', '.join(sorted(missing))} and holds "
                f"{', '.join(sorted(keys)) or 'nothing'}."
                f"{' Unpack it (gunzip) if it is of another program.' if is_gzipped(path) else ''}"
            )
            raise InputError(msg)
        if foreign := sorted(keys - {*_PARTS, *_OLD_PARTS}):
            logger.info("%s: %s do not belong to an AnnData, and are left out.", path, shorten(foreign))
        if not _is_old(file):
            return anndata.AnnData(**_read_parts(file, path, _PARTS))
        if foreign:
            msg = (
                f"{path} was written by a very old anndata and holds {shorten(foreign)}, which do not "
                "belong to an AnnData. Remove them, or write the file again."
            )
            raise InputError(msg)
        adata = anndata.read_h5ad(file.filename)
        check_elements(parts_of(adata), path)
        return adata


def read_parts(path: Path, parts: Sequence[str], *, external_links: bool = False) -> dict[str, Any]:
    """Read the named parts of an h5ad file that exist, such as `obs`, as :func:`read_h5ad` does."""
    with open_h5ad(path, parts, external_links=external_links) as file:
        return _read_parts(file, path, parts)


@contextlib.contextmanager
def open_h5ad(
    path: Path, parts: Sequence[str] = _PARTS, *, external_links: bool = False
) -> Iterator[h5py.File]:
    """Open an h5ad file, plain or gzipped, after a check of some parts.

    All errors in the block become an `InputError`.
    """
    with reading(path), _plain(path) as plain:
        file = _opened(plain, path)
        with file:
            try:
                check_heaps(plain, called=path)
                check_structure(file, path, parts, external_links=external_links)
                yield file
            except InputError:
                raise
            except Exception as error:  # on damaged files, the libraries raise nearly anything
                raise InputError(_sentence(error, path, file)) from error


@contextlib.contextmanager
def _plain(path: Path) -> Iterator[Path]:
    """Unpack a gzipped file, as GEO has them, to a temporary one: HDF5 jumps about in what it reads."""
    if not is_gzipped(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="diffaug-bio-") as folder:
        plain = Path(folder, "unpacked.h5ad")
        try:
            with open_bytes(path) as packed, plain.open("wb") as stream:
                shutil.copyfileobj(packed, stream, _PIECE)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            msg = (
                f"{path} unpacks to more than there is room for in {tempfile.gettempdir()}. Name a folder "
                "with more room in the environment variable TMPDIR, or unpack the file yourself (gunzip)."
            )
            raise InputError(msg) from error
        logger.info("%s is unpacked each time it is read; unpacked once (gunzip), it opens faster.", path)
        yield plain


def _opened(plain: Path, path: Path) -> h5py.File:
    """Open an HDF5 file `plain`, which is called `path` in errors."""
    try:
        return h5py.File(plain, "r")
    except PermissionError as error:
        msg = f"{path} cannot be read: permission denied."
        raise InputError(msg) from error
    except (OSError, RuntimeError, ValueError) as error:
        reason = "it is cut off" if "truncated" in str(error) else "it is not an HDF5 file"
        what = "what is packed in it is cut off or no HDF5 file" if plain != path else reason
        msg = f"{path} is not a complete h5ad file: {what}. Copy or download it again."
        raise InputError(msg) from error


def _is_old(file: h5py.File) -> bool:
    """Return True for a file from before anndata 0.7, which only `anndata.read_h5ad` reads."""
    frames = (file["obs"], file["var"])
    return any(isinstance(frame, h5py.Dataset) for frame in frames) or any(
        part in file for part in _OLD_PARTS
    )


def _read_parts(file: h5py.File, path: Path, parts: Iterable[str]) -> dict[str, Any]:
    """Read and check parts."""
    elements: dict[str, Any] = {}
    for part in parts:
        # As a dictionary, which AnnData takes; some writers put "null" in place of a group.
        if part == "raw" and isinstance(inside := file.get("raw"), h5py.Group):
            elements[part] = {name: read_elem(inside[name]) for name in _PARTS_OF_RAW if name in inside}
        elif part in file:
            elements[part] = read_elem(file[part])
    return check_elements(elements, path)


def _sentence(error: Exception, path: Path, file: h5py.File) -> str:
    """Word an error of reading, with the element if anndata names it."""
    notes = (_NOTE.search(note) for note in getattr(error, "__notes__", ()))
    found = next((note for note in notes if note), None)
    place = "" if found is None else f"{found[2].rstrip('/')}/{found[1]}"
    if type(error).__name__ == "IORegistryError":  # anndata does not export it
        kind = dict(file[place].attrs).get("encoding-type", "") if place else ""
        what = f"{place or 'an element'}{f' (of the kind {kind!r})' if kind else ''}"
        return (
            f"{path}: anndata {version('anndata')} cannot read {what}: the file was written by a newer "
            "anndata or another program. Update anndata, or remove that element."
        )
    if isinstance(error, UnicodeDecodeError):
        return (
            f"{path}: {place or 'some text'} is not UTF-8, which h5ad asks for. Remove that element, or "
            "write the file again with text in UTF-8."
        )
    if isinstance(error, MemoryError):
        return f"{path} does not fit into memory{f': {place}' if place else ''}."
    lines = str(error).splitlines()
    reason = lines[0] if lines else type(error).__name__
    return f"{path} is damaged: {f'{place}: ' if place else ''}{reason}. Copy it again."
