"""Folders in which files are written before they get their names, and locks that tell who is at work."""

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
_QUIET_ELSEWHERE = 7 * 24 * 3600  # seconds; of stages of other machines, whose locks some disks do not show
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # a folder from a stranger may hold any
_WAIT = 0.05  # seconds between two attempts at a lock


@dataclass(frozen=True, slots=True)
class Stage:
    """A hidden folder with new files, those that they replace, and the lock of the process at work."""

    folder: Path
    """Where it lies: on the same file system as the place of its files."""

    @property
    def new(self) -> Path:
        """Folder of the files to come."""
        return self.folder / "new"

    @property
    def old(self) -> Path:
        """Folder of the files that are replaced."""
        return self.folder / "old"

    @property
    def journal(self) -> Path:
        """File that is there while files change places."""
        return self.folder / "journal.json"


@contextlib.contextmanager
def open_stage(home: Path) -> Iterator[Stage]:
    """Make a stage that lasts as long as the block; while files change places, it stays.

    Parameters
    ----------
    home
        Folder in which to make it.
    """
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
    """Find all stages of a folder, of whichever process; a link is none."""
    found = sorted(folder.glob(f"{PREFIX}*"))
    return [Stage(path) for path in found if path.is_dir() and not path.is_symlink()]


def is_hidden(name: str) -> bool:
    """Tell whether an entry of a folder is a stage or a lock, and so no content."""
    return name.startswith(PREFIX)


@contextlib.contextmanager
def abandoned(stage: Stage, *, quiet_elsewhere: float = _QUIET_ELSEWHERE) -> Iterator[bool]:
    """Tell whether the process of a stage is dead; if so, no other process finds out before the block ends.

    A process holds the lock of its stage, and loses it when it dies. Where the file system knows no locks,
    no stage is taken for abandoned.

    Parameters
    ----------
    stage
        The stage.
    quiet_elsewhere
        Seconds for which a stage that another machine made has to be untouched: some network file systems
        show a lock only on the machine that holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            descriptor = os.open(stage.folder / _STAGE_LOCK, os.O_RDWR | _NO_LINK)
            stack.callback(os.close, descriptor)
            is_dead = _is_free(descriptor) and (
                os.read(descriptor, 1024) in {_machine(), b""}  # it died before it could write it
                or _seconds_untouched(stage) > quiet_elsewhere
            )
        except OSError:
            is_dead = False
        yield is_dead
    if is_dead and os.name != "posix":  # Windows removes no file that is open, as the lock was until now
        _remove_lock(stage)


def remove_abandoned(folder: Path) -> None:
    """Remove the stages that dead processes left, but for those in which files were changing places."""
    for stage in stages_in(folder):
        with contextlib.suppress(OSError):
            stage.folder.rmdir()  # of a process that died before it had a lock
        with abandoned(stage) as is_dead:
            if is_dead and not stage.journal.exists():
                remove(stage)


def remove(stage: Stage) -> None:
    """Remove a stage, its lock last: as long as there is a lock, a later run can remove the rest."""
    _empty(stage)
    shutil.rmtree(stage.folder, ignore_errors=True)


def _remove_lock(stage: Stage) -> None:
    """Remove a stage of which nothing but the lock is left."""
    lock = stage.folder / _STAGE_LOCK
    with contextlib.suppress(OSError):
        if list(stage.folder.iterdir()) == [lock]:
            lock.unlink()
            stage.folder.rmdir()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the files of a folder while the block runs; waits for them.

    Where the file system knows no locks, the block runs all the same.
    """
    path = folder / _FOLDER_LOCK
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        if _wait_for(descriptor, path):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        if os.name == "posix":  # while it is still held: who waits for it looks whether it is still there
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if os.name != "posix":  # Windows removes no file that somebody has open
            with contextlib.suppress(OSError):
                path.unlink()


def _make_stage(home: Path) -> tuple[Stage, int]:
    """Make a stage and take its lock; begins anew where another process took it for abandoned."""
    while True:
        stage = Stage(Path(tempfile.mkdtemp(prefix=PREFIX, dir=home)))
        path = stage.folder / _STAGE_LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            continue
        try:
            is_ours = _is_free(descriptor)
        except OSError:  # no locks here
            is_ours = True
        if is_ours and _is_at(descriptor, path):
            try:
                os.write(descriptor, _machine())
                stage.new.mkdir()
            except OSError:  # a full disk
                _close(stage, descriptor)
                raise
            return stage, descriptor
        os.close(descriptor)


def _close(stage: Stage, descriptor: int) -> None:
    """Remove a stage unless files are changing places in it, and give its lock back."""
    is_done = not stage.journal.exists()
    if is_done:
        _empty(stage)
    os.close(descriptor)
    if is_done:  # only now: Windows removes no file that is open
        shutil.rmtree(stage.folder, ignore_errors=True)


def _empty(stage: Stage) -> None:
    for path in (stage.new, stage.old):
        shutil.rmtree(path, ignore_errors=True)


def _machine() -> bytes:
    return node().encode()


def _seconds_untouched(stage: Stage) -> float:
    """Seconds since anything in a stage was changed."""
    paths = [stage.folder, *stage.folder.rglob("*")]
    return time.time() - max(path.lstat().st_mtime for path in paths)


def _wait_for(descriptor: int, path: Path) -> bool:
    """Wait for a lock; False if the file was removed meanwhile by who had it."""
    try:
        while not _is_free(descriptor):
            time.sleep(_WAIT)
    except OSError:  # no locks here
        return True
    return _is_at(descriptor, path)


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file still is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_free(descriptor: int) -> bool:
    """Take the lock of an open file if nobody has it; raises OSError where there are no locks."""
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
