"""Features of rows, normalised, standardised and projected to principal components."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import sparse

from diffaug_bio.config.kinds import STATES
from diffaug_bio.features._observed import ARRAYS as RANGES
from diffaug_bio.features._observed import Observed
from diffaug_bio.features._protocol import Record
from diffaug_bio.features.records import (
    ARRAY_TYPES,
    CONFIG,
    COUNT,
    FLAG,
    POSITIVE,
    STATE,
    ArrayRule,
    check_equal,
    check_fields,
    size_of,
)
from diffaug_bio.matrix.blocks import row_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from diffaug_bio.config import InputState
    from diffaug_bio.matrix.blocks import Matrix

    Floats = NDArray[np.float32]

_FIELDS = ("state", "n_vars", "target_sum", "max_value", "front_end")
_ARRAYS = ("selected", "medians", "mean", "std", "center", "components", "variances", "noise", "expected")
_PREFIX = "features."  # of the arrays' names in a model folder, beside those of networks
PLAIN_FIELDS = {
    "state": STATE,
    "n_vars": COUNT,
    "target_sum": POSITIVE.or_null(),
    "max_value": POSITIVE.or_null(),
    "front_end": FLAG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardised:
    """Standardisation and principal axes, as learned from the training rows."""

    state: InputState
    """State of the training matrix."""
    n_vars: int
    """Features of the training matrix."""
    target_sum: float | None
    """Library size that counts are brought to; None if every row keeps its total."""
    max_value: float | None
    """Largest absolute standardised value; None if values are not cut off."""
    front_end: bool
    """True if the networks see principal components, False if they see standardised features."""
    selected: NDArray[np.int64]
    """Column numbers of the features that are kept. Shape: `(n_selected,)`."""
    medians: Floats
    """Values put in for missing ones; empty for expression. Shape: `(n_selected,)`."""
    mean: Floats
    """Mean of each kept feature after normalisation. Shape: `(n_selected,)`."""
    std: Floats
    """Standard deviation of each kept feature after normalisation. Shape: `(n_selected,)`."""
    center: Floats
    """Mean of the standardised and cut-off values. Shape: `(n_selected,)`."""
    components: Floats
    """Principal axes over one common scale. Shape: `(n_selected, n_components)`."""
    expected: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    """Mean of each feature of counts, not logged, at the library size if any. Shape: `(n_vars,)`."""
    variances: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    """Variances of the components among the training rows. Shape: `(n_components,)`."""
    noise: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    """Variance in any direction that no component explains, on the scale of `variances`. Shape: `(1,)`."""
    observed: Observed | None = None
    """Range of each feature of a table among the training rows; None of other data."""

    @property
    def n_features(self) -> int:
        """Width of the rows that the networks see."""
        return self.components.shape[1] if self.front_end else len(self.selected)

    def project(self, matrix: Matrix, columns: NDArray[np.int64] | None = None) -> Floats:
        """Preprocess rows and project them to the principal components; shape `(n_obs, n_components)`.

        `columns` holds the column of each training feature in `matrix`, or -1: components are then
        estimated from the features that are there.
        """
        components = self.components if columns is None else self._completed(columns[self.selected] < 0)
        out = np.empty((matrix.shape[0], components.shape[1]), np.float32)
        for rows, block in row_blocks(matrix):
            values, offset = self.standardised(block, columns)
            out[rows] = values @ components + (offset - self.center) @ components
        return out

    def _completed(self, absent: NDArray[np.bool_]) -> Floats:
        """Axes by which rows that lack features have the scores that are expected of whole rows.

        Rows are Gaussian, with the variances of the components and the same noise in every direction
        (probabilistic PCA, Tipping & Bishop 1999). Of that model the conditional mean of missing features
        is `V_m S t`, with their part `V_m` of the axes, `t` the scores of the row so completed, and `S`
        the share of each score's variance that is not noise. With `V_p` of the features which are there,
        `t = V_p' s_p + V_m' V_m S t`, which is solved for `t` once for all rows.
        """
        if not absent.any():
            return self.components
        axes = self.components.astype(np.float64)
        lengths = np.square(axes).sum(0)  # one number, but of axes without any variance
        part = axes[absent] / np.sqrt(lengths.max())
        noise = np.float64(self.noise[0])
        signal = 1 - noise / np.maximum(self.variances, noise)
        unknown = part.T @ part * signal
        return np.linalg.solve(np.eye(len(signal)) - unknown, axes.T).T.astype(np.float32)

    def dense_rows(self, block: Matrix, columns: NDArray[np.int64] | None = None) -> Floats:
        """Standardise a few rows, centred, without the front end; shape `(n_obs, n_selected)`."""
        values, offset = self.standardised(block, columns)
        dense = values.toarray() if sparse.issparse(values) else values
        return np.asarray(dense + (offset - self.center), dtype=np.float32)

    def standardised(self, block: Matrix, columns: NDArray[np.int64] | None) -> tuple[Matrix, Floats]:
        """Standardise and cut off kept features, less an offset that keeps zeros zero."""
        absent, target_sum = np.zeros(len(self.selected), bool), self.target_sum
        if columns is not None:
            block, absent = _take_columns(block, columns), columns[self.selected] < 0
            if target_sum is not None:
                target_sum *= self._expected_share(columns >= 0)
        kept = normalize(block, self.state, target_sum=target_sum)[:, self.selected]
        if sparse.issparse(kept):
            offset = self._cut_off(-self.mean / self.std)
            where = kept.indices
            scaled = (kept.data - self.mean[where]) / self.std[where]
            kept.data = self._cut_off(scaled) - offset[where]
            return kept, np.where(absent, self.center, offset)
        kept = np.where(np.isnan(kept), self.medians, kept)
        kept = self._cut_off((kept - self.mean) / self.std)
        return np.where(absent, self.center, kept), np.zeros_like(self.mean)

    def _expected_share(self, present: NDArray[np.bool_]) -> float:
        """Share of a library that the present features carry among the training rows.

        Brought to the whole library size, rows that lack features would be inflated.
        """
        if present.all() or not len(self.expected):
            return 1.0
        return float(self.expected[present].sum(dtype=np.float64) / self.expected.sum(dtype=np.float64))

    def _cut_off(self, values: Floats) -> Floats:
        """Cut standardised values off, so that no outlier rules the front end."""
        if self.max_value is None:
            return values
        return np.clip(values, -self.max_value, self.max_value)

    def record(self) -> Record:
        """Split into plain values and arrays; see :class:`Fitted`."""
        names = _ARRAYS if len(self.expected) else _ARRAYS[:-1]
        arrays = {name: getattr(self, name) for name in names}
        if self.observed is not None:
            arrays |= self.observed.arrays()
        return Record(
            {name: getattr(self, name) for name in _FIELDS},
            {f"{_PREFIX}{name}": array for name, array in arrays.items()},
        )

    @classmethod
    def rules(
        cls,
        plain: Mapping[str, Any],
        arrays: Mapping[str, Any],
        *,
        prefix: str = "",
        keeps_all: bool = False,
        is_inner: bool = False,
    ) -> dict[str, ArrayRule]:
        """List the rules of the arrays, given plain values that are right.

        Within the preprocessing of images, arrays' names have a prefix, and all columns are kept. Within
        that of images or sequences (`is_inner`), there are no ranges.
        """
        prefix, state = f"{prefix}{_PREFIX}", STATES[plain["state"]]
        n_vars = plain["n_vars"]
        n_selected = n_vars if keeps_all else max(min(size_of(arrays, f"{prefix}selected", 0), n_vars), 1)
        n_components = min(max(size_of(arrays, f"{prefix}components", 1), 1), n_selected)
        rules = {
            "selected": ArrayRule((n_selected,), "ascending", ARRAY_TYPES["I64"], n_vars=n_vars),
            "medians": ArrayRule((0 if state.is_sparse else n_selected,)),
            "mean": ArrayRule((n_selected,)),
            "std": ArrayRule((n_selected,), "positive"),
            "center": ArrayRule((n_selected,)),
            "components": ArrayRule((n_selected, n_components)),
            "variances": ArrayRule((n_components,), "not_negative"),
            "noise": ArrayRule((1,), "positive"),
        }
        if state.is_counted:
            rules["expected"] = ArrayRule((n_vars,), "some_positive")
        if state.keeps_range and not is_inner:
            rules |= {name: ArrayRule((n_vars,)) for name in RANGES}
        return {f"{prefix}{name}": rule for name, rule in rules.items()}

    @classmethod
    def from_record(cls, plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild what :meth:`record` split; other arrays may be among them."""
        is_counted = STATES[plain["state"]].is_counted
        names = _ARRAYS if is_counted else _ARRAYS[:-1]
        # Pixels and words are continuous within their own preprocessing, and have no ranges.
        ranges = {name: arrays[key] for name in RANGES if (key := f"{_PREFIX}{name}") in arrays}
        observed = Observed.from_arrays(ranges) if ranges else None
        return cls(**{**plain, **{name: arrays[f"{_PREFIX}{name}"] for name in names}}, observed=observed)


