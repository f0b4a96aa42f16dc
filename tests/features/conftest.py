"""What the tests of preprocessing share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.config import FeatureConfig
from diffaug_bio.features import fit_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.features import FittedFeatures
    from diffaug_bio.matrix.blocks import Matrix

CONFIG = FeatureConfig(n_components=6, n_top_features=0, target_sum=1e4)  # few genes, no panel


def make_clusters(n_obs: int = 120, n_vars: int = 30) -> NDArray[np.float32]:
    """Measured values: four groups of rows, so that the leading components are well apart."""
    rng = np.random.default_rng(1)
    centers = rng.normal(0, 1, (4, n_vars)) * np.array([[4.0], [2.5], [1.5], [0.0]])
    rows = centers[np.arange(n_obs) % 4] + rng.normal(10, 1, (n_obs, n_vars))
    return np.asarray(rows, dtype=np.float32)


def untidy_copy(matrix: Matrix) -> Matrix:
    """The same CSR matrix with entries in reverse, every first entry of a row split in two, and zeros."""
    data: list[float] = []
    indices: list[int] = []
    indptr = [0]
    for row in range(matrix.shape[0]):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values, columns = list(matrix.data[part])[::-1], list(matrix.indices[part])[::-1]
        if values and values[-1] > 1:
            values[-1] -= 1
            values.insert(0, 1.0)
            columns.insert(0, columns[-1])
        absent = next(c for c in range(matrix.shape[1]) if c not in columns)
        data += [*values, 0.0]
        indices += [*columns, absent]
        indptr.append(len(data))
    parts = (np.array(data, np.float32), np.array(indices, np.int32), np.array(indptr, np.int32))
    return sparse.csr_matrix(parts, shape=matrix.shape)


def arrays_of(matrix: Matrix) -> list[NDArray[np.generic]]:
    if sparse.issparse(matrix):
        return [matrix.data.copy(), matrix.indices.copy(), matrix.indptr.copy()]
    return [matrix.copy()]


def fit(matrix: Matrix, config: FeatureConfig = CONFIG) -> FittedFeatures:
    return fit_features(matrix, config, seed=0)


def share_of_subspace(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Smallest cosine between two column spaces: 1 where they are the same."""
    basis, other = np.linalg.qr(first)[0], np.linalg.qr(second)[0]
    return float(np.linalg.svd(basis.T @ other, compute_uv=False).min())
