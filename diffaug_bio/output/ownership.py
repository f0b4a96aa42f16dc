"""Ownership of files: a record in each output folder, with size and hash of every file."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from diffaug_bio import __version__
from diffaug_bio.output.digest import digest
from diffaug_bio.output.stages import is_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD_FILE = "files.json"
_WRITER = "diffaug-bio"


class Written(NamedTuple):
    """Size in bytes and hash of a file when it was written."""

    size: int
    sha256: str


def files_in(folder: Path) -> list[str]:
    """List all files and links in a folder and its folders, without stages, by relative names with `/`."""
    found = []
    for place, folders, names in os.walk(folder):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if not is_hidden(name)]
        found += [(here / name).relative_to(folder).as_posix() for name in names + links]
    return sorted(name for name in found if not is_hidden(name.rpartition("/")[2]))


def make_record(folder: Path, *, known: Mapping[str, Written] | None = None) -> dict[str, Written]:
    """Hash all files in a folder except its record; `known` are entries of files elsewhere to be kept."""
    here = {name: Written(*digest(folder / name)) for name in files_in(folder) if name != RECORD_FILE}
    return {**(known or {}), **here}


def write_record(folder: Path, files: Mapping[str, Written] | None = None) -> None:
    """Write `files.json`, by which a later run may replace these files; by default all in the folder."""
    files = make_record(folder) if files is None else files
    table = {
        "written_by": f"{_WRITER} {__version__}",
        "files": {
            name: {"bytes": size, "sha256": sha256} for name, (size, sha256) in sorted(files.items())
        },
    }
    text = json.dumps(table, indent=2)  # in ASCII: a name may not be UTF-8
    (folder / RECORD_FILE).write_text(f"{text}\n", encoding="utf-8")


def read_record(folder: Path) -> dict[str, Written] | None:
    """Read the record of a folder; return None if there is none that this package wrote."""
    try:
        table = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        is_ours = table["written_by"].startswith(f"{_WRITER} ")
        files = {name: Written(entry["bytes"], entry["sha256"]) for name, entry in table["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_sound = all(
        is_inner(name) and isinstance(size, int) and isinstance(sha256, str)
        for name, (size, sha256) in files.items()
    )
    return files if is_ours and is_sound else None


def is_inner(name: object) -> bool:
    """Return True for a relative name within a folder, in the form that this package writes."""
    if not isinstance(name, str) or "\0" in name:
        return False
    path = PurePath(name)
    return bool(path.parts) and path.as_posix() == name and not path.anchor and ".." not in path.parts


def lies_within(folder: Path, name: object) -> bool:
    """Return True for a name within a folder that no link leads out of."""
    return is_inner(name) and not any(
        (folder / parent).is_symlink() for parent in PurePath(str(name)).parents if parent.parts
    )


def is_unchanged(path: Path, written: Written | None) -> bool:
    """Return True if a file has the size and hash of a record; the hash is computed only if needed."""
    return (
        written is not None
        and path.is_file()
        and not path.is_symlink()
        and path.stat().st_size == written.size
        and digest(path) == written
    )


def not_ours(folder: Path) -> list[str]:
    """List files in a folder that this package did not write, or that were changed since."""
    record = read_record(folder)
    if record is None:
        return files_in(folder)
    return [
        name
        for name in files_in(folder)
        if name != RECORD_FILE and not is_unchanged(folder / name, record.get(name))
    ]


def folder_of_ours(path: Path) -> Path | None:
    """Return the innermost folder around a path that this package wrote, if any."""
    return next((folder for folder in path.resolve().parents if read_record(folder) is not None), None)
