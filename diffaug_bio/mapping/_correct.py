"""Moving later rows to where training rows of the same kind lie."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.mapping._neighbors import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

Correction = Literal["none", "mnn"]

logger = logging.getLogger(__name__)

_BLOCK_VALUES = 2**22  # distances that are held at once: 32 MB
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
    known, moved = reference.astype(np.float64), rows.astype(np.float64)
    known_directions = _directions(known)
    for _ in range(n_rounds):
        directions = _directions(moved)
        pairs = mutual_pairs(directions, known_directions, n_neighbors=n_neighbors)
        moved = moved + _mean_shift(directions, moved, known, pairs, n_smooth=n_smooth)
    return moved.astype(np.float32)


def mutual_pairs(
    rows: NDArray[np.float64], reference: NDArray[np.float64], *, n_neighbors: int
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
    to_reference = nearest(rows, reference, min(n_neighbors, n_reference))[1]
    to_rows = nearest(reference, rows, min(n_neighbors, n_rows))[1]
    # A pair as one number, so that what both sides say is an intersection.
    forth = (np.arange(n_rows)[:, None] * n_reference + to_reference).ravel()
    back = (to_rows * n_reference + np.arange(n_reference)[:, None]).ravel()
    row, partner = np.divmod(np.intersect1d(forth, back, assume_unique=True), n_reference)
    return row, partner


def _mean_shift(
    directions: NDArray[np.float64],
    rows: NDArray[np.float64],
    reference: NDArray[np.float64],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    n_smooth: int,
) -> NDArray[np.float64]:
    """Average what parts the pairs for each row, in blocks; shape `(n_rows, n_latent)`."""
    shifts = np.zeros_like(rows)
    if not len(pairs[0]):  # ties can be broken so that none is mutual
        logger.warning("No rows are mutual nearest neighbors of training rows: nothing is corrected.")
        return shifts
    # Pairs of one row lie at one place: they count as one of as many times the weight.
    at, first, counts = np.unique(pairs[0], return_index=True, return_counts=True)
    parts = np.add.reduceat(reference[pairs[1]] - rows[pairs[0]], first)  # sums, (n_at, n_latent)
    places = directions[at]
    n_nearest = min(n_smooth, len(at))
    step = max(1, _BLOCK_VALUES // len(at))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        squares = _squared_distances(directions[block], places)
        closest = np.argpartition(squares, n_nearest - 1, axis=1)[:, :n_nearest]
        scale = _last_of(np.take_along_axis(squares, closest, 1), counts[closest], n_smooth)
        # Over the nearest's, so that weights of far pairs cannot all vanish.
        squares -= squares.min(1, keepdims=True)
        weights = np.exp(-squares / (scale[:, None] + 1e-9))
        shifts[block] = (weights @ parts) / (weights @ counts)[:, None]
    return shifts


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


def _directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring rows to length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
