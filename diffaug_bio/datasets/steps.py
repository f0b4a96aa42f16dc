"""Preparation steps that a recipe may name: an AnnData in, the same one changed or another one out.

Steps see all rows, test rows included, as the loaders of papers do. Where ranges of values, principal
components or the choice of features must not depend on test rows, leave such steps out: fitting a model has
its own preprocessing. Keywords are `str`, `int`, `float`, `bool`, `Literal`, one of them `| None`, or
`tuple[..., ...]` of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

from diffaug_bio._checks import check_held, check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.matrix.validation import as_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from anndata import AnnData

    from diffaug_bio.matrix.blocks import Matrix

_FEW_FEATURES = 4096  # up to this number their covariance is small, and gives exact components


def divide(adata: AnnData, *, by: float) -> AnnData:
    """Divide all values by a number; `.X` becomes float32, and stays sparse."""
    matrix = _matrix(adata, "divide")
    if by == 0:
        msg = "`by` is 0. Give another number to divide by."
        raise InputError(msg)
    divided = matrix.astype(np.float32)
    values = divided.data if sparse.issparse(divided) else divided
    values /= np.float32(by)
    adata.X = divided
    return adata


def drop_small_classes(adata: AnnData, *, key: str, min_obs: int) -> AnnData:
    """Drop rows of classes with fewer than `min_obs` rows, and rows without a class."""
    column = _column(adata, key)
    counts = column.value_counts()
    kept = column.isin(counts.index[counts >= min_obs]).to_numpy()
    if not kept.any():
        msg = f"No class in `.obs[{key!r}]` has {min_obs} rows; the largest has {counts.max()}."
        raise InputError(msg)
    return adata if kept.all() else adata[kept].copy()


def keep_features_seen_in(adata: AnnData, *, more_than: int) -> AnnData:
    """Keep features that are not 0 in more than `more_than` rows; missing values count as 0."""
    if more_than < 0:
        msg = f"`more_than` must be 0 or more, got {more_than}."
        raise InputError(msg)
    n_seen = np.zeros(adata.n_vars, np.int64)
    for _, block in row_blocks(_matrix(adata, "keep_features_seen_in")):
        if sparse.issparse(block):
            rows = block.tocsr()
            rows.sum_duplicates()
            seen = (rows.data != 0) & ~np.isnan(rows.data)
            n_seen += np.bincount(rows.indices[seen], minlength=adata.n_vars)
        else:
            n_seen += ((block != 0) & ~np.isnan(block)).sum(0)
    kept = n_seen > more_than
    if not kept.any():
        msg = (
            f"No feature differs from 0 in more than {more_than} of the {adata.n_obs} rows; the most "
            f"frequent one does in {n_seen.max(initial=0)}."
        )
        raise InputError(msg)
    return adata if kept.all() else adata[:, kept].copy()


def min_max(
    adata: AnnData, *, low: float = 0.0, high: float = 1.0, over: Literal["features", "matrix"] = "features"
) -> AnnData:
    """Scale values to a range; `.X` becomes dense and float32, and missing values stay.

    Each feature gets a range of its own, or the whole `"matrix"` one; constants become `low`. Refuses
    infinite values.
    """
    matrix = _matrix(adata, "min_max")
    if not low < high:
        msg = f"`high` must be above `low`, got {low} and {high}."
        raise InputError(msg)
    smallest, largest = np.full(adata.n_vars, np.inf), np.full(adata.n_vars, -np.inf)
    for _, block in row_blocks(matrix):
        values = (block.toarray() if sparse.issparse(block) else block).astype(np.float64)
        if np.isinf(values).any():
            msg = "A value is infinite, so that there is no range to scale. Replace it first."
            raise InputError(msg)
        np.fmin(smallest, np.fmin.reduce(values, axis=0), out=smallest)
        np.fmax(largest, np.fmax.reduce(values, axis=0), out=largest)
    if over == "matrix":
        smallest = np.full_like(smallest, smallest.min(initial=np.inf))
        largest = np.full_like(largest, largest.max(initial=-np.inf))
    span = np.where(largest > smallest, largest - smallest, 1.0)  # features without values keep none
    scaled = np.empty(matrix.shape, np.float32)
    for rows, block in row_blocks(matrix):
        values = block.toarray() if sparse.issparse(block) else block
        scaled[rows] = low + (values.astype(np.float64) - smallest) / span * (high - low)
    adata.X = np.clip(scaled, low, high, out=scaled)  # rounding to float32 may leave the range
    return adata


def number_rows(adata: AnnData) -> AnnData:
    """Name rows by their number from 0, where their own names repeat or mean nothing."""
    adata.obs_names = [str(number) for number in range(adata.n_obs)]
    return adata


def principal_components(adata: AnnData, *, n: int) -> AnnData:
    """Replace the features by the scores on the first `n` principal components.

    They are components of all rows, test rows included, to reproduce papers: fitting a model computes
    components of its own rows. Features, centred and not scaled, become `PC1`, `PC2`, ... in float32.
    Refuses missing and infinite values.
    """
    from anndata import AnnData
    from sklearn.decomposition import PCA

    matrix = _matrix(adata, "principal_components")
    most = min(adata.shape)
    if not 1 <= n <= most:
        msg = f"{adata.n_obs} rows of {adata.n_vars} features have 1 to {most} components, not {n}."
        raise InputError(msg)
    if not np.isfinite(matrix.data if sparse.issparse(matrix) else matrix).all():
        msg = "Principal components need values that are not missing or infinite. Fill them in first."
        raise InputError(msg)
    if adata.n_vars <= _FEW_FEATURES:
        solver = "covariance_eigh"
    else:
        solver = "arpack" if n < most else "full"
        matrix = matrix.toarray() if sparse.issparse(matrix) and solver == "full" else matrix
    scores = PCA(n_components=n, svd_solver=solver, random_state=0).fit_transform(matrix)
    prepared = AnnData(X=np.ascontiguousarray(scores, np.float32), obs=adata.obs)
    prepared.var_names = [f"PC{number}" for number in range(1, n + 1)]
    return prepared


def rename_labels(adata: AnnData, *, key: str, old: tuple[str, ...], new: tuple[str, ...]) -> AnnData:
    """Rename values of a column; values that are not listed keep their names.

    The column becomes categories of text. Some `old` values may be missing from the data, not all; those
    with the same new name are merged.
    """
    if len(old) != len(new):
        msg = f"`old` lists {len(old)} values, `new` {len(new)} names. Give one name for each value."
        raise InputError(msg)
    check_unique(old, what="values in `old`", remedy="List each of them once.")
    column = _column(adata, key)
    texts = column.astype(str)
    if old and not texts.isin(old).any():
        msg = f"No row has {old[0]!r} in `.obs[{key!r}]`; it holds {shorten(sorted(set(texts)))}."
        raise InputError(msg)
    names = dict(zip(old, new, strict=True))
    renamed = texts.map(lambda text: names.get(text, text)).where(column.notna().to_numpy())
    adata.obs[key] = renamed.astype("category")
    return adata


def _matrix(adata: AnnData, step: str) -> Matrix:
    """Return `.X`, dense or CSR; refuse images that stay on disk."""
    if adata.X is None:
        msg = f"The step {step!r} needs values in memory, and `.X` is empty: these images stay on disk."
        raise InputError(msg)
    return as_matrix(adata.X)


def _column(adata: AnnData, key: str) -> pd.Series:
    """Look up a column of `.obs`."""
    check_held(key, adata.obs, what="column", where="`.obs`")
    column: pd.Series = adata.obs[key]
    return column


STEPS: dict[str, Callable[..., AnnData]] = {
    step.__name__: step
    for step in (
        divide,
        drop_small_classes,
        keep_features_seen_in,
        min_max,
        number_rows,
        principal_components,
        rename_labels,
    )
}
"""Names that `[[steps]]` of a recipe may use, and their functions."""
