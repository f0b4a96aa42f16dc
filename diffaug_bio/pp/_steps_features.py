"""Preparation steps that change which features there are; see :mod:`diffaug_bio.pp._steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.errors import InputError
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.pp._steps_values import check_matrix

if TYPE_CHECKING:
    from anndata import AnnData

_FEW_FEATURES = 4096  # up to here their covariance is small, and gives exact components


def keep_features_seen_in(adata: AnnData, *, more_than: int) -> AnnData:
    """Keep features that are not 0 in more than so many rows; missing values are not seen.

    All rows are counted: see :mod:`diffaug_bio.pp._steps` on rows to test with.

    Parameters
    ----------
    adata
        Rows are observations.
    more_than
        Features that are not 0 in so many rows, or in fewer, are dropped.

    Raises
    ------
    InputError
        If no feature is left, or the number is below 0.
    """
    if more_than < 0:
        msg = f"`more_than` has to be 0 or more, got {more_than}."
        raise InputError(msg)
    matrix = check_matrix(adata, "keep_features_seen_in")
    n_seen = np.zeros(adata.n_vars, np.int64)
    for _, block in row_blocks(matrix):
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
            f"No feature is seen in more than {more_than} of the {adata.n_obs} rows; the most frequent one "
            f"is in {n_seen.max(initial=0)}."
        )
        raise InputError(msg)
    return adata if kept.all() else adata[:, kept].copy()


def principal_components(adata: AnnData, *, n: int) -> AnnData:
    """Put scores on the first principal components in the place of the features.

    The components are those of all rows, test rows as well, which is what loaders of papers do: scores of
    test rows are then not those that a model would give to new data. Fitting has a front end of its own
    that is learnt from its rows; this step is there to reproduce papers.

    Parameters
    ----------
    adata
        Rows are observations. Features are centred, and not scaled.
    n
        Number of components.

    Returns
    -------
    Another AnnData with the same rows, whose features are `PC1`, `PC2`, ... in float32.

    Raises
    ------
    InputError
        If there are not as many rows and features, or values are missing or infinite.
    """
    from anndata import AnnData
    from sklearn.decomposition import PCA

    matrix = check_matrix(adata, "principal_components")
    most = min(adata.shape)
    if not 1 <= n <= most:
        msg = f"{adata.n_obs} rows of {adata.n_vars} features have 1 to {most} components, not {n}."
        raise InputError(msg)
    if not np.isfinite(matrix.data if sparse.issparse(matrix) else matrix).all():
        msg = "Rows with missing or infinite values have no principal components. Fill them in first."
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
