"""Colours of classes that are told apart with any colour vision, as far as their number allows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.pl._style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST = (BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, YELLOW)
_LEVELS = 14  # of each primary colour, among whose mixtures further colours are looked for
_LIGHTNESS = (0.45, 0.85)  # of OKLab: seen on white as on black
_MIN_CHROMA = 0.05  # of OKLab: greys are for what is not known

# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
_VISIONS = np.array(
    [
        np.eye(3),
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ]
)
_WEIGHTS = np.array([0.5, 1.0, 1.0])  # most eyes are normal, and are to see twice the difference
# Ottosson (2020): from linear RGB to responses of cones, and from their cubic roots to OKLab.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@lru_cache(maxsize=8)
def class_colors(n_classes: int) -> tuple[str, ...]:
    """Choose colours for classes: those of Okabe & Ito, then whatever differs most from all before.

    Difference is the distance in OKLab, with normal, deuteranopic or protanopic vision, whichever sees
    the least of it. A class keeps its colour when others are added after it.

    Parameters
    ----------
    n_classes
        How many; beyond some twenty, neighbors in the list of colours look alike to anybody.

    Returns
    -------
    Hexadecimal colours.
    """
    from matplotlib.colors import to_hex, to_rgb

    if n_classes <= len(_FIRST):
        return _FIRST[:n_classes]
    chosen = np.array([to_rgb(color) for color in _FIRST])
    level = np.linspace(0, 1, _LEVELS)
    mixtures = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = _oklab(mixtures)
    lightness, chroma = seen[0, :, 0], np.linalg.norm(seen[0, :, 1:], axis=1)
    fit = (lightness >= _LIGHTNESS[0]) & (lightness <= _LIGHTNESS[1]) & (chroma >= _MIN_CHROMA)
    mixtures, seen = mixtures[fit], seen[:, fit]
    difference = np.min([_difference(seen, color) for color in np.moveaxis(_oklab(chosen), 1, 0)], axis=0)
    colors = list(_FIRST)
    while len(colors) < n_classes:
        best = int(difference.argmax())
        colors.append(to_hex(mixtures[best]))
        difference = np.minimum(difference, _difference(seen, seen[:, best]))
    return tuple(colors)


def _difference(seen: NDArray[np.float64], color: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of colours `(3, n, 3)` to one `(3, 3)`, to whom it is least. Shape: `(n,)`."""
    distances = np.linalg.norm(seen - color[:, None], axis=2)
    least: NDArray[np.float64] = (distances * _WEIGHTS[:, None]).min(0)
    return least


def _oklab(colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """OKLab of sRGB colours `(n, 3)` as three kinds of vision see them. Shape: `(3, n, 3)`."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.einsum("vij,nj->vni", _VISIONS, linear), 0, 1)
    found: NDArray[np.float64] = np.cbrt(seen @ _TO_CONES.T) @ _TO_OKLAB.T
    return found
