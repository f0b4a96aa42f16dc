"""Writing files and folders whole or not at all, without losing any file of the user's."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from typing import TYPE_CHECKING, NoReturn

from diffaug_bio._wording import printable, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.output.interrupts import interrupts_held
from diffaug_bio.output.ownership import (
    RECORD_FILE,
    Written,
    files_in,
    is_unchanged,
    lies_within,
    make_record,
    not_ours,
    read_record,
    write_record,
)
from diffaug_bio.output.stages import Stage, is_hidden, locked, open_stage, remove_abandoned
from diffaug_bio.output.swap import finish_swaps, swap, sync, sync_all, unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MOVE_AWAY = "Move them away or rename them."


@contextlib.contextmanager
def staged_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder whose files replace `target` if the block succeeds; else `target` stays.

    Missing write permission is found before the block does any work. The folder gets `files.json`, the
    record by which a later run may replace it with `overwrite`, if nobody changed it. If `target` changes
    while the block runs, an `InputError` says where beside it the new files are kept.
    """
    # In a folder that exists, otherwise beside it: on the same file system in both cases.
    with _writing_to(target):
        home = target if target.is_dir() else target.parent
    with _End() as end, _stage_in(home, target=target, make_parents=True) as stage:
        with _writing_to(target):
            found = _check_replaceable(target, overwrite=overwrite)
        yield stage.new
        with _writing_to(target):
            write_record(stage.new)
            sync_all(stage.new)
            _put_folder(stage, target, found=found, overwrite=overwrite, end=end)


