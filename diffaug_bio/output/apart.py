"""Keeping outputs apart from the data that are read, and from folders of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError
from diffaug_bio.output.ownership import folder_of_ours

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEDY = "Choose another output."


def check_apart(output: Path, read: Mapping[str, str | Path]) -> None:
    """Refuse an output that overlaps, links followed, with an earlier run or with data that are `read`."""
    target = output.resolve()
    for what, path in read.items():
        held = Path(path).resolve()
        if held == target or _is_same_file(held, target):
            relation = "is"
        elif held.is_relative_to(target):
            relation = "holds"
        elif target.is_relative_to(held):
            relation = "lies within"
        else:
            continue
        msg = f"The output {output} {relation} the {what} {path}, which is read. {_REMEDY}"
        raise InputError(msg)
    if (folder := folder_of_ours(output)) is not None:
        msg = f"The output {output} lies within {folder}, which an earlier run wrote. {_REMEDY}"
        raise InputError(msg)


def _is_same_file(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)
