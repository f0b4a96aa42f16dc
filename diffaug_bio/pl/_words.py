"""Frequencies of k-mers in original and in generated sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.pl._style import MADE, REAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from diffaug_bio.pl._generated import Pair


def draw_words(figure: Figure, pair: Pair, *, var_names: Sequence[str] | None, most: int) -> list[Axes]:
    """Draw the mean frequency of each k-mer as a pair of bars; the `most` frequent ones without names."""
    means = [np.asarray(matrix.mean(0)).ravel() for matrix in (pair.real, pair.made)]
    if var_names is None:
        numbers = np.argsort(-means[0], kind="stable")[:most]
    else:
        numbers = np.array(pair.numbers_of(var_names))
    figure.set_size_inches(1.6 + 0.3 * len(numbers), 2.8)
    ax = figure.subplots()
    places = np.arange(len(numbers))
    for mean, shift, color, label in (
        (means[0], -0.2, REAL, "original"),
        (means[1], 0.2, MADE, "generated"),
    ):
        ax.bar(places + shift, mean[numbers], width=0.4, color=color, label=label, linewidth=0)
    names = [pair.names[number] for number in numbers]
    longest = max(map(len, names))
    ax.set_xticks(places, names, rotation=90 if longest > 3 else 0, family="monospace")
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.6, len(numbers) - 0.4)
    ax.set_ylabel("Mean frequency")
    figure.legend(loc="outside right center")
    return [ax]
