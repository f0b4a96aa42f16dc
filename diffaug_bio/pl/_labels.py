"""Moving labels on data apart until none covers another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.pl._style import text_color

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from numpy.typing import NDArray

_N_STEPS = 500
_TIGHTNESS = 0.9  # of the height of a line, which has room above and below its letters


def move_apart(ax: Axes, texts: Sequence[Text]) -> None:
    """Move labels up and down, and join those that moved far to where they stood by a thin line.

    Parameters
    ----------
    ax
        The panel.
    texts
        Centred labels in the coordinates of the data.
    """
    figure = ax.get_figure(root=True)
    if len(texts) < 2 or figure is None:
        return
    figure.draw_without_rendering()  # settles the layout, and with it how large letters are
    boxes = [text.get_window_extent() for text in texts]
    centers = np.array([[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2] for box in boxes])
    sizes = np.array([[box.width, box.height * _TIGHTNESS] for box in boxes])
    heights = separated(centers, sizes)
    to_data = ax.transData.inverted()
    for text, center, size, height in zip(texts, centers, sizes, heights, strict=True):
        _, y = to_data.transform((center[0], height))
        if abs(height - center[1]) > size[1]:
            x, before = text.get_position()
            ax.plot([x, x], [before, y], color=text_color(), linewidth=0.6, alpha=0.6, zorder=2)
        text.set_y(y)
        text.set_zorder(3)


def separated(centers: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights of boxes that are moved up and down, half the overlap each, until none overlap.

    Parameters
    ----------
    centers, sizes
        Of the boxes, across and down. Shape: `(n_boxes, 2)`.

    Returns
    -------
    Shape: `(n_boxes,)`. Where there is no end to it after 500 steps, some overlap.
    """
    across = np.abs(np.subtract.outer(centers[:, 0], centers[:, 0]))
    meets = across < np.add.outer(sizes[:, 0], sizes[:, 0]) / 2
    np.fill_diagonal(meets, val=False)
    least = np.add.outer(sizes[:, 1], sizes[:, 1]) / 2
    heights = centers[:, 1].copy()
    order = np.argsort(np.argsort(heights, kind="stable"))  # of two at one height the later goes up
    above = np.where(order[:, None] > order[None, :], 1.0, -1.0)
    for _ in range(_N_STEPS):
        gap = (heights[:, None] - heights[None, :]) * above
        overlap = np.where(meets, np.maximum(least - gap, 0), 0)
        if overlap.max(initial=0) < 0.5:  # a pixel
            break
        heights += 0.25 * (overlap * above).sum(1)
    return heights
