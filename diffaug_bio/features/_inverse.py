"""From generated components back to the features of the input: counts, expression, measured values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse

from diffaug_bio.features._counts import CountNoise
from diffaug_bio.pp._state import EXPRESSION_STATES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.features._fitted import FittedFeatures

    Floats = NDArray[np.floating]

_BLOCK_VALUES = 2**21  # of kept features that are worked on at once
_MAX_LOGGED = 12.0  # of a reconstructed logarithm: 160,000 of a library of 10,000 are never meant
_NEARLY_WHOLE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureInverse:
    """Turns the change of a row's components into a change of its features.

    What no component holds stays as in the source. Of measured values and scaled expression the change is
    added. Of counts each is thinned or added to as its rate changes, and some are drawn anew; see
    :class:`CountNoise`. Expression that was brought to a library size is taken apart into the counts that
    it was made of, where the smallest value of a row shows them; else its values change in proportion, and
    what was zero stays zero.
    """

    features: FittedFeatures
    """The preprocessing."""
    held: NDArray[np.bool_]
    """Which of the kept features the data hold. Shape: `(n_selected,)`."""
    columns: NDArray[np.int64]
    """Where those stand in the data. Shape: `(held.sum(),)`."""
    noise: CountNoise | None
    """Of counts; of anything else nothing."""

    @classmethod
    def fit(
        cls,
        features: FittedFeatures,
        matrix: Matrix,
        columns: NDArray[np.int64] | None,
        codes: Floats,
        generated: Floats,
    ) -> Self:
        """Learn how counts follow from components.

        Parameters
        ----------
        features
            The preprocessing.
        matrix
            Rows of any kind that the model knows, the more the better. Shape: `(n_obs, n)`.
        columns
            For each training feature its column in `matrix`, or -1; None where all stand as in the fit.
        codes, generated
            Of these rows, and generated from them at the strength that is to be used. Shape:
            `(n_obs, n_features)`.
        """
        chosen = features.selected if columns is None else columns[features.selected]
        held = chosen >= 0
        unfitted = cls(features=features, held=held, columns=chosen[held], noise=None)
        if features.state not in EXPRESSION_STATES:
            return unfitted
        counts, _ = unfitted.counts(matrix)
        if counts is None:
            return unfitted
        noise = CountNoise.fit(counts, unfitted.expected(codes), unfitted.expected(generated))
        return cls(features=features, held=held, columns=chosen[held], noise=noise)

    def apply(
        self,
        matrix: Matrix,
        codes: Floats,
        generated: Floats,
        *,
        redraw: float,
        generator: np.random.Generator,
    ) -> Matrix:
        """Change rows as their components changed.

        Parameters
        ----------
        matrix
            The sources. Shape: `(n_obs, n)`.
        codes, generated
            Their components, and what was generated from them. Shape: `(n_obs, n_features)`.
        redraw
            Share of counts that are drawn anew.
        generator
            Source of the counts' noise.

        Returns
        -------
        As wide as `matrix`, sparse where that is; float32.
        """
        if self.features.state not in EXPRESSION_STATES:
            return self._measured(matrix, np.asarray(generated, np.float32) - codes)
        step = max(1, _BLOCK_VALUES // max(1, len(self.columns)))
        parts = []
        for start in range(0, matrix.shape[0], step):
            rows = slice(start, start + step)
            block, old, new = matrix[rows], codes[rows], generated[rows]
            parts.append(self._expression(block, old, new, redraw=redraw, generator=generator))
        together = sparse.vstack(parts, format="csr")
        return together if sparse.issparse(matrix) else together.toarray()

    def keeps_sparse(self, matrix: Matrix) -> bool:
        """Whether what comes out of a matrix is sparse."""
        return self.features.state in EXPRESSION_STATES and sparse.issparse(matrix)

    def expected(self, codes: Floats) -> Floats:
        """Turn components into normalised expression, not logged; shape `(n_obs, n_held)`."""
        features = self.features
        scores = self._standardised(np.asarray(codes, np.float32)) + features.center[self.held]
        if features.max_value is not None:
            scores = np.minimum(scores, features.max_value)
        logged = features.mean[self.held] + features.std[self.held] * scores
        return np.expm1(np.clip(logged, 0.0, _MAX_LOGGED))

    def counts(self, block: Matrix) -> tuple[Floats | None, Floats]:
        """Find the counts of the kept features, and how much of the input one count of each row is.

        Returns
        -------
        Counts `(n_obs, n_held)`, or None where values are not made of counts; and units `(n_obs, 1)`.
        """
        kept = _dense(block[:, self.columns])
        if self.features.state == "counts":
            return kept, np.ones((len(kept), 1), np.float32)
        linear = np.expm1(kept) if self.features.state == "lognormalized" else kept
        everything = sparse.csr_matrix(block)
        units = np.array([_smallest(everything, row) for row in range(everything.shape[0])], np.float32)
        units = np.expm1(units) if self.features.state == "lognormalized" else units
        found = linear / units[:, None]
        whole = np.abs(found - np.rint(found)) < _NEARLY_WHOLE * np.maximum(1.0, found / 100)
        is_made_of_counts = whole[found > 0].mean() > 1 - _NEARLY_WHOLE if (found > 0).any() else False
        return (np.rint(found) if is_made_of_counts else None), units[:, None]

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
        logged = self.features.state == "lognormalized"
        if counts is not None and self.noise is not None:
            values = units * self.noise.draw(counts, before, after, redraw=redraw, generator=generator)
        else:
            kept = _dense(block[:, self.columns])
            linear = np.expm1(kept) if logged else kept
            floor = np.maximum(self.features.std[self.held], 1e-6)
            changed = linear * np.clip((after + floor) / (before + floor), 0.1, 10.0)
            total = changed.sum(1, keepdims=True)
            share = np.divide(linear.sum(1, keepdims=True), total, out=np.ones_like(total), where=total > 0)
            values = changed * share
        values = np.log1p(values) if logged else values
        rows = sparse.csr_matrix(block, dtype=np.float32, copy=True)
        others = np.ones(rows.shape[1], np.float32)
        others[self.columns] = 0.0
        placed = sparse.coo_matrix(values.astype(np.float32))
        new = sparse.csr_matrix((placed.data, (placed.row, self.columns[placed.col])), shape=rows.shape)
        rows = rows.multiply(others[None]).tocsr() + new
        rows.eliminate_zeros()
        return rows

    def _measured(self, matrix: Matrix, change: Floats) -> Floats:
        """Add the change to measured values, medians where one was missing."""
        features = self.features
        dense = np.array(_dense(matrix), np.float32)
        kept = dense[:, self.columns]
        if len(features.medians):
            kept = np.where(np.isnan(kept), features.medians[self.held], kept)
        dense[:, self.columns] = kept + features.std[self.held] * self._standardised(change)
        return dense

    def _standardised(self, codes: Floats) -> Floats:
        """Bring components, or a change of them, back to standardised features, uncentred."""
        if not self.features.front_end:
            return codes[:, self.held]
        # Components are orthogonal axes over one scale: the inverse is their transpose over its square.
        axes = self.features.components
        restored: Floats = (codes / np.square(axes).sum(0)) @ axes[self.held].T
        return restored


def _dense(block: Matrix) -> Floats:
    return np.asarray(block.toarray() if sparse.issparse(block) else block, dtype=np.float32)


def _smallest(rows: sparse.csr_matrix, row: int) -> float:
    """Smallest value above 0 of a row, 1 where there is none."""
    values = rows.data[rows.indptr[row] : rows.indptr[row + 1]]
    values = values[values > 0]
    return float(values.min()) if len(values) else 1.0
