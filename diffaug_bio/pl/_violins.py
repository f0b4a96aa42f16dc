"""Distributions of features, original beside generated."""

from __future__ import annotations

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


def draw_violins(figure: Figure, pair: Pair, *, var_names: Sequence[str] | None, most: int) -> list[Axes]:
    """Draw half a violin of originals and half a one of generated values for each feature.

    Parameters
    ----------
    figure
        An empty one.
    pair
        Originals and generated rows.
    var_names
        Features; those that vary most if None.
    most
        How many of those.
    """
    from matplotlib.patches import Patch

    numbers = _most_variable(pair, most) if var_names is None else pair.numbers_of(var_names)
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
        ax.set_title(pair.names[number])
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
    figure.supylabel(pair.unit, fontsize="small")
    figure.legend(
        handles=[Patch(color=REAL, label="original"), Patch(color=MADE, label="generated")],
        loc="outside right center",
    )
    return axes


def _draw_half(ax: Axes, values: NDArray[np.floating], *, side: Literal["low", "high"], color: str) -> None:
    """Half a violin and its median; a single value, which has no density, as a line."""
    values = values[np.isfinite(values)]
    if not len(values):
        return
    shift = -0.02 if side == "low" else 0.02
    ends = (shift, 40 * shift * 0.5)
    if np.ptp(values) > 0:
        parts = ax.violinplot(
            values,
            [shift],
            widths=0.9,
            side=side,
            showextrema=False,
            points=200,
        )
        bodies: Any = parts["bodies"]  # a list, whatever the stubs say
        for body in bodies:
            body.set(facecolor=color, edgecolor=color, alpha=0.75, linewidth=0.6)
    else:
        ax.plot(ends, [values[0]] * 2, color=color)
    low, middle, high = np.percentile(values, [25, 50, 75])
    ax.plot([3 * shift] * 2, [low, high], color=color, linewidth=2.5, solid_capstyle="butt")
    ax.plot([3 * shift], [middle], marker="o", markersize=3.5, color="white", markeredgecolor=color)


def _most_variable(pair: Pair, most: int) -> NDArray[np.int64]:
    """Features with the largest variance of original values, in the units drawn, in their order."""
    variance = np.zeros(len(pair.names))
    step = max(1, 2**22 // max(1, pair.real.shape[0]))
    for start in range(0, len(variance), step):
        block = np.arange(start, min(start + step, len(variance)))
        with np.errstate(invalid="ignore"):
            variance[block] = np.nanvar(pair.columns(block)[0], axis=0)
    found = np.argsort(-np.nan_to_num(variance), kind="stable")[:most]
    return np.sort(found)
