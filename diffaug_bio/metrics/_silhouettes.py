"""Silhouettes of some rows against all, in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio.matrix.sample import sample_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_VALUES = 2**23  # distances held at once: 64 MB
_MAX_ROWS = 5000  # rows whose silhouettes are averaged; distances are to all rows


def silhouette_batch(
    embedding: NDArray[np.floating],
    batches: NDArray[np.str_],
    labels: NDArray[np.str_],
    *,
    random_state: int = 0,
) -> float:
    """Compute the average silhouette width of batches within labels, scaled so that 1 is mixed.

    The score is 1 minus the absolute silhouette of a row in its batch, averaged over the rows of each
    label, and then over labels. Labels of one batch, or with each row in its own batch, are left out.

    Parameters
    ----------
    embedding
        Shape: `(n_obs, n_latent)`.
    batches, labels
        Batch and label of each row; some label has to occur in two batches. Shape: `(n_obs,)`.
    random_state
        Seed of the sample of at most 5000 rows of a label.

    Returns
    -------
    Score from 0 to 1, as `silhouette_batch` of scib-metrics 0.6 (Luecken et al. 2022, Nature Methods 19,
    41-50).
    """
    check_seed(random_state)
    means = []
    for label in np.unique(labels):
        inside = labels == label
        part, codes = embedding[inside], np.unique(batches[inside], return_inverse=True)[1]
        if 1 < codes.max() + 1 < len(part):
            rows = sample_rows(len(part), _MAX_ROWS, seed=random_state)
            means.append(np.mean(1 - np.abs(_silhouettes(part, codes, rows))))
    return float(np.mean(means))


def silhouette_label(
    embedding: NDArray[np.floating], labels: NDArray[np.str_], *, random_state: int = 0
) -> float:
    """Compute the average silhouette width of labels, scaled to [0, 1], as in scib-metrics 0.6.

    Parameters
    ----------
    embedding, labels
        Rows `(n_obs, n_latent)`, and the label of each.
    random_state
        Seed of the sample of at most 5000 rows.
    """
    check_seed(random_state)
    codes = np.unique(labels, return_inverse=True)[1]
    rows = sample_rows(len(codes), _MAX_ROWS, seed=random_state)
    return float((np.mean(_silhouettes(embedding, codes, rows)) + 1) / 2)


def isolated_silhouette(
    embedding: NDArray[np.floating],
    labels: NDArray[np.str_],
    isolated: NDArray[np.str_],
    *,
    random_state: int = 0,
) -> float:
    """Compute the average silhouette width of isolated labels, scaled to [0, 1].

    Mean over these labels of the mean over at most 5000 of their rows, as `isolated_labels` of scib-metrics
    0.6.
    """
    codes = np.unique(labels, return_inverse=True)[1]
    means = []
    for label in isolated:
        inside = np.flatnonzero(labels == label)
        rows = inside[sample_rows(len(inside), _MAX_ROWS, seed=random_state)]
        means.append((np.mean(_silhouettes(embedding, codes, rows)) + 1) / 2)
    return float(np.mean(means))


def _silhouettes(
    embedding: NDArray[np.floating], codes: NDArray[np.intp], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the silhouettes of `rows`, each against all rows; 0 for the only row of a class."""
    from sklearn.metrics.pairwise import euclidean_distances

    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    values = np.asarray(embedding, np.float64)
    values = values - values.mean(0)  # near 0 less of a distance is lost to rounding
    by_class = values[order]
    silhouettes = np.empty(len(rows))
    step = max(1, _BLOCK_VALUES // len(values))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        distances = euclidean_distances(values[block], by_class)
        sums = np.add.reduceat(distances, starts, axis=1)  # (n_rows, n_classes)
        own = codes[block]
        inside = sums[np.arange(len(block)), own] / np.maximum(counts[own] - 1, 1)
        means = sums / counts
        means[np.arange(len(block)), own] = np.inf
        outside = means.min(1)
        widest = np.maximum(inside, outside)
        is_defined = (counts[own] > 1) & (widest > 0)
        silhouettes[start : start + step] = np.where(
            is_defined, (outside - inside) / np.where(is_defined, widest, 1), 0
        )
    return silhouettes
