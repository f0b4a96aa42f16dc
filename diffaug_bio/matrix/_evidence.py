"""What some rows of a matrix tell about how its values came about: by counting, dividing or measuring.

All is computed of the same rows, brought to one form: a dense and a sparse matrix of the same values give
the same answers, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse

from diffaug_bio.matrix.blocks import WHOLE_WITHIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix

    Floats = NDArray[np.float64]

_MOST_ROWS, _LEAST_ROWS, _MOST_VALUES = 2000, 50, 2**22
ENOUGH_ROWS = 20  # fewer tell little about the spread of a column
_MOST_COLUMNS = 300  # whose correlations are looked at
_SMALL = 3  # counts of genes that are hardly seen, which every counted set has in number
_TELLING = 100.0  # larger values carry rounding errors, which hide whether they are whole
_EQUAL = 0.01  # relative spread of totals of one library size
_TAILS = (0.05, 0.95)
_MOST_APART = 2000  # columns whose zeros are looked at
_MOST_BETWEEN = 0.1 * _TAILS[0]
_IN_UNITS = 0.9  # share of the values of a row that are whole multiples of its smallest one
_LEAST, _MOST = 1e-150, 1e150  # whose quotient is a number
_NEARLY = 0.03  # from a whole multiple
_UNDER = 0.8  # of the mean: a variance below it is none of counts
_INVERSES = (np.expm1, lambda logged: np.exp2(logged) - 1, lambda logged: 10.0**logged - 1, np.square)


def some_rows(matrix: Matrix) -> Matrix:
    """Take up to 2000 evenly spaced rows, fewer of wide matrices; always the same ones."""
    n_obs, n_vars = matrix.shape
    most = int(np.clip(_MOST_VALUES // max(1, n_vars), _LEAST_ROWS, _MOST_ROWS))
    if n_obs <= most:
        return matrix
    return matrix[np.unique(np.linspace(0, n_obs - 1, most).astype(np.intp))]


@dataclass(frozen=True)
class Evidence:
    """Statistics of some rows of values of at least 0; negative ones and missing ones are left out."""

    rows: sparse.csr_matrix
    """Values above 0 of varying columns. Shape: `(n_obs, n_vars)`."""
    n_held: Floats
    """Rows without a missing value, for each column. Shape: `(n_vars,)`."""

    @classmethod
    def of(cls, matrix: Matrix, *, is_whole: bool = False) -> Self:
        """Look at some rows of a dense or CSR matrix; whole numbers lose their errors of rounding."""
        rows = sparse.csr_matrix(some_rows(matrix), dtype=np.float64, copy=True)
        rows.sum_duplicates()
        missing = np.bincount(rows.indices[np.isnan(rows.data)], minlength=rows.shape[1])
        rows.data[~(rows.data > 0)] = 0.0
        if is_whole:
            rows.data = np.rint(rows.data)
        rows.eliminate_zeros()
        rows.sort_indices()
        return cls(rows, np.maximum(rows.shape[0] - missing, 1.0))

    @property
    def n_obs(self) -> int:
        """Number of rows that were looked at."""
        return int(self.rows.shape[0])

    @property
    def n_vars(self) -> int:
        """Number of columns."""
        return int(self.rows.shape[1])

    @property
    def values(self) -> Floats:
        """All values above 0."""
        return np.asarray(self.rows.data, np.float64)

    @cached_property
    def columns(self) -> Columns:
        """Statistics of every column."""
        return Columns.of(self)

    @cached_property
    def totals(self) -> Floats:
        """Totals of rows that hold something."""
        totals = np.asarray(self.rows.sum(1), np.float64).ravel()
        return totals[totals > 0]

    @cached_property
    def depth_variation(self) -> float:
        """Coefficient of variation of the rows' totals."""
        return 0.0 if len(self.totals) < 2 else float(self.totals.std() / self.totals.mean())

    @cached_property
    def small_share(self) -> float:
        """Share of values up to 3 among those above 0: high in counts, of which most genes have few."""
        return float((self.values <= _SMALL + WHOLE_WITHIN).mean()) if len(self.values) else 0.0

    @cached_property
    def median(self) -> float:
        """Median of values above 0."""
        return float(np.median(self.values)) if len(self.values) else 0.0

    @cached_property
    def whole_share(self) -> float:
        """Share of whole numbers among values above 0 and below 100."""
        telling = self.values[self.values < _TELLING]
        nearest = np.maximum(np.rint(telling), 1.0)  # what is nearly 0 is not whole
        return float((np.abs(telling - nearest) <= WHOLE_WITHIN).mean()) if len(telling) else 0.0

    @cached_property
    def top_share(self) -> float:
        """Share of the highest value among all values above 0: high on a scale that ends there."""
        return float((self.values == self.values.max()).mean()) if len(self.values) else 0.0

    @cached_property
    def tail(self) -> float:
        """Highest value over the median of those above 0: below 10 or so once values are logged."""
        return float(self.values.max() / self.median) if len(self.values) else 0.0

    @cached_property
    def shared_depth(self) -> float:
        """Median correlation of a logged column with the mean of the others: what all share is depth."""
        if (logged := self._logged) is None:
            return 1.0
        scores = (logged - logged.mean(0)) / logged.std(0)
        others = scores.sum(1, keepdims=True) - scores
        deviations = others.std(0)
        means = (scores * others).mean(0)
        found = np.divide(means, deviations, out=np.zeros_like(means), where=deviations > 0)
        return float(np.median(found))

    @cached_property
    def left_by_depth(self) -> float:
        """Median share of a logged column's variance that is left without the mean of the others.

        Dividing counts by their depth takes from it; of columns without one depth it adds to it.
        """
        if (logged := self._logged) is None:
            return 0.0
        others = (logged.sum(1, keepdims=True) - logged) / (logged.shape[1] - 1)
        return float(np.median((logged - others).var(0) / logged.var(0)))

    @cached_property
    def _logged(self) -> Floats | None:
        """Logarithm of up to 300 of the columns that vary; None of fewer than two."""
        spread = np.flatnonzero(self.columns.varies)
        if len(spread) < 2:
            return None
        chosen = spread[np.unique(np.linspace(0, len(spread) - 1, _MOST_COLUMNS).astype(np.intp))]
        return np.log1p(np.asarray(self.rows[:, chosen].toarray(), np.float64))

    def has_equal_totals(self) -> bool:
        """Return True if rows have one total as they are: they were brought to a library size."""
        return _are_equal(self.totals)

    def is_in_units(self) -> bool:
        """Return True if rows are whole multiples of a unit of their own: counts over the row's total.

        Only values that are not whole as they are tell, and none if all are rounded to a few decimals:
        those are multiples of 0.1 or so in every row.
        """
        return not self._is_rounded and _are_in_units(self.rows, self._fractional)

    def is_transformed(self, *, totals: bool) -> bool:
        """Return True if rows have units, or one total, once a logarithm or a square root is undone.

        Totals that are equal say something only of expression: with `totals` False they do not count.
        """
        for inverse in _INVERSES:
            undone = self.rows.copy()
            with np.errstate(over="ignore"):
                undone.data = inverse(undone.data)
            if not np.isfinite(undone.data).all():
                continue
            if not self._is_rounded and _are_in_units(undone, self._fractional):
                return True
            sums = np.asarray(undone.sum(1), np.float64).ravel()
            if totals and _are_equal(sums[sums > 0]):
                return True
        return False

    @cached_property
    def _is_rounded(self) -> bool:
        """True of values with three decimals at most."""
        parts = self.values[self.values < _TELLING] * 1000
        return len(parts) > 0 and bool((np.abs(parts - np.rint(parts)) < _NEARLY).mean() > _IN_UNITS)

    @cached_property
    def _fractional(self) -> NDArray[np.bool_]:
        """Mark values that are not whole: whole ones are so with base 2 and 10, and squared, as well."""
        return np.asarray(np.abs(self.rows.data - np.rint(self.rows.data)) > WHOLE_WITHIN)


