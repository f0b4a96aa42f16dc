"""`pl.embedding`: cells in two dimensions, coloured by annotations or genes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from diffaug_bio._checks import check_anndata, check_count, check_seed
from diffaug_bio._keys import OBSM_KEY, umap_key
from diffaug_bio._wording import shorten
from diffaug_bio.choose.embeddings import embedding_of
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.pl._output import finish
from diffaug_bio.pl._style import BLUE, CLASS_COLORS, DARK_GREY, GREY, backdrop, house_style, new_figure
from diffaug_bio.tl import umap

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from diffaug_bio.pl._output import Save

logger = logging.getLogger(__name__)

_MAX_DOTS = 100_000  # more dots merely cover each other
_N_BINS = 400  # a side of a density: about the pixels of a panel on a screen
_FAINTEST = 0.35  # opacity of a bin with one row
_MAX_CLASSES = 40  # in a legend
_LONGEST = 32  # letters of a name in a legend
_SIDE = 3.6  # inches of a panel


def embedding(
    adata: AnnData,
    *,
    basis: str = OBSM_KEY,
    color: str | Sequence[str | None] | None = None,
    layer: str | None = None,
    use_raw: bool | None = None,
    gene_symbols: str | None = None,
    palette: str | Sequence[str] | Mapping[str, str] | None = None,
    cmap: Any = None,
    vmin: float | str | None = None,
    vmax: float | str | None = None,
    na_color: str = GREY,
    size: float | None = None,
    alpha: float | None = None,
    sort_order: bool = True,
    density: bool | None = None,
    max_obs: int = 5000,
    random_state: int = 0,
    legend_loc: Literal["right margin", "on data"] | None = "right margin",
    legend_fontsize: float | str | None = None,
    ncols: int = 3,
    title: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: Save = None,
) -> Axes | list[Axes] | None:
    """Draw an embedding in two dimensions, coloured by annotations or genes.

    :func:`scanpy.pl.embedding` draws the dots, in random order so that no class hides another. Coordinates
    come from :func:`diffaug_bio.tl.umap`; without them, UMAP is computed for this figure only, of a random
    sample if there are many cells. The title says how many cells are shown if not all.

    Parameters
    ----------
    adata
        Annotated data or a view of them; not changed.
    basis
        Name in `.obsm`, with or without a leading `X_`. An entry with two columns is drawn as it is;
        otherwise `X_umap_` and the name without `X_` holds the coordinates.
    color
        Column of `.obs` or gene, or several, one panel each; None draws one colour. Classes with colours
        in `.uns["<color>_colors"]` keep them. Of more than 40 classes the smallest share one grey.
    layer, use_raw, gene_symbols
        Source of the genes' values, as in :func:`scanpy.pl.embedding`: by default `.raw` if it exists.
    palette
        Colours of the classes: a dict by class, a list in their order, or the name of a colormap. By
        default colours that can be told apart with any colour vision.
    cmap
        Colormap of numbers; matplotlib's default if None.
    vmin, vmax
        Ends of the colormap: numbers, or percentiles such as `"p99"`.
    na_color
        Colour of cells without a value.
    size, alpha
        Area of the dots in square points, by the number of cells if None; and their opacity.
    sort_order
        Draw high numbers last.
    density
        Draw the density of cells in the mean colour of each place instead of dots; if None, for more than
        100,000 cells.
    max_obs
        Largest number of cells for which UMAP is computed here.
    random_state
        Seed of the sample, of UMAP and of the drawing order.
    legend_loc
        `"right margin"`, `"on data"` or None for no legend; or any location that scanpy knows.
    legend_fontsize
        Font size of the legend; small by default.
    ncols
        Number of panels side by side.
    title
        Title of the panel, or a list with one title a panel; the names in `color` if None.
    ax
        Axes to draw a single panel into.
    show
        Show the figure; if None, as `scanpy.settings.autoshow` says.
    save
        :class:`pathlib.Path` of the file to write; True or text saves in `scanpy.settings.figdir`, where
        text is added to the file's name and may end in a format such as `".pdf"`.

    Returns
    -------
    The axes, as a list if `color` is one; None if the figure was shown.

    Raises
    ------
    InputError
        If there is no such embedding, column, gene or layer.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> db.tl.embed(adata)  # doctest: +SKIP
    >>> db.pl.embedding(adata, color=["cell_type", "CD3E"])  # doctest: +SKIP
    """
    import anndata

    check_anndata(adata)
    check_seed(random_state)
    check_count("max_obs", max_obs)
    check_count("ncols", ncols)
    colors = [color] if color is None or isinstance(color, str) else list(color)
    titles = [None] * len(colors) if title is None else [title] if isinstance(title, str) else list(title)
    if not colors or len(titles) != len(colors) or (ax is not None and len(colors) > 1):
        msg = (
            f"`color` names {len(colors)} panels: give at least one, as many titles (got {len(titles)}), "
            "and `ax` for one panel only."
        )
        raise InputError(msg)
    rows, points, axis = _coordinates(adata, basis, max_obs=max_obs, seed=random_state)
    order = np.random.default_rng(random_state).permutation(len(rows))
    values = _values(adata, colors, layer=layer, use_raw=use_raw, gene_symbols=gene_symbols)
    values = values.iloc[rows[order]].set_axis(np.arange(len(rows)).astype(str))
    shown = anndata.AnnData(obs=values, obsm={axis: points[order]})
    for name in values:
        if not _is_number(values[name]):
            key = f"{name}_colors"
            shown.obs[name], shown.uns[key] = _classes(values[name], palette, adata.uns.get(key))
    settings = {
        "size": np.clip(45_000 / len(rows), 1.5, 60) if size is None else size,
        "alpha": alpha,
        "cmap": cmap,
        "vmin": vmin,
        "vmax": vmax,
        "na_color": na_color,
        "sort_order": sort_order,
        "legend_loc": legend_loc,
        "legend_fontsize": legend_fontsize,
    }
    part = "" if len(rows) == adata.n_obs else f"{len(rows):,} of {adata.n_obs:,} rows"
    n_across = min(ncols, len(colors))
    n_down = -(-len(colors) // n_across)
    with new_figure() if ax is None else house_style() as figure:
        grid: Any = [ax] if figure is None else figure.subplots(n_down, n_across, squeeze=False).flat
        panels: list[Axes] = list(grid)
        margins = np.zeros(n_across)
        for number, (panel, name, given) in enumerate(zip(panels, colors, titles, strict=False)):
            dense = len(rows) > _MAX_DOTS if density is None else density
            margin = _draw(panel, shown, name, dense=dense, settings=settings)
            margins[number % n_across] = max(margins[number % n_across], margin)
            text = panel.set_title("\n".join(filter(None, (name, part))) if given is None else given)
            text.set_parse_math(given is not None)  # a name may hold a $
        if figure is not None:
            figure.set_size_inches(n_across * (_SIDE + 0.25) + margins.sum(), n_down * (_SIDE + 0.35))
            for panel in panels[len(colors) :]:
                panel.remove()
        axes = finish(panels[: len(colors)], name=basis, show=show, save=save, owned=ax is None)
    return axes[0] if axes and (color is None or isinstance(color, str)) else axes


def _draw(ax: Axes, shown: AnnData, color: str | None, *, dense: bool, settings: dict[str, Any]) -> float:
    """Draw one panel without its title, and return the width of its legend or colour bar in inches."""
    import scanpy as sc
    from matplotlib.patheffects import withStroke

    n_before = len(ax.collections)
    [basis] = shown.obsm
    if color is None:
        settings = {**settings, "na_color": BLUE}
    if settings["legend_loc"] == "on data" and settings["legend_fontsize"] is None:
        settings = {**settings, "legend_fontsize": "x-small"}
    with warnings.catch_warnings():
        # scanpy 1.11 calls a function that newer versions of matplotlib will drop.
        warnings.filterwarnings("ignore", "The set_bad function", PendingDeprecationWarning)
        sc.pl.embedding(
            shown,
            basis,
            color=color,
            ax=ax,
            na_in_legend=color is not None and "NA" not in set(shown.obs[color]),
            colorbar_loc=None,
            linewidths=0,
            show=False,
            save=False,
            **settings,
        )
    ax.set_xlabel(ax.get_xlabel(), loc="left")
    ax.set_ylabel(ax.get_ylabel(), loc="bottom")
    ax.set_box_aspect(1)
    ax.set_anchor("W")  # beside the legend, which takes its room on the right
    for text in ax.texts:
        text.set_path_effects([withStroke(linewidth=2, foreground=backdrop(), alpha=0.8)])
    dots = ax.collections[n_before]
    dots.set_rasterized(True)  # else a vector file grows with the rows
    if dense:
        _draw_density(ax, dots)
    if color is not None and _is_number(shown.obs[color]):
        bar = ax.figure.colorbar(dots, cax=ax.inset_axes((1.03, 0, 0.045, 1)))
        bar.outline.set_visible(False)
        if bar.solids is not None:
            bar.solids.set_alpha(1)
        return 0.65
    legend = ax.get_legend()
    return 0.0 if legend is None else 0.3 + legend.get_window_extent().width / ax.figure.dpi


def _draw_density(ax: Axes, dots: Any) -> None:
    """Replace dots by their mean colour at each place, opaque by the logarithm of their number."""
    dots.update_scalarmappable()
    colors = np.broadcast_to(dots.get_facecolor(), (len(dots.get_offsets()), 4))
    x, y = np.asarray(dots.get_offsets(), np.float64).T
    counts, *edges = np.histogram2d(x, y, bins=int(np.clip(len(x) ** 0.5, 50, _N_BINS)))
    sums = [np.histogram2d(x, y, bins=edges, weights=channel)[0] for channel in colors[:, :3].T]
    share = np.log1p(counts) / np.log1p(np.quantile(counts[counts > 0], 0.99))
    opacity = np.where(counts > 0, np.clip(_FAINTEST + (1 - _FAINTEST) * share, 0, 1), 0)
    picture = np.dstack([*(sums / np.maximum(counts, 1)), opacity]).swapaxes(0, 1)
    extent = (edges[0][0], edges[0][-1], edges[1][0], edges[1][-1])
    ax.imshow(picture, origin="lower", extent=extent, aspect="auto", interpolation="nearest")
    dots.remove()


def _coordinates(
    adata: AnnData, basis: str, *, max_obs: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], str]:
    """Find or compute coordinates: row numbers, points `(n_rows, 2)`, and scanpy's name of the basis."""
    import anndata

    keys = [key for key in (umap_key(basis), basis, f"X_{basis}") if key in adata.obsm]
    for key in keys:
        if adata.obsm[key].shape[1] == 2:
            points = embedding_of(adata, key)
            rows = np.flatnonzero(np.isfinite(points).all(1))
            if not len(rows):
                msg = f"`.obsm[{key!r}]` has no row with two finite coordinates: nothing can be drawn."
                raise InputError(msg)
            name = "umap" if key.startswith("X_umap_") else key.removeprefix("X_")
            return rows, points[rows], name
    rows = sample_rows(adata.n_obs, max_obs, seed=seed)
    key = keys[0] if keys else basis
    sample = anndata.AnnData(obsm={key: embedding_of(adata, key, rows=rows)})
    if len(rows) < adata.n_obs:
        logger.info(
            "UMAP of %d of %d cells, drawn at random. To show all, run `diffaug_bio.tl.umap(adata, "
            "use_rep=%r)` first.",
            len(rows),
            adata.n_obs,
            key,
        )
    umap(sample, use_rep=key, random_state=seed, key_added="X_umap")
    return rows, sample.obsm["X_umap"], "umap"


