"""Folder of a benchmark, to which every result is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError
from diffaug_bio.output.files import added_files, check_addable
from diffaug_bio.output.ownership import RECORD_FILE, read_record
from diffaug_bio.output.stages import is_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETTINGS, SCORES, SUMMARY = "benchmark.json", "results.csv", "summary.md"


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not new, empty, or written by a benchmark, or whose tables were changed."""
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} exists and is not a folder. Choose another output folder."
        raise InputError(msg)
    if not folder.is_dir() or all(is_hidden(entry.name) for entry in folder.iterdir()):
        return
    if SETTINGS not in (read_record(folder) or {}):
        what = "files other than those of a benchmark"
        if (folder / SETTINGS).is_file():
            what = f"a {SETTINGS} that is not in its record {RECORD_FILE}"
        msg = f"{folder} holds {what}. Choose another or an empty output folder."
        raise InputError(msg)
    check_addable(folder, [SETTINGS, SCORES, SUMMARY])


def add(folder: Path, texts: Mapping[str, str], *, force: bool = False) -> None:
    """Add text files to the folder of a benchmark, or replace those that it wrote; all or none.

    `force` replaces files that were changed by others, too.
    """
    with added_files(folder, force=force) as stage:
        for name, text in texts.items():
            path = stage / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
