"""Writing files and folders so that nothing is ever half-written, and nothing of the user's is lost."""

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
    """Give an empty folder that takes the place of `target` when the block succeeds.

    The folder is made beside or in `target` at once, so that a place without write permission is found
    before any work is done. When the block fails, the folder is removed and `target` is as it was. The
    folder gets a record of its files, `files.json`, by which a later run knows what it may replace.

    Parameters
    ----------
    target
        The folder to write. An empty one may exist.
    overwrite
        Whether a folder that this package wrote may be replaced, if no file was added or changed since.

    Raises
    ------
    InputError
        If `target` exists and may not be replaced, or nothing can be written there; or if it changed while
        the block ran: then all that was written is kept beside it, under a name that the error says.
    """
    # Inside a folder that exists, else beside it: either way on the same file system.
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
    """Give an empty folder whose files are added to `folder` when the block succeeds, all or none.

    A file that is there already is replaced if this package wrote it and it was not changed since. The
    record of the folder, and those of folders in it, then list the new files, too.

    Parameters
    ----------
    folder
        A folder that exists.
    force
        Whether a file that is there may be replaced whoever wrote it.

    Raises
    ------
    InputError
        If a file that is there may not be replaced, or nothing can be written there.
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
    """Refuse files that :func:`added_files` would not replace, best before any work is done.

    Parameters
    ----------
    folder
        The folder.
    names
        Files to add, as relative names with `/`.
    force
        As for :func:`added_files`.
    remedy
        What to do about files that are in the way.

    Raises
    ------
    InputError
        If one is there that may not be replaced.
    """
    with _writing_to(folder), locked(folder):
        _finish_swaps(folder)
        _check_addable(folder, names, force=force, remedy=remedy)


@contextlib.contextmanager
def staged_file(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Give the name of a file that takes the place of `target` when the block succeeds.

    Its name is that of `target`, for writers that go by it. When the block fails, `target` is as it was.

    Parameters
    ----------
    target
        The file to write.
    overwrite
        Whether a file that is there when the block ends is replaced.

    Raises
    ------
    InputError
        If nothing can be written there; or, without `overwrite`, if another run wrote the file meanwhile:
        then this one is kept beside it, under a name that the error says.
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
    """Write strict JSON, indented; a float that JSON cannot hold is refused."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(printable(text) + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write a text file beside its name and rename it, so that it is never half-written."""
    with staged_file(path) as stage:
        stage.write_bytes(printable(text).encode())


@contextlib.contextmanager
def _stage_in(home: Path, *, target: Path, make_parents: bool = False) -> Iterator[Stage]:
    """Make a stage, or say that nothing can be written; folders made for it go again if all fails."""
    with _writing_to(target):
        made = [folder for folder in (home, *home.parents) if not folder.exists()] if make_parents else []
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_empty, made)
        with _writing_to(target):
            if make_parents:
                home.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                (
                    target.parent / f"{target.name}-999"
                ).lstat()  # fails where a name is too long, best at once
            for place in {home, target.parent}:
                remove_abandoned(place)
            stage = stack.enter_context(open_stage(home))
        yield stage


@contextlib.contextmanager
def _writing_to(place: Path) -> Iterator[None]:
    """Say of what the disk refuses where that was."""
    try:
        yield
    except OSError as error:
        msg = f"Cannot write to {place}: {error.strerror or error}. Choose another output folder."
        raise InputError(msg) from error


