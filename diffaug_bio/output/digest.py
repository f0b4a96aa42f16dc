"""Size and hash of files and folders."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ZARR = (".zarray", ".zattrs", ".zgroup", ".zmetadata")  # hidden, and yet a part of what a store holds


def digest(path: Path, *, files: Iterable[Path] | None = None) -> tuple[int, str]:
    """Return size in bytes and SHA-256 of a file, or of a folder's files with their names.

    Of a folder, all files that are not hidden count. Where `files` are given, in it or beside it, they
    count in place of all others.
    """
    if files is None and not path.is_dir():
        with path.open("rb") as stream:
            return path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()
    top = path if path.is_dir() else path.parent
    n_bytes, found = 0, hashlib.sha256()
    for file in sorted(_visible(path) if files is None else files):
        size, content = digest(file)
        found.update(f"{file.relative_to(top).as_posix()}\0{content}\n".encode("utf-8", "surrogateescape"))
        n_bytes += size
    return n_bytes, found.hexdigest()


def _visible(folder: Path) -> list[Path]:
    """List the files in a folder that are not hidden."""
    return [
        file
        for file in folder.rglob("*")
        if file.is_file()
        and not any(part.startswith(".") and part not in _ZARR for part in file.relative_to(folder).parts)
    ]
