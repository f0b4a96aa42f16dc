"""Novelty: how far new rows are from the training rows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio.mapping.neighbors import centered, nearest, nearest_others

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.mapping.reference import Reference

logger = logging.getLogger(__name__)

_N_DISTANCE, _N_DENSITY = 5, 10
_LEAST_ROWS = 50  # fewer say little of a density
_N_POOLED = 20_000  # rows of a query among which its own neighbours are looked for
_USUAL_SHARE = 0.99  # of the training rows, which are nearer than the limit


class Novelty(NamedTuple):
    """Novelty of each new row, by three scores; higher is less like the training rows."""

    distance: NDArray[np.float32]
    """Mean distance to the 5 nearest training rows, in units of the median among training
    rows. Shape: `(n_obs,)`."""
    denoising: NDArray[np.float32] | None
    """Error of the diffusion model, in units of its median over training rows; None without one.
    Shape: `(n_obs,)`."""
    density: NDArray[np.float32]
    """Log ratio of the density of new rows to that of training rows; 0 for the same population.
    Shape: `(n_obs,)`."""
    limit: float
    """99th percentile of the distance among training rows."""

    @property
    def n_far(self) -> int:
        """Number of rows whose distance is above the limit."""
        return int((self.distance > self.limit).sum())


def compare(
    rows: NDArray[np.float32], reference: Reference, *, denoising: NDArray[np.float32] | None = None
) -> Novelty:
    """Score the novelty of new rows.

    Parameters
    ----------
    rows
        Embedding of the new rows, without batch correction. Shape: `(n_rows, n_latent)`.
    reference
        Training rows that the model keeps (`DiffAug.reference_`).
    denoising
        Error of the diffusion model for each row, if there is one. Shape: `(n_rows,)`.
    """
    query, known = centered(rows, reference.embedding)
    to_known = nearest(query, known, min(_N_DENSITY, len(known)))[0]
    n_neighbors = min(_N_DISTANCE, len(known) - 1)
    own = nearest_others(known, n_neighbors)[0]
    usual = own.mean(1)
    scale = _typical(usual)
    errors = None
    if denoising is not None and reference.denoising is not None:
        errors = (denoising / _typical(reference.denoising)).astype(np.float32)
    return Novelty(
        distance=(to_known[:, :n_neighbors].mean(1) / scale).astype(np.float32),
        denoising=errors,
        density=_density_ratio(query, known, to_known, own[:, 0]),
        limit=float(np.quantile(usual / scale, _USUAL_SHARE)),
    )


def relative_distance(
    rows: NDArray[np.floating], reference: NDArray[np.floating], *, n_neighbors: int = _N_DISTANCE
) -> NDArray[np.float32]:
    """Compute the mean distance to the nearest reference rows, over the median among reference rows.

    1 is typical of training rows, 2 is twice as far. Shape: `(n_rows,)`. The value of a row depends on no
    other new row.
    """
    query, known = centered(rows, reference)
    n_neighbors = min(n_neighbors, len(known) - 1)
    usual = nearest_others(known, n_neighbors)[0].mean(1)
    distances = nearest(query, known, n_neighbors)[0].mean(1)
    return np.asarray(distances / _typical(usual), np.float32)


def density_ratio(
    rows: NDArray[np.floating],
    reference: NDArray[np.floating],
    *,
    n_neighbors: int = _N_DENSITY,
    n_pooled: int = _N_POOLED,
) -> NDArray[np.float32]:
    """Compute the log ratio of the density of new rows to that of the reference. Shape: `(n_rows,)`.

    The estimate uses distances to nearest neighbours, as for divergences [1]_. High values mark groups of
    rows that the training data lack, as tests of differential abundance do for cells [2]_. With
    `d_reference` and `d_query` the mean distance of a row to its nearest reference rows and to its nearest
    other rows (among `n_pooled` drawn with a fixed seed, to bound the time),

        r = log((d_reference + e) / (d_query + e))

    where `e`, a tenth of the median distance of reference rows to their nearest, keeps the ratio finite for
    duplicates. The score of a row is the mean of its own `r` and of the mean `r` of its neighbours, minus
    the median `r` of a random part of the reference compared with the rest, in the same proportion: two
    samples of one population score 0. NaN, and a line in the log, if either side has fewer than 50 rows, or
    3 `n_neighbors`.

    .. [1] Wang, Kulkarni & Verdu (2009), IEEE Trans. Inf. Theory 55, 2392-2405.
    .. [2] Dann et al. (2022), Nat. Biotechnol. 40, 245-253.
    """
    query, known = centered(rows, reference)
    to_known = nearest(query, known, min(n_neighbors, len(known)))[0]
    own = nearest_others(known, 1)[0][:, 0]
    return _density_ratio(query, known, to_known, own, n_pooled=n_pooled)


def _density_ratio(
    query: NDArray[np.float64],
    known: NDArray[np.float64],
    to_known: NDArray[np.float64],
    own: NDArray[np.float64],
    *,
    n_pooled: int = _N_POOLED,
) -> NDArray[np.float32]:
    """Compute the score from distances to reference rows, and among reference rows."""
    n_neighbors = to_known.shape[1]
    least = max(_LEAST_ROWS, 3 * n_neighbors)
    if min(len(query), len(known)) < least:
        logger.info(
            "The density of new data is NaN: it needs %d rows, here and in training; there are %d and %d.",
            least,
            len(query),
            len(known),
        )
        return np.full(len(query), np.nan, np.float32)
    rng = np.random.default_rng(0)
    pool = _drawn(len(query), n_pooled, rng)
    offset = _typical(own) / 10
    distances, neighbors = nearest_others(query, n_neighbors, pool=pool)
    ratio = _log_ratio(to_known, distances, offset)
    # Split as query and reference are, for distances shrink as rows get more.
    share = len(pool) / (len(pool) + len(known))
    n_playing = int(np.clip(round(share * len(known)), n_neighbors + 1, len(known) - n_neighbors))
    order = rng.permutation(len(known))
    playing, others = known[order[:n_playing]], known[order[n_playing:]]
    usual = _log_ratio(
        nearest(playing, others, n_neighbors)[0], nearest_others(playing, n_neighbors)[0], offset
    )
    smoothed = (ratio + ratio[neighbors].mean(1)) / 2
    return np.asarray(smoothed - np.median(usual), np.float32)


def _log_ratio(
    to_reference: NDArray[np.float64], to_query: NDArray[np.float64], offset: float
) -> NDArray[np.float64]:
    return np.asarray(np.log((to_reference.mean(1) + offset) / (to_query.mean(1) + offset)))


def _typical(values: NDArray[np.floating]) -> float:
    """Return the median of distances; if it is 0, as among duplicates, the mean, or 1."""
    return float(np.median(values)) or float(np.mean(values)) or 1.0


def _drawn(n_rows: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return row numbers in order: all of them, or `most` drawn at random."""
    return np.arange(n_rows) if n_rows <= most else np.sort(rng.choice(n_rows, size=most, replace=False))
