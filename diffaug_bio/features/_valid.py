"""Values that generated rows of a table may have: valid categories, whole numbers, observed ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from scipy import sparse

from diffaug_bio._wording import told
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.features._inverse import FeatureInverse
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.matrix.columns import CodedColumns

    Floats = NDArray[np.float32]

_BLOCK_VALUES = 2**21  # worked on at once
Missing = Literal["fill", "keep"]
"""Treatment of values that a source row lacks: filled in, or missing in the generated row, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidValues:
    """Values that generated rows may have in each column of the data that they are made from."""

    columns: NDArray[np.int64]
    """Columns of the data that are limited. Shape: `(n_limited,)`."""
    lowest: Floats
    """Smallest value of each. Shape: `(n_limited,)`."""
    highest: Floats
    """Largest value of each. Shape: `(n_limited,)`."""
    whole: NDArray[np.bool_]
    """True for each that holds whole numbers. Shape: `(n_limited,)`."""
    constant: NDArray[np.int64]
    """Columns of the data that had one value in the fit. Shape: `(n_constant,)`."""
    constants: Floats
    """That value. Shape: `(n_constant,)`."""
    choices: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    """Columns of the data of each categorical column: of all levels, and of those seen in the fit."""
    indicators: tuple[tuple[int, int], ...]
    """Column of the data that tells where another one, given with it, is missing."""

    @classmethod
    def of(cls, inverse: FeatureInverse, coded: CodedColumns, training_names: Sequence[str] | None) -> Self:
        """Find what the fit observed, by the names of its features, in the data of an inverse."""
        features, places = inverse.features, inverse.places
        is_kept = np.zeros(len(places), bool)
        is_kept[features.selected] = True
        limited, rest = np.flatnonzero((places >= 0) & is_kept), np.flatnonzero((places >= 0) & ~is_kept)
        observed = features.observed
        if observed is None:  # an embedding, or scaled values: nothing is known of their ranges
            limited = rest = np.zeros(0, np.int64)
            low = high = whole = constants = np.zeros(0, np.float32)
        else:
            low, high = (limits[limited] for limits in observed.limits)
            whole, constants = observed.whole[limited], observed.lowest[rest]
        # By where the data's features were matched, whose names may be spelt otherwise.
        named = zip(training_names or (), places.tolist(), strict=False)
        position = {name: place for name, place in named if place >= 0}
        seen = frozenset(places[limited].tolist())
        choices = []
        for column in coded.held_by(position):
            if column.kind == "categorical":
                levels = np.array([position[feature] for feature in column.features], np.int64)
                varied = np.array([place for place in levels.tolist() if place in seen], np.int64)
                choices += [(levels, varied)] if len(varied) else []
        return cls(
            columns=places[limited],
            lowest=low,
            highest=high,
            whole=whole > 0,
            constant=places[rest],
            constants=constants,
            choices=tuple(choices),
            indicators=tuple(_indicators(coded, position)),
        )

    def applied(self, values: Floats, sources: Matrix, *, missing: Missing) -> Floats:
        """Make values of generated rows valid, in place; their `sources` tell what was missing."""
        step = max(1, _BLOCK_VALUES // max(1, values.shape[1]))
        for start in range(0, len(values), step):
            rows = slice(start, start + step)
            self._apply(values[rows], sources[rows], missing=missing)
        return values

    def _apply(self, values: Floats, sources: Matrix, *, missing: Missing) -> None:
        """Make values of a few rows valid, in place."""
        # Before any rounding: of 0.6, 0.9 and 0.1 the second level is meant, and 1, 1 and 0 do not tell.
        chosen = [seen[values[:, seen].argmax(1)] for _, seen in self.choices]
        held = values[:, self.columns]
        held = np.where(self.whole, np.rint(held), held)
        values[:, self.columns] = np.clip(held, self.lowest, self.highest)
        for (levels, _), places in zip(self.choices, chosen, strict=True):
            values[:, levels] = 0.0
            values[np.arange(len(values)), places] = 1.0
        absent = _missing(sources)
        if missing == "keep":
            values[absent] = np.nan
        else:
            for place, constant in zip(self.constant, self.constants, strict=True):
                values[absent[:, place], place] = constant
        for place, of in self.indicators:
            values[:, place] = np.isnan(values[:, of])


def check_missing(missing: object) -> None:
    """Raise an `InputError` for another treatment of missing values than there is."""
    if missing not in {"fill", "keep"}:
        msg = f"`missing` has to be 'fill' or 'keep', got {told(missing)}."
        raise InputError(msg)


def _indicators(coded: CodedColumns, position: dict[str, int]) -> list[tuple[int, int]]:
    """Pair each feature that tells of missing values with the first feature of the column it is about."""
    pairs = []
    for column in coded:
        told_of = coded.first_feature(column.name)
        if column.kind == "missing" and {column.features[0], told_of} <= position.keys():
            pairs.append((position[column.features[0]], position[told_of]))
    return pairs


def _missing(sources: Matrix) -> NDArray[np.bool_]:
    dense = sources.toarray() if sparse.issparse(sources) else sources
    return np.isnan(np.asarray(dense, np.float32))