@dataclass(frozen=True)
class Columns:
    """Statistics of every column. Shape of each: `(n_vars,)`."""

    mean: Floats
    variance: Floats
    zeros: Floats
    """Share of zeros."""
    ones: Floats
    twos: Floats
    is_whole: NDArray[np.bool_]
    """True for each column of whole numbers."""
    n_held: Floats

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """Sum over the rows."""
        rows, held = evidence.rows, evidence.n_held
        nearest = np.rint(rows.data)

        def summed(weights: NDArray[np.generic]) -> Floats:
            sums = np.bincount(rows.indices, weights=weights, minlength=rows.shape[1])
            return np.asarray(sums, np.float64)

        mean = summed(rows.data) / held
        variance = np.maximum(summed(rows.data**2) / held - mean**2, 0.0) * held / np.maximum(held - 1, 1)
        return cls(
            mean=mean,
            variance=variance,
            zeros=1 - summed(nearest > 0) / held,
            ones=summed(nearest == 1) / held,
            twos=summed(nearest == 2) / held,
            is_whole=summed(np.abs(rows.data - nearest) > WHOLE_WITHIN) == 0,
            n_held=held,
        )

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Mark columns with more than one value."""
        return self.variance > 1e-9 * self.mean**2

    def uncounted_share(self) -> float:
        """Share of varying columns of whole numbers that no counting gives.

        The variance of counts is at least their mean, and whoever is often seen once is often not seen:
        for rates of any distribution, twice the shares of zeros and of twos, multiplied, reach the square
        of the share of ones. Ages, grades, answers from 1 to 5 and genotypes break one or both.
        """
        if not self.varies.any():
            return 0.0
        least = np.minimum(_UNDER, 1 - 3 * np.sqrt(2 / np.maximum(self.n_held - 1, 1)))
        is_narrow = self.variance < least * self.mean
        twos = np.maximum(np.maximum(self.twos, 0.1 * self.ones), 1 / self.n_held)
        expected = self.ones**2 / (2 * twos)
        lacks_zeros = (expected * self.n_held >= 10) & (self.zeros < 0.25 * expected)
        return float((self.is_whole & (is_narrow | lacks_zeros))[self.varies].mean())

    def mean_dispersion(self) -> tuple[float, float]:
        """Return the mean of variance by mean of columns, at least 1 of counts, and its standard error."""
        if not self.varies.any():
            return 1.0, 1.0
        n_free = np.maximum(self.n_held - 1, 1)[self.varies]
        ratios = self.variance[self.varies] / self.mean[self.varies]
        return float(ratios.mean()), float(np.sqrt((2 / n_free).sum()) / len(ratios))

    def pooled_zeros(self) -> tuple[float, float]:
        """Return the share of zeros in all columns, and the least of counts with these ones and twos.

        The bound of :meth:`uncounted_share` holds for columns of different rates taken together, too.
        """
        weights = self.n_held / self.n_held.sum()
        zeros, ones, twos = (float(one @ weights) for one in (self.zeros, self.ones, self.twos))
        return zeros, ones**2 / (2 * max(twos, 0.1 * ones, 1 / float(self.n_held.sum())))


def zeros_apart(evidence: Evidence) -> tuple[int, float]:
    """Count columns whose zeros lie apart from all their other values, and the share of zeros in them.

    Of values that reach down to 0, as rainfall does, a quarter of the lowest twentieth of the others lies
    below a quarter of its bound; of intensities with zeros for "not detected" next to none does.
    """
    chosen = np.unique(np.linspace(0, evidence.n_vars - 1, _MOST_APART).astype(np.intp))
    columns, n_held = sparse.csc_matrix(evidence.rows[:, chosen]), evidence.n_held[chosen]
    found = []
    for held, start, end in zip(n_held, columns.indptr[:-1], columns.indptr[1:], strict=True):
        seen, zeros = columns.data[start:end], held - (end - start)
        if not 0.01 * held <= zeros <= 0.95 * held or len(seen) < ENOUGH_ROWS / 2:
            continue
        low = np.quantile(seen, _TAILS[0])
        is_coarse = len(np.unique(seen)) <= 10 or (low <= 10 and np.array_equal(seen, np.rint(seen)))
        if not is_coarse:
            found.append((len(seen), (seen < low / 4).sum(), zeros, held))
    # Of few rows only all columns together tell.
    n_seen, n_low = (sum(column[place] for column in found) for place in (0, 1))
    if n_low >= _MOST_BETWEEN * n_seen:
        found = [column for column in found if column[0] >= 400 and column[1] < _MOST_BETWEEN * column[0]]
    return len(found), float(
        sum(zeros for *_, zeros, _ in found) / max(1.0, sum(held for *_, held in found))
    )


def _are_equal(totals: Floats) -> bool:
    """Return True if totals of three rows or more hardly differ."""
    if len(totals) < 3:
        return False
    low, middle, high = np.quantile(totals, (_TAILS[0], 0.5, _TAILS[1]))
    return bool(high - low < _EQUAL * middle)


def _are_in_units(rows: sparse.csr_matrix, telling: NDArray[np.bool_]) -> bool:
    """Return True if most rows are whole multiples of their smallest value, as far as values tell."""
    starts, sizes = rows.indptr[:-1], np.diff(rows.indptr)
    filled = sizes > 0
    if not filled.any():
        return False
    # Not 0, which the inverse of a logarithm makes of values near it.
    smallest = np.maximum(np.minimum.reduceat(rows.data, starts[filled]), _LEAST)
    parts = np.minimum(rows.data, _MOST) / np.repeat(smallest, sizes[filled])
    # The smallest value is whole in itself, and tells nothing; large multiples carry rounding errors.
    counts = telling & (parts > 1.5) & (parts < _TELLING)
    is_whole = counts & (np.abs(parts - np.rint(parts)) < _NEARLY)
    row_of = np.repeat(np.arange(int(filled.sum())), sizes[filled])
    n_counted = np.bincount(row_of, weights=counts, minlength=int(filled.sum()))
    n_whole = np.bincount(row_of, weights=is_whole, minlength=int(filled.sum()))
    tells = n_counted >= 3
    return bool(tells.any()) and float((n_whole >= _IN_UNITS * n_counted)[tells].mean()) > 0.5
