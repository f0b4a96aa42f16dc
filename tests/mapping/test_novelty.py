"""How unlike a reference rows are: against slow loops, what must not change it, and what is found."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from diffaug_bio.mapping import Reference, compare
from diffaug_bio.mapping._novelty import density_ratio, relative_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEDS = st.integers(0, 2**16)
some = settings(max_examples=20, deadline=None, derandomize=True)


def make(seed: int, *, n_rows: int = 60, n_reference: int = 80) -> tuple[NDArray[np.float64], ...]:
    """Rows and reference of one population, far from 0."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(n, 4)) + 7 for n in (n_rows, n_reference))


def with_unseen(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Rows of three clusters, of which the reference has two; and which are of the third."""
    rng = np.random.default_rng(seed)
    centers = 4 * np.eye(3, 6)
    cluster = rng.integers(3, size=400)
    rows = centers[cluster] + rng.normal(size=(400, 6))
    reference = centers[rng.integers(2, size=700)] + rng.normal(size=(700, 6))
    return rows, reference, cluster == 2


def mean_nearest(row: NDArray[np.float64], others: NDArray[np.float64], n_neighbors: int) -> float:
    return float(np.mean(sorted(np.sqrt(((row - other) ** 2).sum()) for other in others)[:n_neighbors]))


def without(rows: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    return np.delete(rows, number, axis=0)


def slow_distance(
    rows: NDArray[np.float64], reference: NDArray[np.float64], n_neighbors: int
) -> NDArray[np.float64]:
    usual = [mean_nearest(row, without(reference, i), n_neighbors) for i, row in enumerate(reference)]
    return np.array([mean_nearest(row, reference, n_neighbors) for row in rows]) / np.median(usual)


def slow_density(
    rows: NDArray[np.float64], reference: NDArray[np.float64], n_neighbors: int
) -> NDArray[np.float64]:
    """Without what is usual, which is drawn at random."""
    offset = 0.1 * np.median(
        [mean_nearest(row, without(reference, i), 1) for i, row in enumerate(reference)]
    )
    ratio, found = [], []
    for i, row in enumerate(rows):
        to_reference = mean_nearest(row, reference, n_neighbors)
        to_rows = mean_nearest(row, without(rows, i), n_neighbors)
        ratio.append(np.log((to_reference + offset) / (to_rows + offset)))
    for i, row in enumerate(rows):
        distances = np.sqrt(((rows - row) ** 2).sum(1))
        distances[i] = np.inf
        nearest = np.argsort(distances)[:n_neighbors]
        found.append(0.5 * ratio[i] + 0.5 * np.mean([ratio[j] for j in nearest]))
    return np.array(found)


@given(seed=SEEDS, n_neighbors=st.integers(1, 9))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_the_distance_is_that_of_a_slow_loop(seed: int, n_neighbors: int) -> None:
    rows, reference = make(seed, n_rows=12, n_reference=25)
    found = relative_distance(rows, reference, n_neighbors=n_neighbors)
    np.testing.assert_allclose(found, slow_distance(rows, reference, n_neighbors), rtol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("n_neighbors", [1, 10])
def test_the_density_is_that_of_a_slow_loop_but_for_one_number(n_neighbors: int) -> None:
    rows, reference = make(1)
    found = density_ratio(rows, reference, n_neighbors=n_neighbors)
    difference = found - slow_density(rows, reference, n_neighbors)
    np.testing.assert_allclose(difference, difference[0], atol=1e-5)
    assert found.dtype == np.float32


@given(seed=SEEDS, scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
@some
def test_scale_and_place_of_an_embedding_change_nothing(seed: int, scale: float, shift: float) -> None:
    rows, reference = make(seed)
    for score in (relative_distance, density_ratio):
        moved = score(rows * scale + shift, reference * scale + shift)
        np.testing.assert_allclose(moved, score(rows, reference), rtol=1e-4, atol=1e-5)


@given(seed=SEEDS)
@some
def test_scores_follow_the_order_of_the_rows(seed: int) -> None:
    rows, reference = make(seed)
    order = np.random.default_rng(seed).permutation(len(rows))
    for score in (relative_distance, density_ratio):
        np.testing.assert_allclose(score(rows[order], reference), score(rows, reference)[order], rtol=1e-6)


@given(seed=SEEDS)
@some
def test_a_distance_depends_on_no_other_row(seed: int) -> None:
    rows, reference = make(seed)
    every = relative_distance(rows, reference)
    np.testing.assert_allclose(relative_distance(rows[:1], reference), every[:1], rtol=1e-6)


def test_two_samples_of_one_population_are_as_usual_whatever_their_numbers() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(600, 5))
    for n_rows in (100, 600, 2000):
        rows = rng.normal(size=(n_rows, 5))
        assert abs(np.median(density_ratio(rows, reference))) < 0.06
        tolerance = 1.5 / np.sqrt(n_rows)  # the median of a hundred rows is off by some hundredths
        assert abs(np.median(relative_distance(rows, reference)) - 1) < tolerance


def test_rows_of_an_unseen_cluster_are_farther_and_denser() -> None:
    rows, reference, unseen = with_unseen()
    assert roc_auc_score(unseen, relative_distance(rows, reference)) > 0.9
    assert roc_auc_score(unseen, density_ratio(rows, reference)) > 0.98


def test_a_cluster_that_became_more_frequent_is_denser() -> None:
    rng = np.random.default_rng(0)
    centers = 8 * np.eye(2, 6)
    of_reference, of_rows = rng.random(800) < 0.9, rng.random(800) < 0.5
    reference, rows = (
        centers[np.where(first, 0, 1)] + rng.normal(size=(800, 6)) for first in (of_reference, of_rows)
    )
    density = density_ratio(rows, reference)
    assert np.median(density[~of_rows]) > 0.1 > -0.05 > np.median(density[of_rows])
    assert roc_auc_score(~of_rows, density) > 0.9


@pytest.mark.parametrize(("n_rows", "n_reference"), [(49, 80), (80, 49), (1, 3), (0, 60)])
def test_of_few_rows_the_density_is_unknown_which_the_log_says(
    n_rows: int, n_reference: int, caplog: pytest.LogCaptureFixture
) -> None:
    rows, reference = make(0, n_rows=n_rows, n_reference=n_reference)
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        found = density_ratio(rows, reference)
    assert found.shape == (n_rows,)
    assert np.isnan(found).all()
    assert f"needs 50 rows, here and in training; there are {n_rows} and {n_reference}" in caplog.text
    assert np.isfinite(relative_distance(rows, reference)).all()


def test_many_rows_have_their_neighbors_among_some_of_them() -> None:
    rows, reference, unseen = with_unseen()
    found = density_ratio(rows, reference, n_pooled=100)
    assert roc_auc_score(unseen, found) > 0.95
    np.testing.assert_array_equal(found, density_ratio(rows, reference, n_pooled=100))
    assert np.isfinite(found).all()
    assert np.median(found[~unseen]) == pytest.approx(
        np.median(density_ratio(rows, reference)[~unseen]), abs=0.1
    )


def test_duplicates_do_no_harm() -> None:
    rows, reference = make(0)
    rows[:40], reference[:60] = rows[0], reference[0]
    for score in (relative_distance, density_ratio):
        assert np.isfinite(score(rows, reference)).all()
        assert np.isfinite(score(np.ones_like(rows), np.ones_like(reference))).all()
    assert (relative_distance(reference[:2], reference) == 0).all()


def test_all_scores_at_once_are_those_of_the_functions() -> None:
    rows, reference = (part.astype(np.float32) for part in with_unseen()[:2])
    errors = np.arange(1, 401, dtype=np.float32)
    held = Reference(embedding=reference, denoising=np.array([1, 2, 9], np.float32))
    found = compare(rows, held, denoising=errors)
    np.testing.assert_array_equal(found.distance, relative_distance(rows, reference))
    np.testing.assert_array_equal(found.density, density_ratio(rows, reference))
    assert found.denoising is not None
    np.testing.assert_allclose(found.denoising, errors / 2)
    assert compare(rows, held).denoising is None
    assert found.n_far == (found.distance > found.limit).sum()
    exact = reference.astype(np.float64)
    own = np.array([mean_nearest(row, without(exact, i), 5) for i, row in enumerate(exact)])
    assert found.limit == pytest.approx(float(np.quantile(own / np.median(own), 0.99)), rel=1e-5)
