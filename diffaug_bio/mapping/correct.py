"""Batch correction of new rows by mutual nearest neighbours."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.mapping.neighbors import directions, nearest_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

Correction = Literal["none", "mnn"]

logger = logging.getLogger(__name__)

_BLOCK_VALUES = 2**22  # distances that are held at once: 32 MB
_MOST_PLACES = 5000
_FEW_ROWS = 50


def check_correction(correct: str) -> None:
    """Refuse the name of an unknown correction."""
    if correct not in get_args(Correction):
        msg = f"`correct` has to be one of {', '.join(map(repr, get_args(Correction)))}; got {correct!r}."
        raise InputError(msg)


def mutual_neighbor_shift(
    rows: NDArray[np.float32],
    reference: NDArray[np.float32],
    *,
    n_neighbors: int = 20,
    n_smooth: int = 30,
    n_rounds: int = 2,
) -> NDArray[np.float32]:
    """Move rows towards a reference by mutual nearest neighbours.

    A row and a reference row that are among the nearest neighbours of each other form a pair of one kind,
    and their difference is taken as the batch effect (Haghverdi et al. 2018, Nat. Biotechnol. 36, 421-427).
    In each round every row moves by the mean difference of the pairs around it, weighted by
    `exp(-d ** 2 / s)`, where `d` is the distance to the row of the pair and `s` the squared distance to the
    last of the `n_smooth` nearest pairs. Pairs and `d` are those of rows scaled to length 1; differences
    are not scaled.

    At most 5000 rows with partners are used in a round, drawn at random with a fixed seed. Time grows with
    the number of rows times that number.

    Parameters
    ----------
    rows
        Embedding of new rows; not changed. Shape: `(n_rows, n_latent)`.
    reference
        Embedding of training rows, which stay in place. Shape: `(n_reference, n_latent)`.
    n_neighbors
        Number of nearest neighbours in each direction.
    n_smooth
        Number of pairs whose differences are averaged for a row.
    n_rounds
        Number of rounds.

    Returns
    -------
    The moved rows. Shape: `(n_rows, n_latent)`.

    Raises
    ------
    InputError
        If one side has no rows, or the widths differ.
    """
    if not len(rows) or not len(reference) or rows.shape[1] != reference.shape[1]:
        msg = (
            f"Rows of shape {rows.shape} cannot be moved towards a reference of shape {reference.shape}: "
            "both need rows, and the same width."
        )
        raise InputError(msg)
    if len(rows) < _FEW_ROWS:
        logger.warning(
            "Only %d rows are corrected: types that the other rows lack may be matched to other types.",
            len(rows),
        )
    moved = rows.astype(np.float32)  # a copy, which is changed in place
    known = directions(reference)
    for _ in range(n_rounds):
        at = directions(moved)
        pairs = mutual_pairs(at, known, n_neighbors=n_neighbors)
        _move(moved, at, reference, pairs, n_smooth=n_smooth)
    return moved


def mutual_pairs(
    rows: NDArray[np.floating], reference: NDArray[np.floating], *, n_neighbors: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find pairs of mutual nearest neighbours: row and reference row numbers, sorted by row."""
    n_rows, n_reference = len(rows), len(reference)
    to_reference = nearest_numbers(rows, reference, min(n_neighbors, n_reference))
    to_rows = nearest_numbers(reference, rows, min(n_neighbors, n_rows))
    # A pair as one number, so that what both sides say is an intersection.
    forth = (np.arange(n_rows)[:, None] * n_reference + to_reference).ravel()
    back = (to_rows * n_reference + np.arange(n_reference)[:, None]).ravel()
    row, partner = np.divmod(np.intersect1d(forth, back, assume_unique=True), n_reference)
    return row, partner


def _move(
    rows: NDArray[np.float32],
    at: NDArray[np.float32],
    reference: NDArray[np.float32],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    n_smooth: int,
) -> None:
    """Move rows, whose directions are `at`, in place by the mean difference of the pairs around each."""
    if not len(pairs[0]):  # ties can be broken so that none is mutual
        logger.warning("No rows are mutual nearest neighbours of training rows: nothing is corrected.")
        return
    # Pairs of one row lie at one place: they count as one with their number as weight.
    numbers, counts = np.unique(pairs[0], return_counts=True)
    is_used = np.ones(len(numbers), bool)
    if len(numbers) > _MOST_PLACES:
        is_used[np.random.default_rng(0).permutation(len(numbers))[_MOST_PLACES:]] = False
    row, partner = (part[np.repeat(is_used, counts)] for part in pairs)
    numbers, counts = numbers[is_used], counts[is_used]
    between = reference[partner].astype(np.float64) - rows[row]
    parts = np.add.reduceat(between, np.cumsum(counts) - counts)  # sums, (n_places, n_latent)
    places = at[numbers].astype(np.float64)
    n_nearest = min(n_smooth, len(places))
    step = max(1, _BLOCK_VALUES // len(places))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        squares = _squared_distances(at[block].astype(np.float64), places)
        closest = np.argpartition(squares, n_nearest - 1, axis=1)[:, :n_nearest]
        scale = _last_of(np.take_along_axis(squares, closest, 1), counts[closest], n_smooth)
        # Over the nearest's, so that weights of far pairs cannot all vanish.
        squares -= squares.min(1, keepdims=True)
        weights = np.exp(-squares / (scale[:, None] + 1e-9))
        rows[block] += (weights @ parts) / (weights @ counts)[:, None]


def _last_of(squares: NDArray[np.float64], counts: NDArray[np.int64], n_smooth: int) -> NDArray[np.float64]:
    """Return the squared distance to the last of the nearest pairs; several may share a row."""
    order = np.argsort(squares, axis=1)
    reached = np.take_along_axis(counts, order, 1).cumsum(1) >= n_smooth
    last = np.where(reached.any(1), reached.argmax(1), squares.shape[1] - 1)
    numbers = np.arange(len(squares))
    return np.asarray(squares[numbers, order[numbers, last]])


def _squared_distances(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return squared distances between rows of length 1. Shape: `(len(one), len(other))`."""
    squares = one @ other.T
    squares *= -2
    squares += np.square(one).sum(1)[:, None] + np.square(other).sum(1)
    return np.maximum(squares, 0, out=squares)
