"""Sequence logos: information at each position, shared among its bases (Schneider & Stephens 1990)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.pl._style import BLUE, GREEN, ORANGE, VERMILLION, text_color
from diffaug_bio.pp import encode_tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path
    from numpy.typing import NDArray

    from diffaug_bio.pl._generated import Pair

_BASES = "ACGT"
_COLORS = (GREEN, BLUE, ORANGE, VERMILLION)


def draw_logos(figure: Figure, pair: Pair, *, most: int) -> list[Axes]:
    """Draw the logo of originals above that of generated sequences, on one scale.

    Of more than `most` positions, the stretch with most information is drawn.
    """
    real, made = pair.letters or ([], [])
    length = max(map(len, real))
    heights = [_heights(encode_tokens(letters, length=length)) for letters in (real, made)]
    start = _best_start(heights[0].sum(1), most)
    shown = [part[start : start + most] for part in heights]
    figure.set_size_inches(max(5.0, 0.9 + 0.105 * len(shown[0])), 2.9)
    axes = list(figure.subplots(2, 1, sharex=True, sharey=True))
    top = max(float(part.sum(1).max()) for part in shown)
    for ax, part, name in zip(axes, shown, ("original", "generated"), strict=True):
        _draw_logo(ax, part, start)
        ax.set_title(name, loc="left", fontsize="small")
        ax.set_ylabel("bits")
    axes[0].set_ylim(0, max(1e-3, 1.05 * top))
    axes[0].set_xlim(start + 0.4, start + len(shown[0]) + 0.6)
    axes[1].set_xlabel(f"Position in the sequence (of {length})" if length > most else "Position")
    return axes


def _heights(tokens: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute the height of each base at each position, in bits. Shape: `(length, 4)`.

    Unknown bases and positions past the end do not count. Corrected for small samples (Schneider et al.
    1986).
    """
    counts = np.stack([(tokens == base).sum(0) for base in range(len(_BASES))], axis=1)
    total = counts.sum(1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    entropy = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(1)
    correction = (len(_BASES) - 1) / (2 * np.log(2) * np.maximum(total[:, 0], 1))
    information = np.where(total[:, 0] > 0, np.maximum(0, 2 - entropy - correction), 0)
    heights: NDArray[np.float64] = shares * information[:, None]
    return heights


def _best_start(information: NDArray[np.float64], most: int) -> int:
    """Find the start of the `most` adjacent positions with most information."""
    if len(information) <= most:
        return 0
    return int(np.convolve(information, np.ones(most), "valid").argmax())


def _draw_logo(ax: Axes, heights: NDArray[np.float64], start: int) -> None:
    """Stack the bases of each position, the most frequent on top."""
    from matplotlib.collections import PathCollection
    from matplotlib.transforms import Affine2D

    glyphs = [_glyph(base) for base in _BASES]
    paths, colors = [], []
    for place, position in enumerate(heights, start=start + 1):
        bottom = 0.0
        for base in np.argsort(position, kind="stable"):
            height = float(position[base])
            if height > 0:
                placed = Affine2D().scale(0.92, height).translate(place - 0.46, bottom)
                paths.append(glyphs[base].transformed(placed))
                colors.append(_COLORS[base])
                bottom += height
    ax.add_collection(PathCollection(paths, facecolors=colors, linewidths=0))
    ax.axhline(0, color=text_color(), linewidth=0.8)
    ax.spines["bottom"].set_visible(False)


def _glyph(letter: str) -> Path:
    """Make the outline of a letter, one unit wide and high."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    path = TextPath((0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = path.get_extents()
    fit = Affine2D().translate(-box.x0, -box.y0).scale(1 / box.width, 1 / box.height)
    return path.transformed(fit)
