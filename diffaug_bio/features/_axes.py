"""The fixed linear front end: principal axes of standardised rows, found in blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, svds

from diffaug_bio.features._standardised import Standardised
from diffaug_bio.matrix.blocks import row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix

_Made = TypeVar("_Made", bound=Standardised)
_LARGEST_GRAM = 4096  # features or rows; above it the front end is found by iteration
_LARGEST_DENSE = 2**26  # values of a wide matrix of few rows: 256 MB in float32
_LEAST_NOISE = 0.01  # of the mean variance: what few features hardly show must not be blown up


def with_components(features: _Made, matrix: Matrix, *, n_components: int, seed: int) -> _Made:
    """Copy preprocessing with principal axes, at most `min(n_obs - 1, n_selected)`, found in blocks.

    With at most 4096 kept features (or rows, of a matrix of up to 256 MB) this is an exact
    eigendecomposition of the small Gram matrix; beyond that ARPACK iterates over blocks, from a start
    that `seed` draws. Axes are divided by one number, not each by its own: the diffusion needs rows of
    about unit variance, but whitening each component would blow up noise.
    """
    n_obs, n_selected = matrix.shape[0], len(features.selected)
    n_components = min(n_components, n_obs - 1, n_selected)
    total, squares = np.zeros(n_selected), 0.0
    gram = np.zeros((n_selected, n_selected)) if n_selected <= min(n_obs, _LARGEST_GRAM) else None
    for _, block in row_blocks(matrix):
        rows = features.dense_rows(block)
        total += rows.sum(0, dtype=np.float64)
        squares += float(np.vdot(rows, rows))
        if gram is not None:
            gram += rows.T @ rows
    center = total / n_obs
    centered = replace(features, center=center.astype(np.float32))
    if gram is not None:
        variances, axes = _top_eigenvectors(gram / n_obs - np.outer(center, center), n_components)
    elif n_obs <= _LARGEST_GRAM and n_obs * n_selected <= _LARGEST_DENSE:
        dense = centered.dense_rows(matrix)
        variances, scores = _top_eigenvectors((dense @ dense.T).astype(np.float64), n_components)
        axes = dense.T @ scores / np.sqrt(np.maximum(variances, 1e-12))
        variances = variances / n_obs
    else:
        variances, axes = _iterated_axes(matrix, centered, n_components, seed=seed)
    # An eigenvector's sign is arbitrary: the largest entry is made positive, for reproducibility.
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    scale = np.sqrt(max(float(np.mean(variances)), 1e-12))
    noise = _noise(squares / n_obs - float(center @ center), variances, n_obs, n_selected)
    return replace(
        centered,
        # In the order of memory that a loaded model has, so that it gives the same bits.
        components=np.ascontiguousarray((axes * signs / scale).astype(np.float32)),
        variances=(variances / scale**2).astype(np.float32),
        noise=np.array([noise / scale**2], np.float32),
    )


def widened(features: _Made, matrix: Matrix, width: int, *, seed: int) -> _Made:
    """Copy preprocessing with as many components as `width`, or as there can be."""
    width = min(width, matrix.shape[0] - 1, len(features.selected))
    if features.components.shape[1] >= width:
        return features
    uncentered = replace(features, center=np.zeros_like(features.center))
    return with_components(uncentered, matrix, n_components=width, seed=seed)


def _noise(total: float, variances: NDArray[np.float64], n_obs: int, n_selected: int) -> float:
    """Variance in a direction that no axis explains: what the axes leave, by its degrees of freedom.

    The smaller half of all possible axes counts as left: they explain training rows better than others.
    """
    n_kept = min(len(variances), min(n_obs - 1, n_selected) // 2)
    left = max(total - float(variances[:n_kept].sum()), 0.0) * n_obs
    return max(left / ((n_obs - 1 - n_kept) * (n_selected - n_kept)), _LEAST_NOISE * total / n_selected)


def _top_eigenvectors(
    gram: NDArray[np.float64], n_top: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest eigenvalues of a symmetric matrix, descending, and their eigenvectors in columns."""
    n = len(gram)
    values, vectors = linalg.eigh(gram, subset_by_index=[n - n_top, n - 1])
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def _iterated_axes(
    matrix: Matrix, centered: Standardised, n_components: int, *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances and principal axes by ARPACK, rows read in blocks at every product."""
    shape = (matrix.shape[0], len(centered.selected))

    def times(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        axis = vector.reshape(-1, 1).astype(np.float32)
        return replace(centered, components=axis).project(matrix).ravel().astype(np.float64)

    def transposed_times(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros(shape[1])
        for rows, block in row_blocks(matrix):
            values, offset = centered.standardised(block, None)
            weights = vector.ravel()[rows]
            out += values.T @ weights + (offset - centered.center) * weights.sum()
        return out

    operator = LinearOperator(shape, matvec=times, rmatvec=transposed_times, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(min(shape))
    _, singular, axes = svds(operator, k=min(n_components, min(shape) - 1), v0=start)
    order = np.argsort(-singular)
    return singular[order] ** 2 / shape[0], axes[order].T
