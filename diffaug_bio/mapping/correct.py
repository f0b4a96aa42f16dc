"""Moving later rows to where training rows of the same kind lie."""

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
    """Refuse a correction that there is not.

    Raises
    ------
    InputError
        If it is neither "none" nor "mnn".
    """
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
    """Move rows towards a reference by mutual nearest neighbors [1]_.

    A row and a reference row that are among each other's nearest are taken to be of one kind, and what
    parts them to be an effect of the batch. In each round every row is moved by the mean of what parts the
    pairs, weighted by `exp(-d ** 2 / s)`, where `d` is the distance from the row to the pair's row and `s`
    the squared distance to the last of the `n_smooth` nearest pairs. Pairs are found, and `d` is taken,
    between rows brought to length 1; what rows are moved by is not.

    Time grows with the rows times the rows that have partners, of which at most 5000 are used in a round:
    of more, so many are drawn at random with a fixed seed. Rows are worked on in blocks.

    Parameters
    ----------
    rows
        Embedding of later rows; not changed. Shape: `(n_rows, n_latent)`.
    reference
        That of training rows, which stay where they are. Shape: `(n_reference, n_latent)`.
    n_neighbors
        Nearest rows, both ways, among which pairs are found.
    n_smooth
        Pairs that set how far a row looks.
    n_rounds
        How often it is done.

    Returns
    -------
    Shape: `(n_rows, n_latent)`.

    Raises
    ------
    InputError
        If there are no rows on one side, or they are of different widths.

    References
    ----------
    .. [1] Haghverdi et al. (2018), "Batch effects in single-cell RNA-sequencing data are corrected by
       matching mutual nearest neighbors", Nat. Biotechnol. 36.
    """
    if not len(rows) or not len(reference) or rows.shape[1] != reference.shape[1]:
        msg = (
            f"Rows of shape {rows.shape} cannot be moved towards a reference of shape {reference.shape}: "
            "both need rows, as wide as each other's."
        )
        raise InputError(msg)
    if len(rows) < _FEW_ROWS:
        logger.warning(
            "Only %d rows are corrected: of so few, rows of a kind that the training lacked find partners, "
            "too.",
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
    """Find pairs that are among each other's nearest.

    Parameters
    ----------
    rows, reference
        Shapes: `(n_rows, n_latent)` and `(n_reference, n_latent)`.
    n_neighbors
        Nearest rows that are looked at, all where there are fewer.

    Returns
    -------
    Number of the row and of the reference row of each pair, by row. Shape of both: `(n_pairs,)`.
    """
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
    """Move rows, whose directions are `at`, in place by what parts the pairs around each on average."""
    if not len(pairs[0]):  # ties can be broken so that none is mutual
        logger.warning("No rows are mutual nearest neighbors of training rows: nothing is corrected.")
        return
    # Pairs of one row lie at one place: they count as one of as many times the weight.
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
    """Squared distance to the last of the nearest pairs, of which several may lie at one place."""
    order = np.argsort(squares, axis=1)
    reached = np.take_along_axis(counts, order, 1).cumsum(1) >= n_smooth
    last = np.where(reached.any(1), reached.argmax(1), squares.shape[1] - 1)
    numbers = np.arange(len(squares))
    return np.asarray(squares[numbers, order[numbers, last]])


def _squared_distances(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of rows of length 1; shape `(len(one), len(other))`."""
    squares = one @ other.T
    squares *= -2
    squares += np.square(one).sum(1)[:, None] + np.square(other).sum(1)
    return np.maximum(squares, 0, out=squares)
