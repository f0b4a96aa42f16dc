"""Keeping outputs away from what is read, and from what other runs wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError
from diffaug_bio.output.ownership import folder_of_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEDY = "Choose another output."


def check_apart(output: Path, read: Mapping[str, str | Path]) -> None:
    """Refuse an output that is, holds, or lies within what is read, or lies within what a run wrote.

    Links are followed.

    Parameters
    ----------
    output
        The file or folder to write, which need not exist.
    read
        Files and folders that are read, by what they are, such as "data".

    Raises
    ------
    InputError
        If the output is not apart from them.
    """
    target = output.resolve()
    for what, path in read.items():
        held = Path(path).resolve()
        if held == target or _is_same_file(held, target):
            msg = f"The output {output} is the {what} {path}, which is read. {_REMEDY}"
            raise InputError(msg)
        if held.is_relative_to(target):
            msg = f"The output {output} holds the {what} {path}, which is read. {_REMEDY}"
            raise InputError(msg)
        if target.is_relative_to(held):
            msg = f"The output {output} lies within the {what} {path}, which is read. {_REMEDY}"
            raise InputError(msg)
    if (folder := folder_of_ours(output)) is not None:
        msg = f"The output {output} lies within {folder}, which an earlier run wrote. {_REMEDY}"
        raise InputError(msg)


def _is_same_file(first: Path, second: Path) -> bool:
    """Tell whether two names are links to one file."""
    return first.exists() and second.exists() and first.samefile(second)
