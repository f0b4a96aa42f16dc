"""Variance between batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pcr_comparison(
    before: NDArray[np.floating], after: NDArray[np.floating], batches: NDArray[np.str_]
) -> float:
    """Compute the share of the variance between batches that is gone: principal component regression.

    The R² of all principal components on batches, weighted by their variances (Büttner et al. 2019, Nature
    Methods 16, 43-49), is the share of the variance that lies between batches, which needs no components.

    Parameters
    ----------
    before
        Rows before integration, such as principal components. Shape: `(n_obs, n_vars)`.
    after
        The same rows after integration. Shape: `(n_obs, n_latent)`.
    batches
        Batch of each row. Shape: `(n_obs,)`.

    Returns
    -------
    Score from 0 (as much variance as before) to 1 (none left), as `pcr_comparison` of scib-metrics 0.6.

    Examples
    --------
    >>> import numpy as np
    >>> from diffaug_bio import metrics
    >>> before = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> batches = np.array(["a", "a", "b", "b"])
    >>> metrics.pcr_comparison(before, before - [[0], [0], [4], [4]], batches)
    1.0
    """
    first, last = _between(before, batches), _between(after, batches)
    if first == 0:
        return float(last == 0)
    return max(0.0, (first - last) / first)


def _between(rows: NDArray[np.floating], batches: NDArray[np.str_]) -> float:
    """Return the share of the variance that lies between batches; 0 if all rows are equal."""
    codes = np.unique(batches, return_inverse=True)[1]
    values = np.asarray(rows, np.float64)
    values = values - values.mean(0)
    total = float(np.square(values).sum())
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(values[order], starts, axis=0)
    return float((np.square(sums).sum(1) / counts).sum() / total) if total > 0 else 0.0
