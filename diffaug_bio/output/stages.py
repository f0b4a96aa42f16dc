"""Stages, hidden folders in which files are written first, and locks that show which process is alive."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from platform import node
from typing import TYPE_CHECKING

from diffaug_bio.output.interrupts import interrupts_held

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = ".diffaug-bio."
_FOLDER_LOCK = f"{PREFIX}lock"
_STAGE_LOCK = "lock"
_QUIET_ELSEWHERE = 7 * 24 * 3600  # seconds, for stages of other machines: some disks hide their locks
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # a folder from a stranger may hold links to any file
_WAIT = 0.05  # seconds between two attempts at a lock


@dataclass(frozen=True, slots=True)
class Stage:
    """Hidden folder, on the disk of the target, of new and replaced files, and the lock of its process."""

    folder: Path

    @property
    def new(self) -> Path:
        """Folder of the new files."""
        return self.folder / "new"

    @property
    def old(self) -> Path:
        """Folder of the replaced files."""
        return self.folder / "old"

    @property
    def journal(self) -> Path:
        """File that exists while files are moved."""
        return self.folder / "journal.json"


@contextlib.contextmanager
def open_stage(home: Path) -> Iterator[Stage]:
    """Make a stage in a folder, removed after the block unless its moves are incomplete."""
    made: list[tuple[Stage, int]] = []
    try:
        with interrupts_held():
            made.append(_make_stage(home))
        yield made[0][0]
    finally:
        with interrupts_held():
            for stage, descriptor in made:
                _close(stage, descriptor)


def stages_in(folder: Path) -> list[Stage]:
    """Find all stages in a folder, of any process; links do not count."""
    found = sorted(folder.glob(f"{PREFIX}*"))
    return [Stage(path) for path in found if path.is_dir() and not path.is_symlink()]


def is_hidden(name: str) -> bool:
    """Return True for the name of a stage or lock."""
    return name.startswith(PREFIX)


@contextlib.contextmanager
def abandoned(stage: Stage, *, quiet_elsewhere: float = _QUIET_ELSEWHERE) -> Iterator[bool]:
    """Yield True if the process of a stage is dead, and hold the stage's lock during the block.

    Without file locks, no stage counts as abandoned. One of another machine must be untouched for
    `quiet_elsewhere` seconds too, as some network disks show locks only where they are held.
    """
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(stage.folder / _STAGE_LOCK, os.O_RDWR | _NO_LINK)
            stack.callback(os.close, descriptor)
            is_dead = _is_free(descriptor) and (
                os.read(descriptor, 1024) in {_machine(), b""}  # empty if it died before writing
                or _seconds_untouched(stage) > quiet_elsewhere
            )
        except OSError:
            is_dead = False
        yield is_dead
    if is_dead and os.name != "posix":  # Windows removes no open file, as the lock was until now
        _remove_lock(stage)


def remove_abandoned(folder: Path) -> None:
    """Remove the stages of dead processes, except those with incomplete moves."""
    for stage in stages_in(folder):
        with contextlib.suppress(OSError):
            stage.folder.rmdir()  # empty if its process died before it had a lock
        with abandoned(stage) as is_dead:
            if is_dead and not stage.journal.exists():
                remove(stage)


def remove(stage: Stage) -> None:
    """Remove a stage, its lock last: while the lock exists, a later run can remove the rest."""
    _empty(stage)
    shutil.rmtree(stage.folder, ignore_errors=True)


def _remove_lock(stage: Stage) -> None:
    """Remove a stage with nothing but its lock in it."""
    lock = stage.folder / _STAGE_LOCK
    with contextlib.suppress(OSError):
        if list(stage.folder.iterdir()) == [lock]:
            lock.unlink()
            stage.folder.rmdir()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait for the lock of a folder, and hold it during the block; do neither on disks without locks."""
    path = folder / _FOLDER_LOCK
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        if _wait_for(descriptor, path):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        if os.name == "posix":  # while still held: a waiting process checks that the file still exists
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if os.name != "posix":  # Windows removes no open file
            with contextlib.suppress(OSError):
                path.unlink()


def _make_stage(home: Path) -> tuple[Stage, int]:
    """Make a stage and take its lock; start again if another process took it for abandoned."""
    while True:
        stage = Stage(Path(tempfile.mkdtemp(prefix=PREFIX, dir=home)))
        path = stage.folder / _STAGE_LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            continue
        try:
            is_ours = _is_free(descriptor)
        except OSError:  # a file system without locks
            is_ours = True
        if is_ours and _is_at(descriptor, path):
            try:
                os.write(descriptor, _machine())
                stage.new.mkdir()
            except OSError:  # on a full disk
                _close(stage, descriptor)
                raise
            return stage, descriptor
        os.close(descriptor)


def _close(stage: Stage, descriptor: int) -> None:
    """Remove a stage unless its moves are incomplete, and release its lock."""
    is_done = not stage.journal.exists()
    if is_done:
        _empty(stage)
    os.close(descriptor)
    if is_done:  # only now: Windows removes no open file
        shutil.rmtree(stage.folder, ignore_errors=True)


def _empty(stage: Stage) -> None:
    for path in (stage.new, stage.old):
        shutil.rmtree(path, ignore_errors=True)


def _machine() -> bytes:
    return node().encode()


def _seconds_untouched(stage: Stage) -> float:
    """Return the seconds since the last change in a stage."""
    paths = [stage.folder, *stage.folder.rglob("*")]
    return time.time() - max(path.lstat().st_mtime for path in paths)


def _wait_for(descriptor: int, path: Path) -> bool:
    """Wait for a lock; return False if its last holder removed the file."""
    try:
        while not _is_free(descriptor):
            time.sleep(_WAIT)
    except OSError:  # a file system without locks
        return True
    return _is_at(descriptor, path)


def _is_at(descriptor: int, path: Path) -> bool:
    """Return True if an open file is still the one with this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_free(descriptor: int) -> bool:
    """Take the lock of an open file if it is free; raise an `OSError` on file systems without locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
