"""Distributions of features in original and in generated rows."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from diffaug_bio.pl._style import MADE, REAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from diffaug_bio.pl._generated import Pair

_ACROSS = 4
_LETTERS = 16  # in a line of a title


def draw_violins(figure: Figure, pair: Pair, *, var_names: Sequence[str] | None, most: int) -> list[Axes]:
    """Draw half a violin of original and half of generated values for each feature.

    Without `var_names`, the `most` features with the widest range are drawn.
    """
    from matplotlib.patches import Patch

    numbers = _widest(pair, most) if var_names is None else pair.numbers_of(var_names)
    real, made = pair.columns(numbers)
    n_across = min(_ACROSS, len(numbers))
    n_down = -(-len(numbers) // n_across)
    figure.set_size_inches(1.2 + 1.55 * n_across, 0.5 + 1.6 * n_down)
    panels = figure.subplots(n_down, n_across, squeeze=False).ravel()
    for panel in panels[len(numbers) :]:
        panel.remove()
    axes = list(panels[: len(numbers)])
    for place, (ax, number) in enumerate(zip(axes, numbers, strict=True)):
        _draw_half(ax, real[:, place], side="low", color=REAL)
        _draw_half(ax, made[:, place], side="high", color=MADE)
        # Longer names would run into those beside them.
        name = textwrap.fill(
            pair.names[number], _LETTERS, max_lines=2, placeholder="\N{HORIZONTAL ELLIPSIS}"
        )
        ax.set_title(name, fontsize="small")
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
    figure.supylabel(pair.unit, fontsize="small")
    figure.legend(
        handles=[Patch(color=REAL, label="original"), Patch(color=MADE, label="generated")],
        loc="outside right center",
    )
    return axes


def _draw_half(ax: Axes, values: NDArray[np.floating], *, side: Literal["low", "high"], color: str) -> None:
    """Draw half a violin with its quartiles, or a line where all values are the same."""
    values = values[np.isfinite(values)]
    if not len(values):
        return
    sign = -1 if side == "low" else 1
    if np.ptp(values) > 0:
        parts = ax.violinplot(values, [0.02 * sign], widths=0.9, side=side, showextrema=False, points=200)
        bodies: Any = parts["bodies"]  # a list, whatever the stubs say
        for body in bodies:
            body.set(facecolor=color, edgecolor=color, alpha=0.7, linewidth=0.6)
    else:
        ax.plot([0.02 * sign, 0.45 * sign], [values[0]] * 2, color=color)
    low, middle, high = np.percentile(values, [25, 50, 75])
    place = 0.05 * sign
    ax.plot([place] * 2, [low, high], color=color, linewidth=3, solid_capstyle="butt")
    ax.plot([place], [middle], marker="o", markersize=3, color="white", markeredgecolor=color)
    ax.set_xlim(-0.5, 0.5)


def _widest(pair: Pair, most: int) -> NDArray[np.int64]:
    """Rank the features by the range of their original values, widest first.

    Range is from the 5th to the 95th percentile: a few extreme values would decide a variance.
    """
    spread = np.zeros(len(pair.names))
    step = max(1, 2**22 // max(1, pair.real.shape[0]))
    for start in range(0, len(spread), step):
        block = np.arange(start, min(start + step, len(spread)))
        values = pair.columns(block)[0]
        known = ~np.isnan(values).all(0)
        # `nanpercentile` goes column by column, and is slow.
        percentile = np.nanpercentile if np.isnan(values[:, known]).any() else np.percentile
        low, high = percentile(values[:, known], [5, 95], axis=0)
        spread[block[known]] = high - low
    return np.argsort(-spread, kind="stable")[:most]
