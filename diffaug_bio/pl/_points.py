"""Points of an embedding: dots as scanpy draws them, or a picture of their density where they are many."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.pl._style import BLUE
from diffaug_bio.pl._values import Classes, Numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from numpy.typing import NDArray

    from diffaug_bio.pl._values import Values

_MAX_BINS = 400  # a side: about the pixels of a panel on a screen
_MIN_BINS = 50
_FAINTEST = 0.35  # opacity of a bin with one row
_MARGIN = 0.03  # of the range of coordinates


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How points are drawn."""

    size: float | None
    """Area of a dot; by the number of rows if None."""
    alpha: float | None
    """Opacity of a dot; by the number of rows if None."""
    cmap: Any
    """Colormap of numbers, the user's if None."""
    vmin: float | str | None
    """Number at the lower end of the colormap, or a percentile such as "p1"."""
    vmax: float | str | None
    """Number at its upper end."""
    na_color: str
    """Of rows without a value."""
    sort_order: bool
    """Whether dots of high numbers are drawn last."""

    def check(self) -> None:
        """Refuse what nothing can be drawn with.

        Raises
        ------
        InputError
            If a colour or colormap is unknown, or size or opacity are out of range.
        """
        import matplotlib as mpl

        if isinstance(self.cmap, str) and self.cmap not in mpl.colormaps:
            msg = f"`cmap` is {self.cmap!r}, which matplotlib does not know. Try 'viridis' or 'magma'."
            raise InputError(msg)
        if not mpl.colors.is_color_like(self.na_color):
            msg = f"`na_color` is {self.na_color!r}, which matplotlib does not know as a colour."
            raise InputError(msg)
        if self.size is not None and not 0 < self.size < np.inf:
            msg = f"`size` is the area of a dot, above 0; got {self.size!r}."
            raise InputError(msg)
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            msg = f"`alpha` is an opacity from 0 to 1; got {self.alpha!r}."
            raise InputError(msg)


def draw_dots(
    ax: Axes, coordinates: NDArray[np.float32], values: Values, look: Look, *, seed: int
) -> ScalarMappable | None:
    """Draw a dot for each row, in random order.

    Parameters
    ----------
    ax
        Where to.
    coordinates
        Shape: `(n_obs, 2)`.
    values
        What they are coloured by.
    look
        How.
    seed
        Of the order.

    Returns
    -------
    What a colour bar is made of, for numbers.
    """
    import anndata
    import pandas as pd
    import scanpy as sc

    n_rows = len(coordinates)
    order = np.random.default_rng(seed).permutation(n_rows)
    obs = pd.DataFrame(index=pd.RangeIndex(n_rows).astype(str))
    uns, settings = {}, {}
    if isinstance(values, Classes):
        # Numbers for names: scanpy takes a class "NA" for rows without one, and two of a name for a fault.
        numbers = pd.Index([str(number) for number in range(len(values.names))], dtype=object)
        obs["color"] = pd.Categorical.from_codes(values.codes[order], numbers)
        uns["color_colors"] = values.colors
    elif isinstance(values, Numbers):
        obs["color"] = values.values[order]
        low, high = limits(values.values, look)
        settings = {"vmin": low, "vmax": high, "cmap": look.cmap}
    else:
        settings = {"na_color": BLUE}
    with warnings.catch_warnings():
        # scanpy's own business with newer versions of matplotlib.
        warnings.filterwarnings("ignore", "The set_bad function", PendingDeprecationWarning)
        sc.pl.embedding(
            anndata.AnnData(obs=obs, obsm={"X_points": coordinates[order]}, uns=uns),
            "X_points",
            ax=ax,
            color=None if values is None else "color",
            size=_size(n_rows) if look.size is None else look.size,
            alpha=_opacity(n_rows) if look.alpha is None else look.alpha,
            sort_order=look.sort_order,
            legend_loc="none",
            na_in_legend=False,
            colorbar_loc=None,
            linewidths=0,
            show=False,
            save=False,
            **{"na_color": look.na_color, **settings},
        )
    dots = ax.collections[-1]
    dots.set_rasterized(True)
    return dots if isinstance(values, Numbers) else None