def inner(n_vars: int, selected: NDArray[np.int64], mean: Floats, std: Floats) -> Standardised:
    """Make standardisation without axes yet, for within the preprocessing of sequences or images."""
    zeros = np.zeros(len(selected), np.float32)
    return Standardised(
        state="continuous",
        n_vars=n_vars,
        target_sum=1.0,
        max_value=None,
        front_end=True,
        selected=selected,
        medians=zeros,
        mean=mean,
        std=std,
        center=zeros,
        components=np.zeros((len(selected), 0), np.float32),
    )


def check_inner(plain: Mapping[str, Any], n_vars: int, where: str) -> None:
    """Check the plain values of standardisation within the preprocessing of sequences or images."""
    check_fields(plain, PLAIN_FIELDS, CONFIG, where)
    expected = {"state": "continuous", "n_vars": n_vars, "target_sum": 1.0, "max_value": None}
    check_equal(plain, {**expected, "front_end": True}, where)


def normalize(block: Matrix, state: InputState, *, target_sum: float | None) -> Matrix:
    """Normalise counts to a library size and log what is not logged; copy other values.

    Counts keep their totals if `target_sum` is None. Returns float32: CSR for expression, whatever came
    in, else dense; the same values give the same bits in either container.
    """
    if not STATES[state].is_sparse:
        dense = block.toarray() if sparse.issparse(block) else block
        return np.array(dense, dtype=np.float32)
    rows = sparse.csr_matrix(block, dtype=np.float32, copy=True)
    rows.sum_duplicates()
    if STATES[state].is_counted and target_sum is not None:
        library = np.asarray(rows.sum(1, dtype=np.float64)).ravel()
        factor = np.divide(target_sum, library, out=np.zeros_like(library), where=library > 0)
        rows.data *= np.repeat(factor, np.diff(rows.indptr)).astype(np.float32)
    if not STATES[state].is_logged:
        np.log1p(rows.data, out=rows.data)
    return rows


def _take_columns(block: Matrix, columns: NDArray[np.int64]) -> Matrix:
    """Columns in a given order, with zeros where the number is -1."""
    if sparse.issparse(block):
        n_rows, n_vars = block.shape
        # The same entries in a matrix one column wider: the last one is empty.
        wider = sparse.csr_matrix((block.data, block.indices, block.indptr), shape=(n_rows, n_vars + 1))
        return wider[:, np.where(columns < 0, n_vars, columns)]
    present = columns >= 0
    out = np.zeros((block.shape[0], len(columns)), block.dtype)
    out[:, present] = block[:, columns[present]]
    return out
