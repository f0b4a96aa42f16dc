"""Size and hash of files and folders."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def digest(path: Path) -> tuple[int, str]:
    """Return size in bytes and SHA-256 of a file, or of a folder's visible files with their names."""
    if not path.is_dir():
        with path.open("rb") as stream:
            return path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()
    n_bytes, found = 0, hashlib.sha256()
    for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        name = file.relative_to(path)
        if not any(part.startswith(".") for part in name.parts):
            size, content = digest(file)
            found.update(f"{name.as_posix()}\0{content}\n".encode("utf-8", "surrogateescape"))
            n_bytes += size
    return n_bytes, found.hexdigest()
