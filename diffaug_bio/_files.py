"""Writing files and folders so that nothing is ever half-written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._printable import printable
from diffaug_bio._validation import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_STAGE_PREFIX = ".diffaug-bio."


@contextlib.contextmanager
def staged_folder(target: Path, *, overwrite: bool, known: frozenset[str]) -> Iterator[Path]:
    """Give an empty folder that takes the place of `target` when the block succeeds.

    The folder is made beside or in `target` at once, so that a place without write permission is found
    before any work is done. When the block fails, the folder is removed and `target` is as it was.

    Parameters
    ----------
    target
        The folder to write. An empty one may exist.
    overwrite
        Whether a folder that holds something may be replaced.
    known
        Names that this package writes there. A folder that holds anything else is never replaced.

    Raises
    ------
    InputError
        If `target` exists and may not be replaced, or nothing can be written there.
    """
    check_replaceable(target, overwrite=overwrite, known=known)
    made: list[Path] = []
    try:
        # Inside a folder that exists, else beside it: either way on the same file system.
        home = target if target.is_dir() else target.parent
        made = [folder for folder in (home, *home.parents) if not folder.exists()]
        home.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=_STAGE_PREFIX, dir=home))
    except OSError as error:
        _remove_empty(made)
        msg = f"Cannot write to {target}: {error.strerror}. Choose another output folder."
        raise InputError(msg) from error
    try:
        stage.chmod(0o777 & ~_umask())
        yield stage
        _sync(stage)
        if target.is_dir():
            _replace_entries(stage, target)
        else:
            stage.rename(target)
        _sync_path(target.parent)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        _remove_empty(made)
        raise


def check_replaceable(target: Path, *, overwrite: bool, known: frozenset[str]) -> None:
    """Refuse a folder that must not be replaced; see :func:`staged_folder`."""
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        msg = f"{target} exists and is not a folder. Choose another output folder."
        raise InputError(msg)
    # What a killed run left behind is nobody's work.
    names = sorted(entry.name for entry in target.iterdir())
    present = [name for name in names if not name.startswith(_STAGE_PREFIX)]
    if foreign := [name for name in present if name not in known]:
        msg = (
            f"{target} exists and holds what diffaug-bio did not write: {shorten(foreign)}. Choose "
            "another output folder, or an empty one."
        )
        raise InputError(msg)
    if present and not overwrite:
        msg = (
            f"{target} exists already. Choose another output folder, or overwrite it "
            "(`--force`, in Python `overwrite=True`)."
        )
        raise InputError(msg)


def write_json(path: Path, value: object) -> None:
    """Write strict JSON, indented; a float that JSON cannot hold is refused."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(printable(text) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write a text file beside its name and rename it, so that it is never half-written."""
    write_bytes(path, printable(text).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its name and rename it, so that it is never half-written."""
    with staged_file(path) as stage:
        stage.write_bytes(content)


@contextlib.contextmanager
def staged_file(target: Path) -> Iterator[Path]:
    """Give the name of a file that takes the place of `target` when the block succeeds.

    Its ending is that of `target`, for writers that go by it. When the block fails, `target` is as it was.
    """
    descriptor, name = tempfile.mkstemp(prefix=_STAGE_PREFIX, suffix=target.name, dir=target.parent)
    os.close(descriptor)
    stage = Path(name)
    try:
        yield stage
        _sync_path(stage)
        stage.chmod(0o666 & ~_umask())
        stage.replace(target)
    except BaseException:
        stage.unlink(missing_ok=True)
        raise


def _replace_entries(stage: Path, target: Path) -> None:
    """Put the stage's entries in the place of those of a folder by renaming; the folder itself stays."""
    old = Path(tempfile.mkdtemp(prefix=_STAGE_PREFIX, dir=target))
    moved: list[tuple[Path, Path]] = []
    try:
        for entry in [entry for entry in target.iterdir() if not entry.name.startswith(_STAGE_PREFIX)]:
            entry.rename(old / entry.name)
            moved.append((old / entry.name, entry))
        for entry in list(stage.iterdir()):
            entry.rename(target / entry.name)
            moved.append((target / entry.name, entry))
    except BaseException:  # Ctrl-C too: what was there comes back before anything is removed
        for now, before in reversed(moved):
            now.rename(before)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)
    stage.rmdir()


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for an output that never came, innermost first."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _sync(folder: Path) -> None:
    """Make sure that all files of a folder are on the disk before it gets its name."""
    for path in [*folder.rglob("*"), folder]:
        _sync_path(path)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Read the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
