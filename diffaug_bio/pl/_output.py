"""Show and save figures as scanpy does."""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

Save = bool | str | PathLike[str] | None
_MIN_DPI = 150
_FORMATS = (".svg", ".pdf", ".png")


def finish(axes: list[Axes], *, name: str, show: bool | None, save: Save, owned: bool) -> list[Axes] | None:
    """Save and show a figure as asked, or as scanpy's settings say; return its axes, or None if shown.

    A figure that is `owned`, made here rather than given by the user, is closed once saved.
    """
    import matplotlib.pyplot as plt
    from scanpy import settings

    figure = axes[0].get_figure(root=True)
    if figure is None:
        msg = "`ax` belongs to no figure any more. Give axes of an existing figure."
        raise InputError(msg)
    path = _path_of(name, bool(settings.autosave) if save is None else save)
    if path is not None:
        _save(figure, path)
    show = bool(settings.autoshow) if show is None else show
    if show:
        plt.show()
    if path is not None and owned:
        plt.close(figure)  # or a notebook would show it again
    return None if show else axes


def _path_of(name: str, save: bool | str | PathLike[str]) -> Path | None:  # noqa: FBT001 - scanpy's
    """Find the file to save to: a `Path` as it is, anything else in scanpy's folder of figures."""
    from scanpy import settings

    if isinstance(save, PathLike):
        return Path(save)
    if not save:
        return None
    suffix = "" if save is True else save
    if Path(suffix).name != suffix and suffix:
        msg = (
            f"`save` as text ends the file's name in scanpy's folder of figures, and {save!r} holds a "
            f"folder. Give a path instead: save=pathlib.Path({save!r})."
        )
        raise InputError(msg)
    ending = next((ending for ending in _FORMATS if suffix.endswith(ending)), None)
    stem = suffix.removesuffix(ending) if ending else suffix
    ending = ending or f".{settings.file_format_figs}"
    return Path(settings.figdir) / f"{name}{stem}{settings.plot_suffix}{ending}"


def _save(figure: Figure, path: Path) -> None:
    import matplotlib as mpl

    if path.suffix.removeprefix(".").lower() not in figure.canvas.get_supported_filetypes():
        msg = f"No figure can be saved as {path}. Choose a name that ends in .png, .pdf or .svg."
        raise InputError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = mpl.rcParams["savefig.dpi"]
    resolution = figure.dpi if asked == "figure" else float(asked)
    figure.savefig(path, dpi=max(_MIN_DPI, resolution), bbox_inches="tight")
    logger.info("Saved %s", path)