def draw_density(
    ax: Axes, coordinates: NDArray[np.float32], values: Values, look: Look
) -> ScalarMappable | None:
    """Draw a picture whose opacity is the logarithm of the number of rows at a place.

    Its colour is the mean of the classes' colours there, or that of the mean number.
    Parameters are as for :func:`draw_dots`.
    """
    import matplotlib as mpl

    side = int(np.clip(np.sqrt(len(coordinates)), _MIN_BINS, _MAX_BINS))
    extent, bins = _bins(coordinates, side)
    counts = np.bincount(bins, minlength=side**2)
    picture = np.zeros((side**2, 4))
    mappable = None
    if isinstance(values, Classes):
        rgb = np.array([mpl.colors.to_rgb(color) for color in values.colors]).reshape(-1, 3)
        known = values.codes >= 0
        picture[:, :3] = _means(
            bins[known], rgb[values.codes[known]], side, mpl.colors.to_rgb(look.na_color)
        )
    elif isinstance(values, Numbers):
        known = np.isfinite(values.values)
        mean = _means(bins[known], values.values[known, None], side, (np.nan,))[:, 0]
        low, high = limits(values.values, look)
        mappable = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), look.cmap)
        picture[:, :3] = mappable.to_rgba(np.nan_to_num(mean))[:, :3]
        picture[np.isnan(mean), :3] = mpl.colors.to_rgb(look.na_color)
    else:
        picture[:, :3] = mpl.colors.to_rgb(BLUE)
    dense = np.log(max(2.0, float(np.quantile(counts[counts > 0], 0.99))))
    share = np.clip(np.log(np.maximum(counts, 1)) / dense, 0, 1)
    picture[:, 3] = np.where(counts > 0, _FAINTEST + (1 - _FAINTEST) * share, 0)
    ax.imshow(
        picture.reshape(side, side, 4),
        origin="lower",
        extent=extent,
        aspect="auto",
        interpolation="nearest",
    )
    return mappable


def limits(values: NDArray[np.float64], look: Look) -> tuple[float, float]:
    """Find the ends of the colormap; percentiles are of the finite values.

    Raises
    ------
    InputError
        If one is neither a number nor a percentile.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    ends = [
        _limit(asked, finite, name) if asked is not None else float(extreme)
        for name, asked, extreme in (("vmin", look.vmin, finite.min()), ("vmax", look.vmax, finite.max()))
    ]
    return ends[0], max(ends)


def _limit(asked: float | str, finite: NDArray[np.float64], name: str) -> float:
    if not isinstance(asked, str):
        return float(asked)
    try:
        return float(np.percentile(finite, float(asked.removeprefix("p"))))
    except ValueError as error:
        msg = f"`{name}` is a number, or a percentile such as 'p99'; got {asked!r}."
        raise InputError(msg) from error


def _size(n_rows: int) -> float:
    """Area of a dot: together they cover about the same part of a panel, whatever their number."""
    return float(np.clip(45_000 / n_rows, 1.5, 60))


def _opacity(n_rows: int) -> float:
    """Dots that overlap let each other through."""
    return float(np.clip(1.25 - 0.12 * np.log10(n_rows) - 0.0000025 * n_rows, 0.4, 0.9))


def _bins(
    coordinates: NDArray[np.float32], side: int
) -> tuple[tuple[float, float, float, float], NDArray[np.int64]]:
    """Find the ends of both axes, and the number of each row's bin, row by row from the lower left."""
    low, high = coordinates.min(0).astype(float), coordinates.max(0).astype(float)
    margin = np.maximum(high - low, 1e-6) * _MARGIN
    low, high = low - margin, high + margin
    places = ((coordinates - low) / (high - low) * side).astype(np.int64).clip(0, side - 1)
    return (low[0], high[0], low[1], high[1]), places[:, 1] * side + places[:, 0]


def _means(
    bins: NDArray[np.int64], values: NDArray[np.float64], side: int, missing: tuple[float, ...]
) -> NDArray[np.float64]:
    """Mean of some columns of values in each bin; shape `(n_bins, n_columns)`."""
    counts = np.bincount(bins, minlength=side**2)
    sums = [np.bincount(bins, column, minlength=side**2) for column in values.T]
    means = np.stack(sums, 1) / np.maximum(counts, 1)[:, None]
    return np.where(counts[:, None] > 0, means, np.array(missing))
