"""Legends of few classes, of many, and on the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.pl._labels import move_apart
from diffaug_bio.pl._style import backdrop, text_color
from diffaug_bio.pl._values import Classes, Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from diffaug_bio.pl._values import Values

LegendLoc = Literal["auto", "right margin", "on data", "none"]

_PER_COLUMN = 20
_MOST = 40  # entries; of more classes the largest are listed
_LONGEST = 32  # letters of a name


def check_location(legend_loc: str | None) -> None:
    """Refuse an unknown place of a legend.

    Raises
    ------
    InputError
        If it is none of the known ones.
    """
    if legend_loc is not None and legend_loc not in get_args(LegendLoc):
        msg = f"`legend_loc` is {legend_loc!r}; choose one of {', '.join(get_args(LegendLoc))}, or None."
        raise InputError(msg)


def add_legend(
    ax: Axes,
    classes: Classes,
    coordinates: NDArray[np.float32],
    *,
    location: LegendLoc | None,
    fontsize: float | str | None,
    na_color: str,
) -> None:
    """Name classes beside the panel, or where most of their rows are.

    Parameters
    ----------
    ax
        The panel.
    classes, coordinates
        Of the rows that are drawn. Shape of coordinates: `(n_obs, 2)`.
    location, fontsize, na_color
        As for :func:`diffaug_bio.pl.embedding`.
    """
    if location in {None, "none"}:
        return
    if location == "on data":
        _on_data(ax, classes, coordinates, fontsize=fontsize)
    else:
        _beside(ax, classes, fontsize=fontsize, na_color=na_color)


def margin_of(values: Values, location: LegendLoc | None) -> float:
    """Inches beside a panel that its legend, or colour bar, will take, about."""
    import matplotlib as mpl

    if isinstance(values, Numbers):
        return 0.65
    if not isinstance(values, Classes) or location in {None, "none", "on data"}:
        return 0.0
    labels = [label for label, _ in _entries(values, "none")]
    n_columns = -(-len(labels) // _PER_COLUMN)
    letter = float(mpl.rcParams["font.size"]) / 72 * (0.5 if n_columns == 1 else 0.42)
    return n_columns * (0.3 + letter * max(map(len, labels), default=0))


def _entries(classes: Classes, na_color: str) -> list[tuple[str, str]]:
    """Labels and colours of a legend beside a panel."""
    sizes = np.bincount(classes.codes[classes.codes >= 0], minlength=len(classes.names))
    drawn = listed = np.flatnonzero(sizes)
    if len(drawn) > _MOST:
        listed = np.sort(np.argsort(-sizes, kind="stable")[: _MOST - 1])
    entries = [(_short(classes.names[number]), classes.colors[number]) for number in listed]
    if len(listed) < len(drawn):
        entries.append((f"{len(drawn) - len(listed)} smaller classes", "none"))
    if (classes.codes < 0).any():
        entries.append(("without a class" if "NA" in classes.names else "NA", na_color))
    return entries


def _beside(ax: Axes, classes: Classes, *, fontsize: float | str | None, na_color: str) -> None:
    entries = _entries(classes, na_color)
    n_columns = -(-len(entries) // _PER_COLUMN)
    by_number = "small" if n_columns == 1 else "x-small"
    ax.legend(
        handles=[_dot(label, color) for label, color in entries],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        ncols=n_columns,
        handletextpad=0.1,
        columnspacing=0.8,
        labelspacing=0.35,
        borderaxespad=0.2,
        fontsize=by_number if fontsize is None else fontsize,
    )


def _dot(label: str, color: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], linestyle="none", marker="o", markersize=5, color=color, markeredgewidth=0, label=label
    )


def _on_data(
    ax: Axes, classes: Classes, coordinates: NDArray[np.float32], *, fontsize: float | str | None
) -> None:
    """Write names at the row that is the middle of its class, so that no name stands in a gap."""
    from matplotlib import patheffects

    texts = []
    for number, name in enumerate(classes.names):
        rows = coordinates[classes.codes == number]
        if not len(rows):  # of a rare class, none may be in the sample
            continue
        middle = rows[np.abs(rows - np.median(rows, axis=0)).sum(1).argmin()]
        text = ax.text(
            float(middle[0]),
            float(middle[1]),
            _short(name),
            ha="center",
            va="center",
            fontsize="x-small" if fontsize is None else fontsize,
            fontweight="bold",
            color=text_color(),
        )
        text.set_path_effects([patheffects.withStroke(linewidth=2, foreground=backdrop(), alpha=0.8)])
        texts.append(text)
    move_apart(ax, texts)


def _short(name: str) -> str:
    """Names that are longer than a legend is wide lose their middle."""
    if len(name) <= _LONGEST:
        return name
    half = (_LONGEST - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
