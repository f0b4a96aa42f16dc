"""Matching rows (of the same kind) in other batches."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.mapping.correct import mutual_neighbor_shift
from diffaug_bio.mapping.neighbors import nearest_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_MOST_LANDMARKS = 2000  # rows of a batch that are searched: time is linear in the rows
_FEW_ROWS = 11  # a batch of fewer has too few neighbours
_NEIGHBORHOOD = 0.1  # share of a batch that counts as around a row
_LEAST_NEIGHBORHOOD = 20
_UNSURE, _SURE = 0.15, 0.35  # shares of mutual neighbours of confidence 0 and 1
_N_SMOOTH, _N_SHIFT = 15, 30  # neighbours over which confidence and shift are averaged
_BLOCK_VALUES = 2**23  # values held at once: 32 MB


class Partners(NamedTuple):
    """Matches of each row in other batches."""

    rows: NDArray[np.int64]
    """Row numbers of matches; the row itself if it has none. Shape: `(n_obs, n_partners)`."""
    confidence: NDArray[np.float32]
    """Confidence in the matches, from 0 (no similar row in any other batch) to 1. Shape: `(n_obs,)`."""
    shift: NDArray[np.float32]
    """Batch shift of the row: the mean difference to its matches. Shape: `(n_obs, n_components)`."""


def find_partners(
    scores: NDArray[np.float32],
    batches: NDArray[np.str_],
    *,
    n_neighbors: int = 10,
    n_partners: int = 20,
    seed: int = 0,
) -> Partners:
    """Find rows of the same kind in other batches; rows of a kind that one batch lacks get no match there.

    Batches are first aligned roughly by :func:`mutual_neighbor_shift`, each to all larger ones. Candidates
    are the `n_neighbors` nearest of a row in another batch, and each is checked in the other direction: how
    many of its nearest neighbours in the batch of the row are among the tenth of that batch around the row
    (mutual neighbours)? Confidence is the share of mutual neighbours, averaged over the neighbourhood of
    the row: 0 below a share of 0.15, and 1 from 0.35. `n_partners` matches are drawn by it with repeats,
    batch by batch and then row by row.

    At most 2000 rows of each batch, drawn at random, are searched: time grows with rows times batches.
    `scores` are principal components `(n_obs, n_components)`; a single batch is refused.
    """
    if len(scores) != len(batches):
        msg = f"There are {len(batches)} batches for {len(scores)} rows; give one for each row."
        raise InputError(msg)
    names, sizes = np.unique(batches, return_counts=True)
    if len(names) < 2:
        msg = f"All {len(scores)} rows are of one batch, {str(names[0])!r}. Leave the batches out."
        raise InputError(msg)
    if small := [str(name) for name, size in zip(names, sizes, strict=True) if size < _FEW_ROWS]:
        logger.warning(
            "Batches of fewer than %d rows are left as they are: %s.", _FEW_ROWS, ", ".join(small)
        )
    order = names[np.argsort(-sizes, kind="stable")]
    members = [np.flatnonzero(batches == name) for name in order if (batches == name).sum() >= _FEW_ROWS]
    rng = np.random.default_rng([seed, 9])
    landmarks = [np.sort(rng.permutation(rows)[:_MOST_LANDMARKS]) for rows in members]
    moved = _brought_together(scores, members, landmarks)
    rows = np.tile(np.arange(len(scores))[:, None], n_partners)
    confidence = np.zeros(len(scores), np.float32)
    shift = np.zeros_like(scores, dtype=np.float32)
    for number, own in enumerate(members):
        drawn = _Drawn(own, n_partners)
        around = _around(moved, own, landmarks[number])
        for other in _others(landmarks, number):
            drawn.add(
                *_ways_back(moved, own, landmarks[number], other, around=around, n_neighbors=n_neighbors),
                rng=rng,
            )
        found = drawn.confidence > 0
        rows[own[found]], confidence[own] = drawn.partners[found], drawn.confidence
        shift[own] = _shift(scores, own, landmarks[number], drawn, around=around)
    logger.info(
        "%d batches: %.0f %% of the rows have a similar row in another batch.",
        len(names),
        100 * float((confidence > 0).mean()),
    )
    return Partners(rows, confidence, shift)


class _Drawn:
    """Matches of the rows of one batch, drawn from one other batch after the other.

    Each match comes from the batch that wins an exponential race with its confidence as the rate, which
    chooses batches in proportion to confidence without holding all candidates.
    """

    def __init__(self, own: NDArray[np.int64], n_partners: int) -> None:
        self.partners = np.tile(own[:, None], n_partners)
        self.confidence = np.zeros(len(own), np.float32)
        self._arrival = np.full(self.partners.shape, np.inf)

    def add(
        self,
        candidates: NDArray[np.int64],
        weights: NDArray[np.float64],
        confidence: NDArray[np.float64],
        *,
        rng: np.random.Generator,
    ) -> None:
        """Let the candidates of another batch, with their shares of mutual neighbours, compete."""
        shares = np.cumsum(weights + 1e-6, axis=1)
        ticket = rng.random(self.partners.shape) * shares[:, -1:]
        place = (ticket[:, :, None] > shares[:, None]).sum(2).clip(max=candidates.shape[1] - 1)
        with np.errstate(divide="ignore"):
            arrival = rng.exponential(size=self.partners.shape) / confidence[:, None]
        first = arrival < self._arrival
        self.partners[first] = np.take_along_axis(candidates, place, 1)[first]
        self._arrival[first] = arrival[first]
        self.confidence = np.maximum(self.confidence, confidence.astype(np.float32))


def _others(landmarks: list[NDArray[np.int64]], number: int) -> Iterator[NDArray[np.int64]]:
    """Return the landmarks of all other batches."""
    return (rows for other, rows in enumerate(landmarks) if other != number)


def _brought_together(
    scores: NDArray[np.float32], members: list[NDArray[np.int64]], landmarks: list[NDArray[np.int64]]
) -> NDArray[np.float32]:
    """Move each batch towards the larger ones before it."""
    moved = scores.astype(np.float32)
    for number in range(1, len(members)):
        reference = np.concatenate(landmarks[:number])
        moved[members[number]] = mutual_neighbor_shift(moved[members[number]], moved[reference], n_rounds=1)
    return moved


def _around(
    moved: NDArray[np.float32], own: NDArray[np.int64], landmarks: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the nearest landmarks of the own batch. Shape: `(n_own, n_around)`."""
    n_around = min(len(landmarks) - 1, max(_LEAST_NEIGHBORHOOD, int(_NEIGHBORHOOD * len(landmarks))))
    return nearest_numbers(moved[own], moved[landmarks], n_around + 1)


