"""What points are coloured by: a column of `.obs` or a gene, taken out of an unchanged AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.pl._palette import class_colors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """A class of each row."""

    names: list[str]
    """Those that rows are of, in order."""
    codes: NDArray[np.int64]
    """Number of each row's class, -1 without one. Shape: `(n_obs,)`."""
    colors: list[str]
    """One a class."""

    def at(self, rows: NDArray[np.int64]) -> Classes:
        """Those of some rows."""
        return Classes(names=self.names, codes=self.codes[rows], colors=self.colors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A number of each row, NaN without one."""

    values: NDArray[np.float64]
    """Shape: `(n_obs,)`."""

    def at(self, rows: NDArray[np.int64]) -> Numbers:
        """Those of some rows."""
        return Numbers(values=self.values[rows])


Values = Classes | Numbers | None


def values_of(
    adata: AnnData,
    color: str | None,
    *,
    layer: str | None,
    use_raw: bool | None,
    gene_symbols: str | None,
    palette: str | Sequence[str] | Mapping[str, str] | None,
) -> Values:
    """Find what points are coloured by; parameters as for :func:`diffaug_bio.pl.embedding`.

    Raises
    ------
    InputError
        If there is no such column or gene.
    """
    import pandas as pd

    if color is None:
        return None
    column = _column(adata, color, layer=layer, use_raw=use_raw, gene_symbols=gene_symbols)
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if is_number:
        return Numbers(values=column.to_numpy(dtype=np.float64, na_value=np.nan))
    held = _as_classes(column)
    if palette is None and f"{color}_colors" not in adata.uns:
        held = _in_natural_order(held)
    used = np.unique(held.codes[held.codes >= 0])
    names = [str(name) for name in held.categories[used]]
    codes = np.full(len(held), -1, np.int64)
    codes[held.codes >= 0] = np.searchsorted(used, held.codes[held.codes >= 0])
    colors = _given_colors(palette, names)
    if colors is None:
        kept = _kept_colors(adata, color, len(held.categories))
        colors = list(class_colors(len(names))) if kept is None else [kept[number] for number in used]
    return Classes(names=names, codes=codes, colors=colors)


def _column(
    adata: AnnData, color: str, *, layer: str | None, use_raw: bool | None, gene_symbols: str | None
) -> pd.Series:
    """Take a column of `.obs`, or a gene as scanpy finds it."""
    import scanpy as sc

    if color in adata.obs:
        held: pd.Series = adata.obs[color]
        return held
    if use_raw is None:
        use_raw = layer is None and adata.raw is not None
    if layer is not None and layer not in adata.layers:
        msg = f"There is no layer {layer!r}; `.layers` holds {shorten(adata.layers) or 'nothing'}."
        raise InputError(msg)
    if use_raw and (layer is not None or adata.raw is None):
        fault = "there is no `.raw`" if adata.raw is None else "a layer is asked for, too"
        msg = f"`use_raw` takes genes from `.raw`, but {fault}. Leave it out."
        raise InputError(msg)
    for raw in (use_raw, False) if use_raw and layer is None else (use_raw,):
        var = adata.raw.var if raw else adata.var
        names = var.index if gene_symbols is None else var.get(gene_symbols, ())
        if color in set(names):
            table: pd.DataFrame = sc.get.obs_df(
                adata, [color], layer=layer, use_raw=raw, gene_symbols=gene_symbols
            )
            return table[color]
    msg = (
        f"`color` {color!r} is neither a column of `.obs`, which holds {shorten(adata.obs) or 'none'}, nor "
        f"a gene, of which there are {shorten(adata.var_names, limit=3) or 'none'}."
    )
    raise InputError(msg)


def _as_classes(column: pd.Series) -> pd.Categorical[Any]:
    """Read text, truth values and whatever else is no number as classes, in natural order."""
    import pandas as pd
    from natsort import natsorted

    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Categorical(column)
    texts = column.astype(object).map(str, na_action="ignore")
    return pd.Categorical(texts, categories=natsorted(set(texts.dropna())))


def _in_natural_order(classes: pd.Categorical[Any]) -> pd.Categorical[Any]:
    """Sort classes as text is sorted, where their order is but that of the alphabet: nobody chose it."""
    from natsort import natsorted

    names = list(classes.categories)
    if classes.ordered or not all(isinstance(name, str) for name in names) or names != sorted(names):
        return classes
    return classes.reorder_categories(natsorted(names))


def _kept_colors(adata: AnnData, color: str, n_classes: int) -> list[str] | None:
    """Colours that scanpy keeps in `.uns`, if they are of use."""
    from matplotlib.colors import is_color_like, to_hex

    kept = adata.uns.get(f"{color}_colors")
    if kept is None:
        return None
    given = [kept] if isinstance(kept, str) else list(np.atleast_1d(kept))
    if len(given) < n_classes or not all(map(is_color_like, given)):
        return None
    return [str(one) if isinstance(one, str) else to_hex(one, keep_alpha=False) for one in given]


def _given_colors(
    palette: str | Sequence[str] | Mapping[str, str] | None, names: list[str]
) -> list[str] | None:
    """Colours that are asked for: by class, in order, or from one of matplotlib's colormaps."""
    import matplotlib as mpl

    if palette is None:
        return None
    if isinstance(palette, str):
        if palette not in mpl.colormaps:
            msg = f"matplotlib has no colormap {palette!r} to take as `palette`. Try 'tab20'."
            raise InputError(msg)
        colormap = mpl.colormaps[palette]
        if colormap.N < 256:  # of separate colours
            return [mpl.colors.to_hex(colormap(number % colormap.N)) for number in range(len(names))]
        return [mpl.colors.to_hex(colormap(share)) for share in np.linspace(0, 1, max(2, len(names)))][
            : len(names)
        ]
    if isinstance(palette, Mapping):
        by_class = {str(name): str(value) for name, value in palette.items()}
        if missing := [name for name in names if name not in by_class]:
            msg = f"`palette` has no colour for {shorten(missing)}. Give one for each class."
            raise InputError(msg)
        colors = [by_class[name] for name in names]
    else:
        colors = [str(one) for one in palette]
        if len(colors) < len(names):
            msg = f"`palette` has {len(colors)} colours for {len(names)} classes. Give as many, or none."
            raise InputError(msg)
    if wrong := [one for one in colors if not mpl.colors.is_color_like(one)]:
        msg = f"`palette` holds {shorten(wrong)}, which matplotlib does not know as colours."
        raise InputError(msg)
    return colors[: len(names)]