class _End(contextlib.ExitStack):
    """The end of an output, from the first rename on: an interrupt waits for it, and says what is there."""

    place: Path | None = None
    """Where all lies, once it does."""

    def begin(self) -> None:
        """Let interrupts wait from now on."""
        self.push(self._tell)
        self.enter_context(interrupts_held())

    def _tell(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        is_output = self.place is not None and not any(map(is_hidden, self.place.parts))
        if isinstance(error, KeyboardInterrupt) and is_output:
            error.add_note(f"All that was written is in {self.place}.")


def _check_replaceable(target: Path, *, overwrite: bool) -> dict[str, Written] | None:
    """Refuse a folder that must not be replaced; gives the record of one that may be."""
    if not os.path.lexists(target):
        return None
    if not target.is_dir():
        msg = f"{target} exists and is not a folder. Choose another output folder."
        raise InputError(msg)
    with locked(target):
        _finish_swaps(target)
        return _replaceable(target, overwrite=overwrite)


def _replaceable(target: Path, *, overwrite: bool) -> dict[str, Written] | None:
    """Give the record of a folder, or refuse one that holds anything else or is not to be replaced."""
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
    """Refuse files that may not be replaced; other processes are kept from the folder."""
    record = read_record(folder)
    written = record or {}
    kept = [name for name in names if not _is_addable(folder, name, written.get(name), force=force)]
    if kept:
        what = "files that diffaug-bio did not write or that were changed since, which"
        if record is None:
            what = f"no record {RECORD_FILE} of what may be replaced, as earlier versions wrote none. These"
        msg = f"{folder} holds {what} would be replaced: {shorten(kept)}. {remedy}"
        raise InputError(msg)


def _is_addable(folder: Path, name: str, written: Written | None, *, force: bool) -> bool:
    """Tell whether a name within a folder is free, or its file may be replaced."""
    path = folder / name
    if not lies_within(folder, name):
        return False
    return not os.path.lexists(path) or (not path.is_dir() if force else is_unchanged(path, written))


def _finish_swaps(folder: Path) -> None:
    """Make the moves that dead processes did not make; refuse a folder where they cannot be made."""
    finish_swaps(folder)
    if (stage := unfinished(folder)) is not None:
        msg = (
            f"A run into {folder} was cut off while it put its files in place, perhaps on another machine: "
            f"they lie in {stage / 'new'}, those before them in {stage / 'old'}. Run it again there or in "
            "ten minutes, or move the files by hand."
        )
        raise InputError(msg)


def _put_folder(
    stage: Stage, target: Path, *, found: dict[str, Written] | None, overwrite: bool, end: _End
) -> None:
    """Put the files of a stage in their place, or keep them beside what came there meanwhile."""
    if stage.folder.parent != target:  # which was not there
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
    """Write the records that a folder, and folders in it, have once files are added."""
    inner = {place for name in files_in(added) for place in (added / name).relative_to(added).parents}
    for place in sorted(inner, key=lambda one: len(one.parts), reverse=True):
        record = read_record(folder / place)
        if record is not None or not place.parts:
            write_record(added / place, make_record(added / place, known=record))


def _record_last(names: list[str]) -> list[str]:
    """Sort a folder's own record to the end."""
    return sorted(names, key=lambda name: (name == RECORD_FILE, name))


def _take_name(written: Path, target: Path) -> bool:
    """Give a file or folder its name, unless something has that; an empty folder may."""
    try:
        if written.is_dir() or not _has_link(written, target):
            written.rename(target)
    except OSError:
        if os.path.lexists(target):
            return False
        raise
    return True


def _has_link(written: Path, target: Path) -> bool:
    """Link a file to a name, which unlike renaming never replaces what has it, where there are links."""
    try:
        os.link(written, target)
    except OSError:
        if os.path.lexists(target):
            raise
        return False
    return True


def _replaces(written: Path, target: Path) -> bool:
    """Give a file its name, whatever file has that; a folder keeps it."""
    try:
        written.replace(target)
    except OSError:
        if target.is_dir():
            return False
        raise
    return True


def _keep_beside(written: Path, target: Path, *, stage: Stage, end: _End) -> NoReturn:
    """Give a finished output a free name beside that which another run took, or within it, and say so."""
    try:
        end.place = _take_free_name(written, target, target.resolve().parent)
    except OSError:  # no permission, or another file system, where the folder is a mount point
        end.place = _take_free_name(written, target, stage.folder.parent)
    msg = (
        f"{target} was written or changed by somebody else while this run was at work, and was left as it "
        f"is. All that this run wrote is in {end.place}."
    )
    raise InputError(msg)


def _take_free_name(written: Path, target: Path, home: Path) -> Path:
    """Give an output the first free one of the names that have a number after that of the target."""
    endings = [] if written.is_dir() else target.suffixes[-2 if target.suffix == ".gz" else -1 :]
    stem = target.name.removesuffix("".join(endings))
    names = (home / f"{stem}-{number}{''.join(endings)}" for number in itertools.count(2))
    return next(path for path in names if not os.path.lexists(path) and _take_name(written, path))


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for an output that never came, innermost first."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
