"""Fitted preprocessing: from a user's matrix to the rows that the networks see.

Counts are brought to one library size and logged, features are chosen, standardised and cut off, and a
fixed linear front end (principal components) is applied. Everything is done in blocks of rows: neither
fitting nor applying it makes a second copy of the matrix, and sparse rows stay sparse up to a block.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, svds

from diffaug_bio._blocks import row_blocks
from diffaug_bio._validation import check_size, shorten, summarise
from diffaug_bio.errors import InputError
from diffaug_bio.pp import highly_variable
from diffaug_bio.pp._state import EXPRESSION_STATES, check_declared, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio._validation import MatrixSummary
    from diffaug_bio.config import FeatureConfig
    from diffaug_bio.pp._state import InputState

    Floats = NDArray[np.float32]

logger = logging.getLogger(__name__)

_MEDIAN_VALUES = 2**24  # looked at once: 64 MB
_LARGEST_GRAM = 4096  # features or rows; above it the front end is found by iteration


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedFeatures:
    """Preprocessing with everything learned from the training rows."""

    state: InputState
    """What the input was."""
    n_vars: int
    """Features of the input."""
    target_sum: float
    """Library size for counts."""
    max_value: float | None
    """Where standardised values are cut off; a given representation is not."""
    front_end: bool
    """Whether the networks see components or standardised features."""
    selected: NDArray[np.int64]
    """Column numbers of the features kept. Shape: `(n_selected,)`."""
    medians: Floats
    """Put in where measured values are missing; empty for expression. Shape: `(n_selected,)`."""
    mean: Floats
    """Of each kept feature after normalisation. Shape: `(n_selected,)`."""
    std: Floats
    """Of each kept feature after normalisation. Shape: `(n_selected,)`."""
    center: Floats
    """Mean of the standardised and cut-off values. Shape: `(n_selected,)`."""
    components: Floats
    """Principal axes over one common scale. Shape: `(n_selected, n_components)`."""

    @property
    def n_features(self) -> int:
        """Width of the rows that the networks see."""
        return self.components.shape[1] if self.front_end else len(self.selected)

    def project(self, matrix: Matrix, columns: NDArray[np.int64] | None = None) -> Floats:
        """Preprocess rows and project them to the principal components.

        Parameters
        ----------
        matrix
            Dense or CSR. Shape: `(n_obs, n)`, where `n` is `n_vars` unless `columns` is given.
        columns
            For each training feature its column in `matrix`, or -1 where it is missing; missing
            features count as the training mean. Shape: `(n_vars,)`.

        Returns
        -------
        Shape: `(n_obs, n_components)`.
        """
        out = np.empty((matrix.shape[0], self.components.shape[1]), np.float32)
        for rows, block in row_blocks(matrix):
            values, offset = self._standardised(block, columns)
            out[rows] = values @ self.components + (offset - self.center) @ self.components
        return out

    def dense_rows(self, block: Matrix, columns: NDArray[np.int64] | None = None) -> Floats:
        """Preprocess a few rows without the front end.

        Returns
        -------
        Standardised features, centred. Shape: `(n_obs, n_selected)`.
        """
        values, offset = self._standardised(block, columns)
        dense = values.toarray() if sparse.issparse(values) else values
        return np.asarray(dense + (offset - self.center), dtype=np.float32)

    def _standardised(self, block: Matrix, columns: NDArray[np.int64] | None) -> tuple[Matrix, Floats]:
        """Kept features, standardised and cut off, less an offset that keeps zeros zero."""
        absent = np.zeros(len(self.selected), bool)
        if columns is not None:
            block, absent = _take_columns(block, columns), columns[self.selected] < 0
        kept = normalize(block, self.state, target_sum=self.target_sum)[:, self.selected]
        if sparse.issparse(kept):
            offset = self._cut_off(-self.mean / self.std)
            where = kept.indices
            scaled = (kept.data - self.mean[where]) / self.std[where]
            kept.data = self._cut_off(scaled) - offset[where]
            return kept, np.where(absent, self.center, offset)
        kept = np.where(np.isnan(kept), self.medians, kept)
        kept = self._cut_off((kept - self.mean) / self.std)
        return np.where(absent, self.center, kept), np.zeros_like(self.mean)

    def _cut_off(self, values: Floats) -> Floats:
        """Cut standardised values off, so that no outlier rules the front end."""
        if self.max_value is None:
            return values
        return np.clip(values, -self.max_value, self.max_value)


def normalize(block: Matrix, state: InputState, *, target_sum: float) -> Matrix:
    """Bring rows to log-normalised expression, or leave measured values as they are.

    Parameters
    ----------
    block
        Dense or CSR rows. Shape: `(n_obs, n_vars)`.
    state
        What they hold; counts are brought to `target_sum` and logged, normalised values logged.
    target_sum
        Library size.

    Returns
    -------
    A new float32 matrix: CSR for expression, whatever came in, else dense; the same values give the
    same bits in either container.
    """
    if state not in EXPRESSION_STATES:
        dense = block.toarray() if sparse.issparse(block) else block
        return np.array(dense, dtype=np.float32)
    rows = sparse.csr_matrix(block, dtype=np.float32, copy=True)
    rows.sum_duplicates()
    if state == "counts":
        library = np.asarray(rows.sum(1, dtype=np.float64)).ravel()
        factor = np.divide(target_sum, library, out=np.zeros_like(library), where=library > 0)
        rows.data *= np.repeat(factor, np.diff(rows.indptr)).astype(np.float32)
    if state != "lognormalized":
        np.log1p(rows.data, out=rows.data)
    return rows


def fit_features(
    matrix: Matrix,
    config: FeatureConfig,
    *,
    seed: int,
    feature_names: Sequence[str] | None = None,
) -> FittedFeatures:
    """Learn the preprocessing of a matrix, and say in the log what was found.

    Parameters
    ----------
    matrix
        Dense or CSR. Shape: `(n_obs, n_vars)`.
    config
        Settings.
    seed
        Start of the iteration that finds the components of matrices with more than 4096 rows and kept
        features.
    feature_names
        Names for messages.

    Raises
    ------
    InputError
        If the matrix is too small, infinite, constant, wholly missing in a column, or not what it is
        declared to be.
    """
    check_size(matrix)
    summary = summarise(matrix, feature_names=feature_names)
    declared = config.input_state
    state = state_of(matrix, summary) if declared == "auto" else declared
    check_declared(state, summary)
    medians = _medians(matrix, state, summary, feature_names)
    mean, variance, dispersion_moments = _moments(
        matrix, state, target_sum=config.target_sum, medians=medians
    )
    selected = _select(state, config, variance, dispersion_moments)
    _log_findings(matrix, state, summary, declared=declared != "auto", n_selected=len(selected))
    is_representation = state == "representation"
    std = np.ones(len(selected)) if is_representation else np.sqrt(variance[selected])
    unfitted = FittedFeatures(
        state=state,
        n_vars=matrix.shape[1],
        target_sum=config.target_sum,
        max_value=None if is_representation else config.max_value,
        front_end=config.front_end == "pca",
        selected=selected,
        medians=medians[selected] if len(medians) else medians,
        mean=mean[selected].astype(np.float32),
        std=std.astype(np.float32),
        center=np.zeros(len(selected), np.float32),
        components=np.zeros((len(selected), 0), np.float32),
    )
    center, components = principal_axes(matrix, unfitted, n_components=config.n_components, seed=seed)
    return replace(unfitted, center=center, components=components)


def principal_axes(
    matrix: Matrix, features: FittedFeatures, *, n_components: int, seed: int
) -> tuple[Floats, Floats]:
    """Find the principal axes of the standardised rows, block by block.

    With at most 4096 kept features (or rows) this is an exact eigendecomposition of the small Gram
    matrix; beyond that ARPACK iterates over blocks.

    Parameters
    ----------
    matrix
        Training rows. Shape: `(n_obs, n_vars)`.
    features
        Preprocessing without a front end.
    n_components
        Axes wanted; there are at most `min(n_obs - 1, n_selected)`.
    seed
        Start of the iteration.

    Returns
    -------
    The mean of the standardised rows `(n_selected,)`, and the axes `(n_selected, n_components)`, all
    divided by one number that gives the scores a mean variance of 1: the diffusion needs rows of about
    unit variance, but whitening each component would blow up noise.
    """
    n_obs, n_selected = matrix.shape[0], len(features.selected)
    n_components = min(n_components, n_obs - 1, n_selected)
    total = np.zeros(n_selected)
    gram = np.zeros((n_selected, n_selected)) if n_selected <= min(n_obs, _LARGEST_GRAM) else None
    for _, block in row_blocks(matrix):
        rows = features.dense_rows(block)
        total += rows.sum(0, dtype=np.float64)
        if gram is not None:
            gram += rows.T @ rows
    center = total / n_obs
    centered = replace(features, center=center.astype(np.float32))
    if gram is not None:
        variances, axes = _top_eigenvectors(gram / n_obs - np.outer(center, center), n_components)
    elif n_obs <= _LARGEST_GRAM:
        dense = centered.dense_rows(matrix)
        variances, scores = _top_eigenvectors((dense @ dense.T).astype(np.float64), n_components)
        axes = dense.T @ scores / np.sqrt(np.maximum(variances, 1e-12))
        variances = variances / n_obs
    else:
        variances, axes = _iterated_axes(matrix, centered, n_components, seed=seed)
    # An eigenvector's sign is arbitrary: the largest entry is made positive, for reproducibility.
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    scale = np.sqrt(max(float(np.mean(variances)), 1e-12))
    return centered.center, (axes * signs / scale).astype(np.float32)


def _top_eigenvectors(
    gram: NDArray[np.float64], n_top: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest eigenvalues of a symmetric matrix, descending, and their eigenvectors in columns."""
    n = len(gram)
    values, vectors = linalg.eigh(gram, subset_by_index=[n - n_top, n - 1])
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def _iterated_axes(
    matrix: Matrix, centered: FittedFeatures, n_components: int, *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances and principal axes by ARPACK, rows read in blocks at every product."""
    shape = (matrix.shape[0], len(centered.selected))

    def times(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        axis = vector.reshape(-1, 1).astype(np.float32)
        return replace(centered, components=axis).project(matrix).ravel().astype(np.float64)

    def transposed_times(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros(shape[1])
        for rows, block in row_blocks(matrix):
            values, offset = centered._standardised(block, None)
            weights = vector.ravel()[rows]
            out += values.T @ weights + (offset - centered.center) * weights.sum()
        return out

    operator = LinearOperator(shape, matvec=times, rmatvec=transposed_times, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(min(shape))
    _, singular, axes = svds(operator, k=min(n_components, min(shape) - 1), v0=start)
    order = np.argsort(-singular)
    return singular[order] ** 2 / shape[0], axes[order].T


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


def _medians(
    matrix: Matrix,
    state: InputState,
    summary: MatrixSummary,
    feature_names: Sequence[str] | None,
) -> Floats:
    """Median of each measured feature, a few columns at a time."""
    if state in EXPRESSION_STATES:
        return np.zeros(0, np.float32)
    medians = np.zeros(matrix.shape[1], np.float32)
    step = max(1, _MEDIAN_VALUES // matrix.shape[0])
    for start in range(0, matrix.shape[1], step):
        block = matrix[:, start : start + step]
        values = np.asarray(block.toarray() if sparse.issparse(block) else block, np.float32)
        empty = [start + int(i) for i in np.flatnonzero(np.isnan(values).all(0))]
        if empty:
            names = [feature_names[i] if feature_names else i for i in empty]
            msg = f"Features without a single value: {shorten(names)}. Remove these columns."
            raise InputError(msg)
        medians[start : start + step] = np.nanmedian(values, axis=0)
    return medians


def _moments(
    matrix: Matrix, state: InputState, *, target_sum: float, medians: Floats
) -> tuple[
    NDArray[np.float64], NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]] | None
]:
    """Mean and variance of normalised features; for expression those before the logarithm, too."""
    n_obs, n_vars = matrix.shape
    sums = np.zeros((4, n_vars))
    for _, block in row_blocks(matrix):
        rows = normalize(block, state, target_sum=target_sum)
        if sparse.issparse(rows):
            values = rows.data.astype(np.float64)
            unlogged = np.expm1(values)
            for row, weights in enumerate((values, values**2, unlogged, unlogged**2)):
                sums[row] += np.bincount(rows.indices, weights=weights, minlength=n_vars)
        else:
            rows = np.where(np.isnan(rows), medians, rows).astype(np.float64)
            sums[0] += rows.sum(0)
            sums[1] += (rows**2).sum(0)
    means = sums[[0, 2]] / n_obs
    variances = np.maximum(sums[[1, 3]] / n_obs - means**2, 0.0) * n_obs / (n_obs - 1)
    # Rounding leaves a constant feature a variance just above 0.
    variances[variances < 1e-10 * means**2] = 0.0
    unlogged_moments = (means[1], variances[1]) if state in EXPRESSION_STATES else None
    return means[0], variances[0], unlogged_moments


def _select(
    state: InputState,
    config: FeatureConfig,
    variance: NDArray[np.float64],
    unlogged: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> NDArray[np.int64]:
    """Column numbers of the features to keep: those that vary, and of expression the most variable."""
    varying = np.flatnonzero(variance > 0)
    if len(varying) == 0:
        msg = (
            "Every feature has the same value in all rows, so there is nothing to learn. Look whether "
            "the right matrix or layer was chosen."
        )
        raise InputError(msg)
    if unlogged is None or config.n_top_features == 0 or len(varying) <= config.n_top_features:
        return varying
    return highly_variable(*unlogged, n_top=config.n_top_features)


def _log_findings(
    matrix: Matrix, state: InputState, summary: MatrixSummary, *, declared: bool, n_selected: int
) -> None:
    """Say what the input was taken for and what is done with it."""
    n_obs, n_vars = matrix.shape
    treatment = {
        "counts": "normalised to library size, logged, standardised",
        "normalized": "logged, standardised",
        "lognormalized": "standardised",
        "scaled": "standardised",
        "continuous": "standardised",
        "representation": "taken as they are",
    }[state]
    logger.info(
        "Input: %d rows x %d features, %s as %s: %s; %d features kept.",
        n_obs,
        n_vars,
        state,
        "declared" if declared else "detected",
        treatment,
        n_selected,
    )
    if summary.n_missing:
        logger.warning(
            "%d missing values (%.2g %%) are replaced by their features' medians.",
            summary.n_missing,
            100 * summary.n_missing / (n_obs * n_vars),
        )
    if summary.n_zero_rows:
        logger.warning("%d rows hold nothing but zeros; consider removing them.", summary.n_zero_rows)
