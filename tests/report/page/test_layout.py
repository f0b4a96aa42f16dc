"""Neighbors and coordinates of the rows that a page shows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio.report.page import lay_out, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def clusters() -> NDArray[np.float32]:
    """Three clusters of forty rows each."""
    rng = np.random.default_rng(0)
    return (10 * np.repeat(np.eye(3, 6), 40, axis=0) + rng.normal(size=(120, 6))).astype(np.float32)


def test_neighbors_are_the_nearest_other_rows(clusters: NDArray[np.float32]) -> None:
    found = nearest(clusters, n_neighbors=4)
    distances = np.linalg.norm(clusters[:, None] - clusters[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(found.rows, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :4], rtol=1e-5)


def test_clusters_stand_apart_and_the_seed_decides(clusters: NDArray[np.float32]) -> None:
    neighbors = nearest(clusters)
    points = lay_out(clusters, neighbors, seed=0)
    assert points.shape == (120, 2)
    near = nearest(points, n_neighbors=5).rows // 40
    assert (near == np.repeat([0, 1, 2], 40)[:, None]).mean() > 0.98
    np.testing.assert_array_equal(points, lay_out(clusters, neighbors, seed=0))
    assert (points != lay_out(clusters, neighbors, seed=1)).any()


def test_the_random_numbers_of_others_are_left_alone(clusters: NDArray[np.float32]) -> None:
    random.seed(3)
    expected = [random.random() for _ in range(3)]
    random.seed(3)
    lay_out(clusters, nearest(clusters), seed=0)
    assert [random.random() for _ in range(3)] == expected


@pytest.mark.parametrize("n_rows", [2, 3, 4, 16], ids=lambda n: f"{n} rows")
def test_few_rows_are_laid_out_too(n_rows: int) -> None:
    rows = np.arange(n_rows, dtype=np.float32)[:, None]
    points = lay_out(rows, nearest(rows), seed=0)
    assert points.shape == (n_rows, 2)
    assert np.isfinite(points).all()


def test_rows_that_are_all_alike_are_laid_out_too() -> None:
    rows = np.ones((30, 4), np.float32)
    assert np.isfinite(lay_out(rows, nearest(rows), seed=0)).all()
