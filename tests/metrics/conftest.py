"""Labelled rows whose classes lie as far apart as a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@pytest.fixture(scope="package")
def make_blobs() -> Callable[..., tuple[NDArray[np.float32], NDArray[np.str_]]]:
    """Rows of unit variance around the corners of a simplex, in classes a, b, c."""

    def make(
        distance: float, *, n_obs: int = 150, n_vars: int = 5, seed: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
        rng = np.random.default_rng(seed)
        number = np.arange(n_obs) % 3
        centers = distance * np.eye(3, n_vars)
        rows = centers[number] + rng.normal(0, 1, (n_obs, n_vars))
        return rows.astype(np.float32), np.array(["a", "b", "c"])[number]

    return make
