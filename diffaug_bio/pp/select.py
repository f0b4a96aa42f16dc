"""Choosing highly variable features from means and variances alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_BINS = 20


def highly_variable(
    mean: NDArray[np.float64], variance: NDArray[np.float64], *, n_top: int
) -> NDArray[np.intp]:
    """Rank features by dispersion among features of a like mean (Satija et al. 2015).

    The result is that of `scanpy.pp.highly_variable_genes(flavor="seurat")`, which needs the whole
    matrix in memory once more; here two moments suffice, and a pass in blocks gives them.

    Parameters
    ----------
    mean, variance
        Of each feature's values, normalised to library size but not logged. Shape: `(n_vars,)`.
    n_top
        Number of features to keep.

    Returns
    -------
    Column numbers in ascending order, at most `n_top`; features that never vary are left out.
    """
    varying = np.flatnonzero((mean > 0) & (variance > 0))
    # Bins span all features, those that were never seen as well: so does scanpy's flavor.
    bounds = np.log1p(mean.min()), np.log1p(mean.max())
    log_mean = np.log1p(mean[varying])
    log_dispersion = np.log(variance[varying] / mean[varying])
    edges = np.linspace(*bounds, _N_BINS + 1)
    bins = np.clip(np.digitize(log_mean, edges[1:-1], right=True), 0, _N_BINS - 1)
    score = np.empty(len(varying))
    for bin_ in np.unique(bins):
        inside = bins == bin_
        dispersions = log_dispersion[inside]
        # A feature alone in its bin has no spread to be compared with: it scores 1, as in Seurat.
        if len(dispersions) == 1 or (deviation := dispersions.std(ddof=1)) == 0:
            score[inside] = 1.0
        else:
            score[inside] = (dispersions - dispersions.mean()) / deviation
    best = np.argsort(-score, kind="stable")[:n_top]
    return np.sort(varying[best])
