"""`pl.embedding`: an embedding in two dimensions, coloured by annotations or genes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from diffaug_bio._checks import check_count, check_seed
from diffaug_bio._keys import OBSM_KEY
from diffaug_bio.errors import InputError
from diffaug_bio.pl._coordinates import coordinates_of
from diffaug_bio.pl._legend import add_legend, check_location, margin_of
from diffaug_bio.pl._output import finish
from diffaug_bio.pl._points import Look, draw_density, draw_dots
from diffaug_bio.pl._style import GREY, house_style, new_figure
from diffaug_bio.pl._values import Classes, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from diffaug_bio.pl._coordinates import Coordinates
    from diffaug_bio.pl._legend import LegendLoc
    from diffaug_bio.pl._output import Save
    from diffaug_bio.pl._values import Values

_MAX_DOTS = 100_000  # beyond which dots merely lie over each other
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
    legend_loc: LegendLoc | None = "auto",
    legend_fontsize: float | str | None = None,
    ncols: int = 3,
    title: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: Save = None,
) -> Axes | list[Axes] | None:
    """Draw an embedding in two dimensions, coloured by annotations or genes.

    Coordinates that :func:`diffaug_bio.tl.umap` made are drawn, of all rows. Without them UMAP is computed
    for the moment, of a random sample where there are many rows; the title and the log say so. Nothing is
    written into `adata`, which may be a view.

    Parameters
    ----------
    adata
        Rows are observations. Not changed.
    basis
        Name in `.obsm`, with or without a leading `X_`. Of an entry with two columns these are the
        coordinates, else those in `X_umap_` and its name without `X_`.
    color
        Column of `.obs`, or a gene, or several of them for a panel each; None draws all in one colour.
        Classes that have colours in `.uns["<color>_colors"]` keep them.
    layer, use_raw, gene_symbols
        Where genes are taken from, as in :func:`scanpy.pl.embedding`; by default from `.raw`, if it is
        there.
    palette
        Colours of classes: by class, in order, or a name of a colormap. By default colours that are told
        apart with any colour vision.
    cmap
        Colormap of numbers; by default matplotlib's, as configured.
    vmin, vmax
        Ends of the colormap: numbers, or percentiles such as `"p99"`.
    na_color
        Of rows without a value.
    size, alpha
        Area and opacity of dots; by default by the number of rows.
    sort_order
        Whether dots of high numbers are drawn last. Those of classes are drawn in random order, so that no
        class hides another.
    density
        Whether to draw a picture of the density in place of dots; by default for more than 100,000 rows.
        Its colour is the mean of the classes' colours at a place, or that of the mean number.
    max_obs
        Rows of which UMAP is computed for the moment, at most.
    random_state
        Seed of the sample, of UMAP and of the order of drawing.
    legend_loc
        `"right margin"`, which `"auto"` is, or `"on data"`; None for none. Of more than 40 classes the
        largest are listed.
    legend_fontsize
        Size of the letters of the legend.
    ncols
        Panels side by side.
    title
        Of the panel, or of each. By default what it is coloured by.
    ax
        Where to draw a single panel.
    show, save
        As in scanpy: whether to show the figure, by default by `scanpy.settings.autoshow`; and whether to
        save it into `scanpy.settings.figdir`, text being added to the file's name, an ending such as
        `".pdf"` its format. A :class:`pathlib.Path` is taken as it is.

    Returns
    -------
    The axes of the panel, or of each in a list; None where they were shown.

    Raises
    ------
    InputError
        If there is no such embedding, column, gene or layer, or a setting cannot be used.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> db.tl.embed(adata)  # doctest: +SKIP
    >>> db.pl.embedding(adata, color=["cell_type", "CD3E"])  # doctest: +SKIP
    """
    check_seed(random_state)
    check_count("max_obs", max_obs)
    check_count("ncols", ncols)
    check_location(legend_loc)
    look = Look(
        size=size, alpha=alpha, cmap=cmap, vmin=vmin, vmax=vmax, na_color=na_color, sort_order=sort_order
    )
    look.check()
    colors = [color] if color is None or isinstance(color, str) else list(color)
    titles = _titles(title, len(colors))
    if not colors or (ax is not None and len(colors) > 1):
        msg = f"`ax` holds one panel, and `color` names {len(colors)}. Leave `ax` out, or give one colour."
        raise InputError(msg)
    painted = [
        values_of(adata, one, layer=layer, use_raw=use_raw, gene_symbols=gene_symbols, palette=palette)
        for one in colors
    ]
    found = coordinates_of(adata, basis, max_obs=max_obs, seed=random_state)
    dense = len(found.rows) > _MAX_DOTS if density is None else density
    with _panels(ax, painted, ncols, legend_loc) as axes:
        for panel, name, values, given in zip(axes, colors, painted, titles, strict=True):
            shown = None if values is None else values.at(found.rows)
            _draw(panel, found, shown, look, dense=dense, seed=random_state)
            title_of = panel.set_title(_title(name, found, adata.n_obs) if given is None else given)
            title_of.set_parse_math(given is not None)  # a name is none, in the user's panel, too
            if isinstance(shown, Classes):
                add_legend(
                    panel,
                    shown,
                    found.points,
                    location=legend_loc,
                    fontsize=legend_fontsize,
                    na_color=na_color,
                )
        shown_axes = finish(axes, name=basis, show=show, save=save, owned=ax is None)
    if shown_axes is None:
        return None
    return shown_axes[0] if color is None or isinstance(color, str) else shown_axes


@contextmanager
def _panels(
    ax: Axes | None, painted: Sequence[Values], ncols: int, legend_loc: LegendLoc | None
) -> Iterator[list[Axes]]:
    """Take the panel that is given, or make a figure with room for the legends beside its panels."""
    if ax is not None:
        with house_style():
            yield [ax]
        return
    n_panels, n_across = len(painted), min(ncols, len(painted))
    n_down = -(-n_panels // n_across)
    margins = [
        max(margin_of(values, legend_loc) for values in painted[column::n_across])
        for column in range(n_across)
    ]
    width = sum(_SIDE + 0.25 + margin for margin in margins)
    with new_figure(width, (_SIDE + 0.35) * n_down) as figure:
        panels = figure.subplots(n_down, n_across, squeeze=False).ravel()
        for panel in panels[n_panels:]:
            panel.remove()
        yield list(panels[:n_panels])


def _draw(ax: Axes, found: Coordinates, values: Values, look: Look, *, dense: bool, seed: int) -> None:
    """Draw one panel without its title and legend."""
    if dense:
        mappable = draw_density(ax, found.points, values, look)
    else:
        mappable = draw_dots(ax, found.points, values, look, seed=seed)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(f"{found.name}1", loc="left")
    ax.set_ylabel(f"{found.name}2", loc="bottom")
    ax.set_box_aspect(1)
    if mappable is not None:
        bar = ax.figure.colorbar(mappable, cax=ax.inset_axes((1.03, 0, 0.045, 1)))
        if bar.solids is not None:
            bar.solids.set(alpha=1)
        bar.outline.set_visible(False)


def _titles(title: str | Sequence[str] | None, n_panels: int) -> list[str | None]:
    if title is None:
        return [None] * n_panels
    titles = [title] if isinstance(title, str) else list(title)
    if len(titles) != n_panels:
        msg = f"`title` has {len(titles)} titles for {n_panels} panels. Give one for each."
        raise InputError(msg)
    return list(titles)


def _title(color: str | None, found: Coordinates, n_obs: int) -> str:
    """Say what is seen, and how much of it if not all."""
    part = "" if len(found.rows) == n_obs else f"{len(found.rows):,} of {n_obs:,} rows"
    if color is None:
        return part
    return f"{color}\n({part})" if part else color