@contextlib.contextmanager
def added_files(folder: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield an empty folder whose files are added to `folder` when the block succeeds, all or none.

    An existing file is replaced if this package wrote it and it is unchanged since, with `force` any file.
    The records of the folder, and of folders in it, then list the new files.
    """
    with _End() as end, _stage_in(folder, target=folder) as stage:
        with _writing_to(folder), locked(folder):
            _finish_swaps(folder)
        yield stage.new
        with _writing_to(folder), locked(folder):
            _finish_swaps(folder)
            _write_records(stage.new, folder)
            into = _record_last(files_in(stage.new))
            _check_addable(folder, [name for name in into if name != RECORD_FILE], force=force)
            sync_all(stage.new)
            end.begin()
            swap(stage, folder, out=[name for name in into if os.path.lexists(folder / name)], into=into)
            end.place = folder


def check_addable(
    folder: Path, names: Sequence[str], *, force: bool = False, remedy: str = _MOVE_AWAY
) -> None:
    """Refuse existing files that :func:`added_files` would not replace; to be called before the work."""
    with _writing_to(folder), locked(folder):
        _finish_swaps(folder)
        _check_addable(folder, names, force=force, remedy=remedy)


@contextlib.contextmanager
def staged_file(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield the path of a file, with the name of `target`, that replaces it when the block succeeds.

    If `target` may not be replaced, an `InputError` says where beside it the new file is kept.
    """
    with _End() as end, _stage_in(target.parent, target=target) as stage:
        if target.is_dir():
            msg = f"{target} is a folder. Choose another output file."
            raise InputError(msg)
        written = stage.new / target.name
        yield written
        with _writing_to(target):
            sync(written)
            end.begin()
            if not (_replaces(written, target) if overwrite else _take_name(written, target)):
                _keep_beside(written, target, stage=stage, end=end)
            end.place = target
            sync(target.parent)


def write_json(path: Path, value: object) -> None:
    """Write strict, indented JSON; raise a `ValueError` for nan and infinite numbers."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(printable(text) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with staged_file(path) as stage:
        stage.write_bytes(printable(text).encode())


@contextlib.contextmanager
def _stage_in(home: Path, *, target: Path, make_parents: bool = False) -> Iterator[Stage]:
    """Make a stage, or raise an `InputError`; if the block fails, new parent folders are removed again."""
    with _writing_to(target):
        made = [folder for folder in (home, *home.parents) if not folder.exists()] if make_parents else []
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_empty, made)
        with _writing_to(target):
            if make_parents:
                home.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # a name that is too long fails before the work
                (target.parent / f"{target.name}-999").lstat()
            for place in {home, target.parent}:
                remove_abandoned(place)
            stage = stack.enter_context(open_stage(home))
        yield stage


@contextlib.contextmanager
def _writing_to(place: Path) -> Iterator[None]:
    """Turn an error of the disk into an `InputError` that names the place."""
    try:
        yield
    except OSError as error:
        msg = f"Cannot write to {place}: {error.strerror or error}. Choose another output folder."
        raise InputError(msg) from error


class _End(contextlib.ExitStack):
    """End of an output, from the first move on: an interrupt waits for the last, and names the output."""

    place: Path | None = None
    """Path of the output once it is complete."""

    def begin(self) -> None:
        """Make interrupts wait from now on."""
        self.push(self._tell)
        self.enter_context(interrupts_held())

    def _tell(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        is_output = self.place is not None and not any(map(is_hidden, self.place.parts))
        if isinstance(error, KeyboardInterrupt) and is_output:
            error.add_note(f"All that was written is in {self.place}.")


def _check_replaceable(target: Path, *, overwrite: bool) -> dict[str, Written] | None:
    """Return the record of a folder that may be replaced, or raise an `InputError`."""
    if not os.path.lexists(target):
        return None
    if not target.is_dir():
        msg = f"{target} exists and is not a folder. Choose another output folder."
        raise InputError(msg)
    with locked(target):
        _finish_swaps(target)
        return _replaceable(target, overwrite=overwrite)


def _replaceable(target: Path, *, overwrite: bool) -> dict[str, Written] | None:
    """Return the record of a locked folder that may be replaced, or raise an `InputError`."""
    if foreign := not_ours(target):
        msg = (
            f"{target} holds files that diffaug-bio did not write or that were changed since: "
            f"{shorten(foreign)}. Choose another output folder, or move them away."
        )
        raise InputError(msg)
    if not overwrite and not all(is_hidden(entry.name) for entry in target.iterdir()):
        msg = (
            f"{target} exists already. Choose another output folder (`-o`), or overwrite it "
            "(`--force`, in Python `overwrite=True`)."
        )
        raise InputError(msg)
    return read_record(target)


def _check_addable(folder: Path, names: Sequence[str], *, force: bool, remedy: str = _MOVE_AWAY) -> None:
    """Raise an `InputError` for existing files of a locked folder that may not be replaced."""
    written = read_record(folder) or {}
    kept = [name for name in names if not _is_addable(folder, name, written.get(name), force=force)]
    if kept:
        msg = (
            f"{folder} holds files that diffaug-bio did not write or that were changed since, and that "
            f"would be replaced: {shorten(kept)}. {remedy}"
        )
        raise InputError(msg)


def _is_addable(folder: Path, name: str, written: Written | None, *, force: bool) -> bool:
    """Return True if a name within a folder is free, or its file may be replaced."""
    path = folder / name
    if not lies_within(folder, name):
        return False
    return not os.path.lexists(path) or (not path.is_dir() if force else is_unchanged(path, written))


def _finish_swaps(folder: Path) -> None:
    """Complete the moves of dead processes, or raise an `InputError` if they cannot be completed here."""
    finish_swaps(folder)
    if (stage := unfinished(folder)) is not None:
        msg = (
            f"A run into {folder} was cut off while it moved its files into place, perhaps on another "
            f"machine: new files are in {stage / 'new'}, replaced ones in {stage / 'old'}. Run it again on "
            "that machine or in ten minutes, or move the files yourself."
        )
        raise InputError(msg)


def _put_folder(
    stage: Stage, target: Path, *, found: dict[str, Written] | None, overwrite: bool, end: _End
) -> None:
    """Move the files of a stage into place, or beside a target that was changed in the meantime."""
    if stage.folder.parent != target:  # the target did not exist
        end.begin()
        if not _take_name(stage.new, target):
            _keep_beside(stage.new, target, stage=stage, end=end)
        end.place = target
        sync(target.parent)
        return
    with locked(target):
        try:
            _finish_swaps(target)
            is_as_before = _replaceable(target, overwrite=overwrite) == found
        except InputError:
            is_as_before = False
        end.begin()
        if is_as_before:
            old = [name for name in files_in(target) if name == RECORD_FILE or name in (found or {})]
            swap(stage, target, out=old, into=_record_last(files_in(stage.new)))
            end.place = target
            return
    _keep_beside(stage.new, target, stage=stage, end=end)


def _write_records(added: Path, folder: Path) -> None:
    """Write new records for a folder, and for folders in it, that list the added files."""
    inner = {place for name in files_in(added) for place in (added / name).relative_to(added).parents}
    for place in sorted(inner, key=lambda one: len(one.parts), reverse=True):
        record = read_record(folder / place)
        if record is not None or not place.parts:
            write_record(added / place, make_record(added / place, known=record))


def _record_last(names: list[str]) -> list[str]:
    """Sort names with the record of the folder last."""
    return sorted(names, key=lambda name: (name == RECORD_FILE, name))


def _take_name(written: Path, target: Path) -> bool:
    """Rename a file or folder to the target; return False if that exists and is not an empty folder."""
    try:
        if written.is_dir() or not _has_link(written, target):
            written.rename(target)
    except OSError:
        if os.path.lexists(target):
            return False
        raise
    return True


def _has_link(written: Path, target: Path) -> bool:
    """Link a file to a name, which unlike a rename never replaces a file; False if links do not work."""
    try:
        os.link(written, target)
    except OSError:
        if os.path.lexists(target):
            raise
        return False
    return True


def _replaces(written: Path, target: Path) -> bool:
    """Rename a file to the target and replace any file there; return False if it is a folder."""
    try:
        written.replace(target)
    except OSError:
        if target.is_dir():
            return False
        raise
    return True


def _keep_beside(written: Path, target: Path, *, stage: Stage, end: _End) -> NoReturn:
    """Rename a finished output to a free name near its target, which another run took, and say so."""
    try:
        end.place = _take_free_name(written, target, target.resolve().parent)
    except OSError:  # no permission, or another file system if the folder is a mount point
        end.place = _take_free_name(written, target, stage.folder.parent)
    msg = (
        f"{target} was written or changed by another process during this run, and was left as it is. All "
        f"that this run wrote is in {end.place}."
    )
    raise InputError(msg)


def _take_free_name(written: Path, target: Path, home: Path) -> Path:
    """Rename an output to the target's name with the first free number, from 2 on."""
    endings = [] if written.is_dir() else target.suffixes[-2 if target.suffix == ".gz" else -1 :]
    stem = target.name.removesuffix("".join(endings))
    names = (home / f"{stem}-{number}{''.join(endings)}" for number in itertools.count(2))
    return next(path for path in names if not os.path.lexists(path) and _take_name(written, path))


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for an output that failed, innermost first."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
