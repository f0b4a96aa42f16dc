"""Values that features of a table had among the training rows, and the places of coded columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.matrix.columns import CodedColumns

    Floats = NDArray[np.float32]

_LOOKED_AT = 2**24  # values at once: 64 MB
ARRAYS = ("lowest", "highest", "whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Range of each feature among the training rows, and whether it held whole numbers only."""

    lowest: Floats
    """Smallest value of each feature. Shape: `(n_vars,)`."""
    highest: Floats
    """Largest value of each feature. Shape: `(n_vars,)`."""
    whole: Floats
    """1 for features of whole numbers, 0 for others. Shape: `(n_vars,)`."""

    @classmethod
    def of(cls, matrix: Matrix) -> Self:
        """Look at all values of a matrix in which every feature has one."""
        found = np.zeros((len(ARRAYS), matrix.shape[1]), np.float32)
        for columns, values in column_blocks(matrix):
            found[0, columns], found[1, columns] = np.nanmin(values, 0), np.nanmax(values, 0)
            found[2, columns] = (np.isnan(values) | (values == np.rint(values))).all(0)
        return cls(lowest=found[0], highest=found[1], whole=found[2])

    @property
    def limits(self) -> tuple[Floats, Floats]:
        """Smallest and largest value that surely lie within the range of the table that was read.

        A bound that is no whole number may have been rounded to float32 beyond it: it moves by one step.
        """
        low = np.where(self._is_rounded(self.lowest), np.nextafter(self.lowest, self.highest), self.lowest)
        high = np.where(
            self._is_rounded(self.highest), np.nextafter(self.highest, self.lowest), self.highest
        )
        return low, np.maximum(low, high)

    def _is_rounded(self, bounds: Floats) -> NDArray[np.bool_]:
        return np.asarray(bounds != np.rint(bounds))

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name, as a model folder holds them."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """Rebuild what :meth:`arrays` returned."""
        return cls(**{name: arrays[name] for name in ARRAYS})


def column_blocks(matrix: Matrix) -> Iterator[tuple[slice, Floats]]:
    """Yield a few columns at a time, dense in float32."""
    matrix = matrix.tocsc() if sparse.issparse(matrix) else matrix
    step = max(1, _LOOKED_AT // matrix.shape[0])
    for start in range(0, matrix.shape[1], step):
        columns = slice(start, min(start + step, matrix.shape[1]))
        block = matrix[:, columns]
        yield columns, np.asarray(block.toarray() if sparse.issparse(block) else block, np.float32)


def one_hot_places(columns: CodedColumns, feature_names: Sequence[str] | None) -> list[NDArray[np.int64]]:
    """Find the features of each categorical column in a matrix by their names.

    Raises an `InputError` if the matrix has no names, lacks a feature of a coded column, or one feature
    would code two columns.
    """
    if not columns:
        return []
    if feature_names is None:
        msg = "`columns` names columns of a table, and X has no names. Pass `feature_names`."
        raise InputError(msg)
    position = {name: place for place, name in enumerate(feature_names)}
    named = [feature for column in columns for feature in column.features]
    if absent := [feature for feature in named if feature not in position]:
        msg = (
            f"`columns` describes features that the matrix lacks: {shorten(absent)}. A categorical column "
            "needs a feature COLUMN=LEVEL for each level; name those that are there."
        )
        raise InputError(msg)
    if len(set(named)) < len(named):
        repeated = [feature for feature in dict.fromkeys(named) if named.count(feature) > 1]
        msg = f"Two columns of the table would be coded by one feature, {shorten(repeated)}. Rename one."
        raise InputError(msg)
    return [
        np.array([position[feature] for feature in column.features], np.int64)
        for column in columns
        if column.kind == "categorical"
    ]


def indicator_places(columns: CodedColumns, feature_names: Sequence[str]) -> NDArray[np.int64]:
    """Find the features of a matrix that tell where other columns have no value."""
    telling = {feature for column in columns if column.kind == "missing" for feature in column.features}
    return np.array([place for place, name in enumerate(feature_names) if name in telling], np.int64)
