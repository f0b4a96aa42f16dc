"""The page that `fit` and `benchmark` add to what they have written."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("diffaug_bio.cli")


def write_report(folder: Path) -> bool:
    """Add `report.html` to a folder that is whole and in its place: whatever breaks it costs nothing else.

    Parameters
    ----------
    folder
        What was written.

    Returns
    -------
    Whether the page is there. Where it is not, the log says why, also where it is quiet; a fault of the
    program has its traceback.
    """
    from diffaug_bio import runs
    from diffaug_bio.errors import DiffAugError

    again = f"`diffaug-bio report {folder}` makes it"
    package = logging.getLogger("diffaug_bio")
    level = package.level
    package.setLevel(logging.ERROR)  # what is said of the data was said before
    try:
        runs.report(folder)
    except KeyboardInterrupt:
        click.echo(f"Interrupted; all is kept in {folder} but report.html. {again}.", err=True)
        raise click.exceptions.Exit(130) from None
    except Exception as error:  # what was fitted is kept, also where the fault is ours
        is_told = isinstance(error, DiffAugError | OSError | ImportError | MemoryError)
        logger.error(
            "All is kept in %s but report.html, which could not be made: %s: %s. %s, once that is mended.",
            folder,
            type(error).__name__,
            str(error).rstrip("."),
            again,
            exc_info="--debug" in sys.argv or not is_told,
        )
        return False
    finally:
        package.setLevel(level)
    return True
