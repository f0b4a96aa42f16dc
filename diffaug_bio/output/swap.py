"""Replacing old files by new ones under a journal of all moves, so that a killed run loses nothing."""

from __future__ import annotations

import errno
import json
import logging
import os
from typing import TYPE_CHECKING

from diffaug_bio._wording import shorten
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.output.ownership import RECORD_FILE, is_unchanged, lies_within, read_record
from diffaug_bio.output.stages import Stage, abandoned, remove, remove_abandoned, stages_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

_QUIET_ELSEWHERE = 600  # seconds without a change; moves on another machine take milliseconds


def swap(stage: Stage, target: Path, *, out: Sequence[str], into: Sequence[str]) -> None:
    """Move files `out` of a locked folder, and files `into` it from a stage; errors move all files back."""
    moves = _moves(stage, target, out=out, into=into)
    try:
        _write_journal(stage, out=out, into=into)
        for before, now in moves:
            _move(before, now)
        _end(stage, target)
    except BaseException:
        # By the files on the disk: Ctrl-C may come between a move and any note of it.
        for before, now in reversed(moves):
            if os.path.lexists(now) and not os.path.lexists(before):
                _move(now, before)
        stage.journal.unlink(missing_ok=True)
        raise


def finish_swaps(target: Path) -> None:
    """Complete the moves of dead processes into a locked folder; refuse if files were changed since."""
    for stage in stages_in(target):
        with abandoned(stage, quiet_elsewhere=_QUIET_ELSEWHERE) as is_dead:
            if is_dead and stage.journal.is_file():
                _finish(stage, target)
                remove(stage)
    remove_abandoned(target)


def unfinished(folder: Path) -> Path | None:
    """Return a stage with incomplete moves into a folder, if there is one."""
    return next((stage.folder for stage in stages_in(folder) if stage.journal.is_file()), None)


def check_finished(folder: Path) -> None:
    """Raise a `CheckpointError` if a folder is being written, or a run was cut off between its moves."""
    if unfinished(folder) is not None:
        msg = (
            f"{folder} is being written, or a run was cut off while it moved its files into place. To "
            f"complete it, run `diffaug-bio report {folder}`, or the command that wrote {folder} once more."
        )
        raise CheckpointError(msg)


def sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk."""
    if os.name != "posix" and path.is_dir():
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)  # required by Windows
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(folder: Path) -> None:
    """Make sure that a folder and all in it are on the disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def _moves(
    stage: Stage, target: Path, *, out: Sequence[str], into: Sequence[str]
) -> list[tuple[Path, Path]]:
    """List the moves as pairs of old and new path."""
    return [
        *((target / name, stage.old / name) for name in out),
        *((stage.new / name, target / name) for name in into),
    ]


def _write_journal(stage: Stage, *, out: Sequence[str], into: Sequence[str]) -> None:
    """Write the list of moves, whole or not at all."""
    written = stage.folder / "journal.part"
    written.write_text(json.dumps({"out": list(out), "into": list(into)}), encoding="utf-8")
    sync(written)
    written.rename(stage.journal)
    sync(stage.folder)


def _read_journal(stage: Stage, target: Path) -> tuple[list[str], list[str]]:
    """Read the list of moves; refuse a journal that could move files outside, as in a stranger's folder."""
    try:
        moves = json.loads(stage.journal.read_text(encoding="utf-8"))
        out, into = list(moves["out"]), list(moves["into"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        out, into = [None], []
    inner = [("old", name) for name in out] + [("new", name) for name in into]
    if not all(
        lies_within(target, name) and lies_within(stage.folder, f"{place}/{name}") for place, name in inner
    ):
        msg = (
            f"{stage.journal} is not a list of files as diffaug-bio writes it, so no file was moved. Look "
            f"at the content of {stage.folder}, and move it out of {target}."
        )
        raise InputError(msg)
    return out, into


def _finish(stage: Stage, target: Path) -> None:
    """Make the remaining moves of a journal."""
    out, into = _read_journal(stage, target)
    replaced = [name for name in out if not os.path.lexists(stage.old / name)]
    added = [name for name in into if os.path.lexists(stage.new / name)]
    record = read_record(stage.old) or read_record(target) or {}
    unlike = [
        name
        for name in replaced
        if name.rpartition("/")[2] != RECORD_FILE
        and os.path.lexists(target / name)
        and not is_unchanged(target / name, record.get(name))
    ]
    taken = [name for name in added if name not in replaced and os.path.lexists(target / name)]
    if unlike or taken:
        msg = (
            f"An earlier run into {target} was cut off while it moved its files into place, and these "
            f"files were added or changed since: {shorten(unlike + taken)}. Move them away, and run again."
        )
        raise InputError(msg)
    for before, now in _moves(stage, target, out=replaced, into=added):
        if os.path.lexists(before):
            _move(before, now)
    _end(stage, target)
    logger.warning(
        "An earlier run into %s was cut off while it moved its files into place; they are complete now.",
        target,
    )


def _move(before: Path, now: Path) -> None:
    """Rename a file to a name that is free."""
    now.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(now):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(now))
    before.rename(now)


def _end(stage: Stage, target: Path) -> None:
    """Make sure that all moves are on the disk, and remove the journal."""
    folders = {path.parent for path in stage.old.rglob("*")} - {stage.old}
    for emptied in sorted((target / path.relative_to(stage.old) for path in folders), reverse=True):
        if emptied.is_dir() and not any(emptied.iterdir()):
            emptied.rmdir()
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        sync(folder)
    stage.journal.unlink()