def _ways_back(
    moved: NDArray[np.float32],
    own: NDArray[np.int64],
    landmarks: NDArray[np.int64],
    other: NDArray[np.int64],
    *,
    around: NDArray[np.int64],
    n_neighbors: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return candidates in another batch, their shares of mutual neighbours, and the confidence of rows."""
    there = nearest_numbers(moved[own], moved[other], min(n_neighbors, len(other)))
    back = nearest_numbers(moved[other], moved[landmarks], min(n_neighbors, len(landmarks)))
    weights = np.empty(there.shape)
    step = max(1, _BLOCK_VALUES // len(landmarks))
    for start in range(0, len(own), step):
        block = slice(start, start + step)
        is_around = np.zeros((len(around[block]), len(landmarks)), bool)
        np.put_along_axis(is_around, around[block], values=True, axis=1)
        ends = back[there[block]].reshape(len(is_around), -1)  # (n_block, n_neighbors * n_neighbors)
        weights[block] = np.take_along_axis(is_around, ends, 1).reshape(*there[block].shape, -1).mean(2)
    place = np.searchsorted(own, landmarks)
    smoothed = weights.mean(1)[place][around[:, : _N_SMOOTH + 1]].mean(1)
    confidence = np.clip((smoothed - _UNSURE) / (_SURE - _UNSURE), 0, 1)
    return other[there], weights, confidence


def _shift(
    scores: NDArray[np.float32],
    own: NDArray[np.int64],
    landmarks: NDArray[np.int64],
    drawn: _Drawn,
    *,
    around: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the batch shift of each row: the mean difference to its matches, weighted by confidence."""
    nearest = around[:, 1 : _N_SMOOTH + 1]  # the first is the row itself, where that is a landmark
    place = np.searchsorted(own, landmarks)
    parted = np.empty((len(landmarks), scores.shape[1]), np.float32)
    for spot, row in enumerate(place):
        like, neighbors = drawn.partners[row], landmarks[nearest[row]]
        parted[spot] = scores[like].mean(0) - scores[neighbors].mean(0)
    sure = drawn.confidence[place]
    out = np.zeros((len(own), scores.shape[1]), np.float32)
    step = max(1, _BLOCK_VALUES // (_N_SHIFT * scores.shape[1]))
    for start in range(0, len(own), step):
        nearby = around[start : start + step, :_N_SHIFT]
        weights = sure[nearby][..., None]
        total = weights.sum(1)
        out[start : start + step] = (parted[nearby] * weights).sum(1) / np.where(total > 0, total, 1)
    return out
