"""Histograms of the cosine similarity of rows and their views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.pl._style import GREEN, MADE, ORANGE, PURPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_VIEWS = {
    "cosine_generated": ("generated", MADE),
    "cosine_mixup": ("mixup", GREEN),
    "cosine_feature_swap": ("feature swap", PURPLE),
    "cosine_crop": ("crop", ORANGE),
    "cosine_mutation": ("mutation", ORANGE),
}
_N_BINS = 40


def draw_similarities(figure: Figure, similar: Mapping[str, NDArray[np.float64]]) -> list[Axes]:
    """Draw a histogram and the mean of each view, as `view_similarities` gives them."""
    figure.set_size_inches(4.9, 3.0)
    ax = figure.subplots()
    lowest = min(float(np.percentile(values, 0.5)) for values in similar.values())
    bins = np.linspace(min(lowest, 0.9), 1.0, _N_BINS + 1).tolist()
    for name, values in similar.items():
        label, color = _VIEWS[name]
        inside = np.clip(values, bins[0], bins[-1])
        weights = np.full(len(values), 1 / len(values))
        ax.hist(inside, bins, weights=weights, histtype="stepfilled", color=color, alpha=0.25)
        ax.hist(
            inside,
            bins,
            weights=weights,
            histtype="step",
            color=color,
            linewidth=1.2,
            label=f"{label}, mean {values.mean():.2f}",
        )
    ax.set_xlim(bins[0], bins[-1])
    ax.set_xlabel("Cosine similarity to the original, in latent space")
    ax.set_ylabel("Share of rows")
    figure.legend(loc="outside right center")
    return [ax]
