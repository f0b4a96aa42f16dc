"""Choice of highly variable features by their means and variances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_BINS = 20


def highly_variable(
    mean: NDArray[np.float64], variance: NDArray[np.float64], *, n_top: int
) -> NDArray[np.intp]:
    """Choose the features of highest dispersion for their mean (Satija et al. 2015).

    Same result as `scanpy.pp.highly_variable_genes(flavor="seurat")`, which needs a copy of the matrix in
    memory; means and variances (normalised to library size, not logged) can be computed block by block.
    Returns column numbers in ascending order, at most `n_top`; constant features are left out.
    """
    varying = np.flatnonzero((mean > 0) & (variance > 0))
    # Bins span all features, also those never detected, as in scanpy.
    bounds = np.log1p(mean.min()), np.log1p(mean.max())
    log_mean = np.log1p(mean[varying])
    log_dispersion = np.log(variance[varying] / mean[varying])
    edges = np.linspace(*bounds, _N_BINS + 1)
    bins = np.clip(np.digitize(log_mean, edges[1:-1], right=True), 0, _N_BINS - 1)
    score = np.empty(len(varying))
    for bin_ in np.unique(bins):
        inside = bins == bin_
        dispersions = log_dispersion[inside]
        # A feature alone in its bin cannot be compared and scores 1, as in Seurat.
        if len(dispersions) == 1 or (deviation := dispersions.std(ddof=1)) == 0:
            score[inside] = 1.0
        else:
            score[inside] = (dispersions - dispersions.mean()) / deviation
    best = np.argsort(-score, kind="stable")[:n_top]
    return np.sort(varying[best])
