"""Writing files and folders so that nothing is ever half-written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._validation import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def staged_folder(target: Path, *, overwrite: bool, known: frozenset[str]) -> Iterator[Path]:
    """Give an empty folder that takes the place of `target` when the block succeeds.

    The folder is made beside `target` at once, so that a place without write permission is found before
    any work is done. When the block fails, the folder is removed and `target` is as it was.

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
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        msg = f"Cannot write to {target.parent}: {error.strerror}. Choose another output folder."
        raise InputError(msg) from error
    try:
        stage.chmod(0o777 & ~_umask())
        yield stage
        _sync(stage)
        _swap(stage, target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def check_replaceable(target: Path, *, overwrite: bool, known: frozenset[str]) -> None:
    """Refuse a folder that must not be replaced; see :func:`staged_folder`."""
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        msg = f"{target} exists and is not a folder. Choose another output folder."
        raise InputError(msg)
    present = sorted(entry.name for entry in target.iterdir())
    if foreign := [name for name in present if name not in known]:
        msg = (
            f"{target} exists and holds what diffaug-bio did not write: {shorten(foreign)}. Choose "
            "another output folder, or an empty one."
        )
        raise InputError(msg)
    if present and not overwrite:
        msg = f"{target} exists already. Choose another output folder, or overwrite it (`--force`)."
        raise InputError(msg)


def write_json(path: Path, value: object) -> None:
    """Write strict JSON, indented; a float that JSON cannot hold is refused."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _swap(stage: Path, target: Path) -> None:
    """Put the stage in the target's place by renaming, and remove what was there."""
    # A symbolic link keeps pointing where it points; the folder behind it is what changes.
    target = target.resolve()
    old = None
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        target.rename(old / target.name)
    try:
        stage.rename(target)
    except OSError:
        if old is not None:
            (old / target.name).rename(target)
        raise
    finally:
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    _sync_path(target.parent)


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
