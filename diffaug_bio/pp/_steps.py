"""Preparation steps that a recipe may name.

A step takes an AnnData and keywords, and returns an AnnData: the same one changed, or another. The keywords
are what `[[steps]]` of a recipe may hold, and are checked against their annotations: `str`, `int`, `float`,
`bool`, `Literal`, one of them `| None`, or `tuple[..., ...]` of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

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
    if key not in adata.obs:
        msg = f"There is no column {key!r} in `.obs`; it holds {', '.join(adata.obs) or 'none'}."
        raise InputError(msg)
    counts = adata.obs[key].value_counts()
    kept = adata.obs[key].isin(counts.index[counts >= min_obs]).to_numpy()
    if not kept.any():
        msg = f"No class in `.obs[{key!r}]` has {min_obs} rows; the largest has {counts.max()}."
        raise InputError(msg)
    return adata if kept.all() else adata[kept].copy()


STEPS: dict[str, Callable[..., AnnData]] = {"drop_small_classes": drop_small_classes}
"""What `[[steps]] name` may be."""
