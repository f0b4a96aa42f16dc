"""Scores of batch integration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_seed
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.metrics._batch_accuracy import batch_accuracy
from diffaug_bio.metrics._clusters import best_of_grid, leiden_grid
from diffaug_bio.metrics._connectivity import graph_connectivity
from diffaug_bio.metrics._isolated import isolated_f1, isolated_labels
from diffaug_bio.metrics._kbet import kbet
from diffaug_bio.metrics._lisi import clisi, ilisi
from diffaug_bio.metrics._nearest import find_neighbors
from diffaug_bio.metrics._silhouettes import isolated_silhouette, silhouette_batch, silhouette_label
from diffaug_bio.metrics._variance import pcr_comparison
from diffaug_bio.metrics.probes import N_NEIGHBORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONNECTIVITY_NEIGHBORS, _KBET_NEIGHBORS = 15, 50  # as in scib-metrics; LISI takes all 90
_MIXING_SHARE = 0.4


def integration(
    embedding: NDArray[np.float32],
    batches: NDArray[np.str_],
    labels: NDArray[np.str_],
    *,
    before: NDArray[np.floating] | None = None,
    random_state: int = 0,
) -> dict[str, float]:
    """Score the mixing of batches and the separation of labels as scIB does [1]_.

    Scores are from 0 to 1 (best), but for those of batch accuracy. They are those of scib-metrics 0.6 [2]_
    with its numbers of neighbours (15, 50 and 90, each row included) and its defaults, with these
    differences: neighbours are exact; silhouettes and kBET of more than 5000 rows are averaged over a
    sample; means use the scores of scIB (clusters at the best of several resolutions, `silhouette_batch`,
    `isolated_f1`), not k-means and BRAS. Totals published elsewhere are often scaled between the best and
    the worst method, and cannot be compared with these.

    Parameters
    ----------
    embedding
        Shape: `(n_obs, n_latent)`.
    batches
        Batch of each row; at least two, and some label in two of them. Shape: `(n_obs,)`.
    labels
        Label of each row; at least two. Shape: `(n_obs,)`.
    before
        The same rows before integration, such as principal components. Shape:
        `(n_obs, n_vars)`.
    random_state
        Seed of clusters and of samples of rows.

    Returns
    -------
    Mixing of batches: `graph_connectivity`, `silhouette_batch`, `ilisi`, `kbet`, with `before` also
    `pcr_comparison`; `batch_mixing`, their mean. Separation of labels: `clisi`, `silhouette_label`,
    `best_of_grid_nmi` and `best_of_grid_ari` (highest agreement of Leiden clusters at any resolution),
    `isolated_silhouette`, `isolated_f1`; `bio_conservation`, their mean. `integration_total` is 0.4 of the
    former mean and 0.6 of the latter.

    `batch_knn_accuracy` is the share of rows whose 11 nearest neighbours vote for their batch, and
    `batch_chance` the share that naming the most frequent batch of each label gets right, where perfect
    mixing leads.

    Raises
    ------
    InputError
        If lengths differ, there are fewer than two batches or labels, or no label of eleven rows or more
        occurs in two batches.

    References
    ----------
    .. [1] Luecken et al. (2022), Nature Methods 19, 41-50.
    .. [2] https://scib-metrics.readthedocs.io

    Examples
    --------
    >>> import numpy as np
    >>> from diffaug_bio import metrics
    >>> labels = np.repeat(["B cell", "T cell"], 40)
    >>> batches = np.tile(["day 1", "day 2"], 40)
    >>> noise = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)
    >>> scores = metrics.integration(noise + 20 * (labels == "B cell")[:, None], batches, labels)
    >>> scores["bio_conservation"] > 0.9, scores["batch_mixing"] > 0.9
    (True, True)
    """
    check_seed(random_state)
    _check(embedding, batches, labels, before)
    neighbors = find_neighbors(embedding)
    mixing = {
        "graph_connectivity": graph_connectivity(neighbors.first(_CONNECTIVITY_NEIGHBORS), labels),
        "silhouette_batch": silhouette_batch(embedding, batches, labels, random_state=random_state),
        "ilisi": ilisi(neighbors, batches),
        "kbet": kbet(neighbors.first(_KBET_NEIGHBORS), batches, labels, random_state=random_state),
    }
    if before is not None:
        mixing["pcr_comparison"] = pcr_comparison(before, embedding, batches)
    isolated, grid = isolated_labels(batches, labels), leiden_grid(embedding, random_state=random_state)
    conserved = {
        "clisi": clisi(neighbors, labels),
        "silhouette_label": silhouette_label(embedding, labels, random_state=random_state),
        **best_of_grid(grid, labels),
        "isolated_silhouette": isolated_silhouette(embedding, labels, isolated, random_state=random_state),
        "isolated_f1": isolated_f1(grid, labels, isolated),
    }
    batch_mixing, conservation = (float(np.mean(list(part.values()))) for part in (mixing, conserved))
    return {
        **mixing,
        **conserved,
        **batch_accuracy(neighbors.first(N_NEIGHBORS + 1), batches, labels),
        "batch_mixing": batch_mixing,
        "bio_conservation": conservation,
        "integration_total": _MIXING_SHARE * batch_mixing + (1 - _MIXING_SHARE) * conservation,
    }


def _check(
    embedding: NDArray[np.float32],
    batches: NDArray[np.str_],
    labels: NDArray[np.str_],
    before: NDArray[np.floating] | None,
) -> None:
    """Refuse batches and labels for which scores are not defined."""
    lengths = {"batches": len(batches), "labels": len(labels)}
    if before is not None:
        lengths["rows before"] = len(before)
    if wrong := [f"{length} {name}" for name, length in lengths.items() if length != len(embedding)]:
        msg = f"There are {' and '.join(wrong)} for {len(embedding)} rows; give one for each row."
        raise InputError(msg)
    for what, names in (("batch", np.unique(batches)), ("label", np.unique(labels))):
        if len(names) < 2:
            msg = (
                f"Integration cannot be scored: all rows are of one {what}, {shorten(names) or 'none'}. "
                "Choose a column that tells two or more apart."
            )
            raise InputError(msg)
    of_label = [batches[labels == label] for label in np.unique(labels)]
    if not any(len(found) > 10 and 1 < len(np.unique(found)) < len(found) for found in of_label):
        msg = (
            "Integration cannot be scored: no label of eleven rows or more occurs in two batches, and in "
            "fewer than it has rows, so that nothing tells a batch from a label. Choose other columns."
        )
        raise InputError(msg)
