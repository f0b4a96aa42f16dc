"""The page that `fit` and `benchmark` add to their output folder."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from diffaug_bio.output.kept import kept

from ._signals import end_if_interrupted

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("diffaug_bio.cli")


def write_report(folder: Path) -> bool:
    """Add `report.html` to a finished output folder; if it fails, log why, also with `--quiet`.

    Returns True if the page was written; an error leaves the folder as it is.
    """
    again = f"`diffaug-bio report {folder}` makes it"
    package = logging.getLogger("diffaug_bio")
    level = package.level
    package.setLevel(logging.ERROR)  # facts about the data were logged before
    try:
        with kept(f"All is kept in {folder} but report.html. {again}.", on=(KeyboardInterrupt,)):
            return _is_written(folder, again)
    finally:
        package.setLevel(level)


def _is_written(folder: Path, again: str) -> bool:
    """Write the page, or log why there is none."""
    from diffaug_bio import report

    try:
        report.write_report(folder)
    except Exception as error:  # the fit is kept, also if the fault is ours
        end_if_interrupted()
        logger.error(
            "All is kept in %s but report.html, which could not be made: %s: %s. %s, once that is mended.",
            folder,
            type(error).__name__,
            " ".join(str(error).split()).rstrip("."),
            again,
            exc_info="--debug" in sys.argv,
        )
        return False
    return True