def _values(
    adata: AnnData,
    names: Sequence[str | None],
    *,
    layer: str | None,
    use_raw: bool | None,
    gene_symbols: str | None,
) -> pd.DataFrame:
    """Take columns of `.obs`, and genes as scanpy finds them."""
    import scanpy as sc

    known = [name for name in dict.fromkeys(names) if name is not None]
    genes = [name for name in known if name not in adata.obs]
    use_raw = layer is None and adata.raw is not None if use_raw is None else use_raw
    if use_raw and (layer is not None or adata.raw is None):
        msg = "`use_raw=True` needs an AnnData with `.raw`, and no `layer`. Leave one of them out."
        raise InputError(msg)
    try:
        table: pd.DataFrame = sc.get.obs_df(
            adata, genes, layer=layer, use_raw=use_raw, gene_symbols=gene_symbols
        )
    except KeyError as error:
        msg = (
            f"Cannot find {shorten(genes)}: {error.args[0]} There are the columns of `.obs` "
            f"{shorten(adata.obs) or 'none'} and the layers {shorten(adata.layers) or 'none'}."
        )
        raise InputError(msg) from error
    for name in known:
        if name in adata.obs:
            table[name] = adata.obs[name]
        if _is_number(table[name]):
            table[name] = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return table


def _is_number(values: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _classes(
    values: pd.Series, palette: str | Sequence[str] | Mapping[str, str] | None, kept: Sequence[str] | None
) -> tuple[pd.Categorical[Any], list[str]]:
    """Make classes of text or categories, at most 40 and the rest together, and a colour for each."""
    import pandas as pd
    from anndata.utils import make_index_unique
    from matplotlib import colormaps
    from matplotlib.colors import is_color_like, to_hex
    from natsort import natsorted

    if not isinstance(values.dtype, pd.CategoricalDtype):
        texts = values.astype(object).map(str, na_action="ignore")
        values = texts.astype(pd.CategoricalDtype(natsorted(texts.dropna().unique())))
    names = [str(name) for name in values.cat.categories]
    codes = values.cat.codes.to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    listed = np.flatnonzero(counts)
    n_classes = len(listed)
    if n_classes > _MAX_CLASSES:
        listed = np.sort(np.argsort(-counts, kind="stable")[: _MAX_CLASSES - 1])
    if isinstance(palette, str):
        palette = [to_hex(one) for one in colormaps[palette](np.linspace(0, 1, max(2, len(names))))]
    given = kept if palette is None else palette
    if not isinstance(given, Mapping):
        given = dict(zip(names, () if given is None else given, strict=False))
    missing = [names[number] for number in listed if not is_color_like(given.get(names[number]))]
    if missing and palette is not None:
        msg = f"`palette` has no valid colour for {shorten(missing)}. Give one for each class."
        raise InputError(msg)
    colors = list(CLASS_COLORS[: len(listed)])
    if not missing:
        colors = [to_hex(given[names[number]]) for number in listed]
    places = np.full(len(names) + 1, -1)  # the last is that of missing values, whose code is -1
    places[np.flatnonzero(counts)] = len(listed)
    places[listed] = np.arange(len(listed))
    labels = [_short(names[number]) for number in listed]
    if n_classes > len(listed):
        labels.append(f"{n_classes - len(listed)} smaller classes")
        colors.append(DARK_GREY)
    unique = make_index_unique(pd.Index(labels, dtype=object))
    return pd.Categorical.from_codes(places[codes], unique), colors


def _short(name: str) -> str:
    half = (_LONGEST - 1) // 2
    return name if len(name) <= _LONGEST else f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
