"""Preparation steps about rows and their labels; see :mod:`diffaug_bio.pp._steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._checks import check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def drop_small_classes(adata: AnnData, *, key: str, min_obs: int) -> AnnData:
    """Drop rows of classes that have few rows, and rows without a class.

    Parameters
    ----------
    adata
        Rows are observations.
    key
        Column of `.obs` with the classes.
    min_obs
        Classes with fewer rows are dropped.

    Raises
    ------
    InputError
        If there is no such column, or no class has as many rows.
    """
    column = _column(adata, key)
    counts = column.value_counts()
    kept = column.isin(counts.index[counts >= min_obs]).to_numpy()
    if not kept.any():
        msg = f"No class in `.obs[{key!r}]` has {min_obs} rows; the largest has {counts.max()}."
        raise InputError(msg)
    return adata if kept.all() else adata[kept].copy()


def keep_rows(adata: AnnData, *, key: str, values: tuple[str, ...]) -> AnnData:
    """Keep the rows that have one of several values in a column.

    Parameters
    ----------
    adata
        Rows are observations.
    key
        Column of `.obs`.
    values
        The values, as text.

    Raises
    ------
    InputError
        If there is no such column, or a value is not in it.
    """
    texts = _column(adata, key).astype(str)
    _check_known(texts, key, values)
    kept = texts.isin(values).to_numpy()
    return adata if kept.all() else adata[kept].copy()


def rename_labels(adata: AnnData, *, key: str, old: tuple[str, ...], new: tuple[str, ...]) -> AnnData:
    """Give the values of a column other names; those that are not listed keep theirs.

    Parameters
    ----------
    adata
        Rows are observations.
    key
        Column of `.obs`; text and categories afterwards.
    old
        Values as they are, as text. Some may be missing from the data.
    new
        Their names, in the same order. Values with the same name become one.

    Raises
    ------
    InputError
        If there is no such column, it has none of the values, one is listed twice, or there are more or
        fewer names than values.
    """
    if len(old) != len(new):
        msg = f"`old` lists {len(old)} values, `new` {len(new)} names. Give one name for each."
        raise InputError(msg)
    check_unique(old, what="values in `old`", remedy="List each of them once.")
    column = _column(adata, key)
    texts = column.astype(str)
    if not texts.isin(old).any():
        _check_known(texts, key, old)
    names = dict(zip(old, new, strict=True))
    renamed = texts.map(lambda text: names.get(text, text)).where(column.notna().to_numpy())
    adata.obs[key] = renamed.astype("category")
    return adata


def number_rows(adata: AnnData) -> AnnData:
    """Name rows by their number from 0, where their own names are repeated or mean nothing.

    Parameters
    ----------
    adata
        Rows are observations.
    """
    adata.obs_names = [str(number) for number in range(adata.n_obs)]
    return adata


def _column(adata: AnnData, key: str) -> pd.Series:
    """Look up a column of `.obs`."""
    if key not in adata.obs:
        msg = f"There is no column {key!r} in `.obs`; it holds {', '.join(adata.obs) or 'none'}."
        raise InputError(msg)
    column: pd.Series = adata.obs[key]
    return column


def _check_known(texts: pd.Series, key: str, values: tuple[str, ...]) -> None:
    """Refuse values that no row has."""
    known = sorted(set(texts))
    if unknown := [value for value in values if value not in known]:
        msg = f"No row has {unknown[0]!r} in `.obs[{key!r}]`; it holds {shorten(known)}."
        raise InputError(msg)
