"""Original images above the images generated from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from diffaug_bio.pl._generated import Pair

_GAP = 0.06  # share of an image's longer side
_WIDE_GAP = 0.2  # between originals and generated images
_INCH = 0.95  # longer side of an image
_SMOOTHED = 96  # pixels a side from which an image is smoothed


def draw_grid(figure: Figure, pair: Pair) -> list[Axes]:
    """Draw originals in the first row of an empty figure, and below each the images generated from it."""
    height, width, _ = pair.image_shape
    rows = [np.asarray(pair.real), *np.split(np.asarray(pair.made), len(pair.made) // len(pair.real))]
    tall, wide = height / max(height, width), width / max(height, width)
    n_images = len(rows[0])
    tops = [row * (tall + _GAP) + (_WIDE_GAP - _GAP if row else 0) for row in range(len(rows))]
    figure.set_size_inches(0.9 + _INCH * n_images * (wide + _GAP), 0.3 + _INCH * (tops[-1] + tall))
    ax = figure.subplots()
    for top, images in zip(tops, rows, strict=True):
        for column, image in enumerate(images):
            left = column * (wide + _GAP)
            pixels = image.reshape(height, width, -1)
            if pixels.shape[2] != 3:
                pixels = pixels[..., 0]
            ax.imshow(
                pixels.astype(np.uint8),
                cmap="gray",
                vmin=0,
                vmax=255,
                extent=(left, left + wide, top + tall, top),
                interpolation="nearest" if max(height, width) < _SMOOTHED else "antialiased",
            )
    ax.set_xlim(-0.02, n_images * (wide + _GAP) - _GAP + 0.02)
    ax.set_ylim(tops[-1] + tall + 0.02, -0.02)
    ax.set_aspect("equal")
    middle = (tops[1] + tops[-1] + tall) / 2
    ax.set_yticks([tall / 2, middle], ["original", "generated"], rotation=90, va="center", fontsize="small")
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return [ax]
