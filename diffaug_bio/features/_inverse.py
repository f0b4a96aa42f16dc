"""Features of the input from generated components: counts, other expression, measured values."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse

from diffaug_bio.config.kinds import STATES
from diffaug_bio.errors import InputError
from diffaug_bio.features._counts import FEW_ROWS, CountNoise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.features._standardised import Standardised
    from diffaug_bio.matrix.blocks import Matrix

    Floats = NDArray[np.floating]

logger = logging.getLogger(__name__)

_BLOCK_VALUES = 2**21  # of kept features, or of all where they are dense, that are worked on at once
_MAX_LOGGED = 50.0  # nothing logged lies above it
_NEARLY_WHOLE = 0.05
_LEAST_LENGTH = np.float32(1e-30)  # squared, of an axis: one along which nothing varied may be all zeros
_MOST_GROWN = 10.0  # times: a row's total
_TELLING = 100.0  # counts up to which it shows whether they are whole: larger ones carry rounding errors


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureInverse:
    """Changes the features of rows as their components change; the rest stays as in the source.

    To measured values and scaled expression the change is added. Counts are thinned or added to as their
    rates change, and some are drawn anew; see :class:`CountNoise`. Expression that was brought to a
    library size is taken apart into its counts where the smallest value of a row shows them; else its
    values change in proportion, and zeros stay zeros.
    """

    features: Standardised
    held: NDArray[np.bool_]
    """True for each kept feature that the data hold. Shape: `(n_selected,)`."""
    columns: NDArray[np.int64]
    """Columns of those in the data. Shape: `(held.sum(),)`."""
    places: NDArray[np.int64]
    """Column in the data of each feature of the fit, -1 where there is none. Shape: `(n_vars,)`."""
    ceiling: float
    """Largest logged value that reconstructed expression may have."""
    noise: CountNoise | None = None
    """Noise of counts, once it is learned."""

    @classmethod
    def of(cls, features: Standardised, columns: NDArray[np.int64] | None) -> Self:
        """Find the kept features in data by the column of each training feature, or -1."""
        places = np.arange(features.n_vars) if columns is None else columns
        chosen = places[features.selected]
        held = chosen >= 0
        library = features.target_sum if STATES[features.state].is_counted else None
        ceiling = _MAX_LOGGED if library is None else float(np.log1p(library))
        return cls(features=features, held=held, columns=chosen[held], places=places, ceiling=ceiling)

    @property
    def is_expression(self) -> bool:
        """True of expression, whose noise is to be learned before rows are changed."""
        return STATES[self.features.state].is_sparse

    def calibrated(self, matrix: Matrix, codes: Floats, generated: Floats) -> Self:
        """Learn how expression follows from components; from rows of all kinds, the more the better.

        `generated` are codes made from the rows' `codes` at the strength that is to be used.
        """
        counts, units = self.counts(matrix)
        known = self
        if not STATES[self.features.state].is_counted or self.features.target_sum is None:
            kept = _dense(matrix[:, self.columns])
            logged = kept if STATES[self.features.state].is_logged else np.log1p(kept)
            known = replace(self, ceiling=float(logged.max(initial=0.0)))
        is_counted = np.isfinite(units[:, 0])
        n_obs, n_counted = len(is_counted), int(is_counted.sum())
        is_noisy = n_counted > n_obs / 2  # a few rows may look so by chance
        if n_counted < n_obs:
            others = "the others change" if is_noisy else "all change"
            logger.info("%d of %d rows are made of counts; %s in proportion.", n_counted, n_obs, others)
        if not is_noisy:
            return known
        if n_counted < FEW_ROWS:
            logger.warning(
                "How counts vary is learned from the data, and needs %d rows; there are %d. Poisson noise "
                "is taken instead, which is less than that of most data: pass more rows.",
                FEW_ROWS,
                n_counted,
            )
        before, after = (known.expected(part[is_counted]) for part in (codes, generated))
        seen = counts[is_counted]
        totals = known._totals(seen, before, after)
        return replace(known, noise=CountNoise.fit(seen, before, after, totals=totals))

    def apply(
        self,
        matrix: Matrix,
        codes: Floats,
        generated: Floats,
        *,
        redraw: float,
        generator: np.random.Generator,
    ) -> Matrix:
        """Change rows as their components changed; float32, sparse if :meth:`keeps_sparse` says so.

        A share `redraw` of counts is drawn anew. Noise is drawn block by block: the size of a block is
        part of what a seed fixes.
        """
        if not self.is_expression:
            return self._measured(matrix, np.asarray(generated, np.float32) - codes)
        width = len(self.columns) if sparse.issparse(matrix) else matrix.shape[1]
        step = max(1, _BLOCK_VALUES // max(1, width))
        parts = []
        for start in range(0, matrix.shape[0], step):
            rows = slice(start, start + step)
            block, old, new = matrix[rows], codes[rows], generated[rows]
            changed = self._expression(block, old, new, redraw=redraw, generator=generator)
            parts.append(changed if self.keeps_sparse(matrix) else changed.toarray())
        return sparse.vstack(parts, format="csr") if self.keeps_sparse(matrix) else np.vstack(parts)

    def keeps_sparse(self, matrix: Matrix) -> bool:
        """Return True if changed rows of a matrix are sparse."""
        return self.is_expression and sparse.issparse(matrix)

    def expected(self, codes: Floats) -> Floats:
        """Turn components into normalised expression, not logged; shape `(n_obs, n_held)`."""
        features = self.features
        scores = self._standardised(np.asarray(codes, np.float32)) + features.center[self.held]
        if features.max_value is not None:
            scores = np.minimum(scores, features.max_value)
        logged = features.mean[self.held] + features.std[self.held] * scores
        return np.expm1(np.clip(logged, 0.0, self.ceiling))

    def counts(self, block: Matrix) -> tuple[Floats, Floats]:
        """Find the counts of the kept features `(n_obs, n_held)`, and the units of rows `(n_obs, 1)`.

        A unit is the value of one count; NaN of rows that are not made of counts.
        """
        kept = _dense(block[:, self.columns])
        if STATES[self.features.state].is_counted:
            return np.rint(kept), np.ones((len(kept), 1), np.float32)
        is_logged = STATES[self.features.state].is_logged
        linear, units = (np.expm1(part) if is_logged else part for part in (kept, _smallest(block)))
        found = linear / units
        counts = np.rint(found)
        tells = (found > 0) & (found < _TELLING)
        is_whole = tells & (np.abs(found - counts) < _NEARLY_WHOLE)
        n_seen, n_telling, n_whole = ((part > 0).sum(1, keepdims=True) for part in (found, tells, is_whole))
        is_counted = (n_whole >= (1 - _NEARLY_WHOLE) * n_telling) & (n_telling >= n_seen / 2)
        return counts, np.where(is_counted, units, np.nan)

    def _expression(
        self,
        block: Matrix,
        codes: Floats,
        generated: Floats,
        *,
        redraw: float,
        generator: np.random.Generator,
    ) -> sparse.csr_matrix:
        """Change a few rows of expression."""
        before, after = self.expected(codes), self.expected(generated)
        counts, units = self.counts(block)
        is_logged = STATES[self.features.state].is_logged
        values = np.empty_like(before)
        rest = np.isnan(units[:, 0]) | (self.noise is None)
        if self.noise is not None:
            seen, old, new = counts[~rest], before[~rest], after[~rest]
            totals = self._totals(seen, old, new)
            drawn = self.noise.draw(seen, old, new, totals=totals, redraw=redraw, generator=generator)
            values[~rest] = units[~rest] * drawn
        if rest.any():
            kept = _dense(block[rest][:, self.columns])
            linear = np.expm1(kept) if is_logged else kept
            values[rest] = self._in_proportion(linear, before[rest], after[rest])
        return self._placed(block, np.log1p(values) if is_logged else values)

    def _totals(self, counts: Floats, before: Floats, after: Floats) -> Floats | None:
        """Totals `(n_obs, 1)` of changed rows; None where components do not know of totals."""
        if not STATES[self.features.state].is_counted or self.features.target_sum is not None:
            return None
        totals: Floats = counts.sum(1, keepdims=True)
        old, new = (np.maximum(part.sum(1, keepdims=True), 1e-9) for part in (before, after))
        totals *= np.clip(new / old, 1 / _MOST_GROWN, _MOST_GROWN)
        return totals

    def _in_proportion(self, linear: Floats, before: Floats, after: Floats) -> Floats:
        """Change values that are no counts as their expectation changes; each row keeps its total."""
        # A deviation of the logarithm, in expression: the slope of `exp(m) - 1` at the mean is `exp(m)`.
        slope = np.exp(np.minimum(self.features.mean[self.held], self.ceiling))
        floor = np.maximum(self.features.std[self.held] * slope, 1e-6)
        changed = linear * np.clip((after + floor) / (before + floor), 0.1, 10.0)
        total = changed.sum(1, keepdims=True)
        share = np.divide(linear.sum(1, keepdims=True), total, out=np.ones_like(total), where=total > 0)
        return np.asarray(changed * share, np.float32)

    def _placed(self, block: Matrix, values: Floats) -> sparse.csr_matrix:
        """Put values of the kept features in place of those of a block."""
        rows = sparse.csr_matrix(block, dtype=np.float32, copy=True)
        others = np.ones(rows.shape[1], np.float32)
        others[self.columns] = 0.0
        rows.data *= others[rows.indices]
        placed = sparse.coo_matrix(_finite(values.astype(np.float32)))
        new = sparse.csr_matrix((placed.data, (placed.row, self.columns[placed.col])), shape=rows.shape)
        rows = sparse.csr_matrix(rows + new)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        return rows

    def _measured(self, matrix: Matrix, change: Floats) -> Floats:
        """Add the change to measured values, medians where one was missing."""
        features = self.features
        dense = np.array(_dense(matrix), np.float32)
        kept = dense[:, self.columns]
        if len(features.medians):
            kept = np.where(np.isnan(kept), features.medians[self.held], kept)
        dense[:, self.columns] = _finite(kept + features.std[self.held] * self._standardised(change))
        return dense

    def _standardised(self, codes: Floats) -> Floats:
        """Bring components, or a change of them, back to standardised features, uncentred."""
        if not self.features.front_end:
            return codes[:, self.held]
        # Components are orthogonal axes over one scale: the inverse is their transpose over its square.
        axes = self.features.components
        lengths = np.maximum(np.square(axes).sum(0), _LEAST_LENGTH)
        return _finite((codes / lengths) @ axes[self.held].T)


def _finite(values: Floats) -> Floats:
    """Return values of features as they are, and refuse those of which one is not finite."""
    if not np.isfinite(np.sum(values, dtype=np.float64)):
        msg = (
            "What is generated cannot be turned back into features: some values are not finite. Look for "
            "extreme values in the data. If they are like those that the model was fitted on, the model is "
            "damaged: restore it, or fit it again."
        )
        raise InputError(msg)
    return values


def _dense(block: Matrix) -> Floats:
    return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float32)


def _smallest(block: Matrix) -> Floats:
    """Smallest value above 0 of each row, 1 where there is none. Shape: `(n_obs, 1)`."""
    rows = sparse.csr_matrix(block, dtype=np.float32, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    out = np.ones((rows.shape[0], 1), np.float32)
    is_filled = np.diff(rows.indptr) > 0
    if is_filled.any():  # empty rows have no part of `data`: those of the others follow on each other
        out[is_filled, 0] = np.minimum.reduceat(rows.data, rows.indptr[:-1][is_filled])
    return out
