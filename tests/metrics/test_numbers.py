"""Regressions on an embedding, compared with scikit-learn and with cases worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.neighbors import NearestNeighbors

from diffaug_bio import metrics
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
SPLIT = [(np.arange(150), np.arange(150, 200))]


def noisy(noise: float) -> NDArray[np.float64]:
    """Ages that are a linear function of the rows, but for noise."""
    rng = np.random.default_rng(1)
    return 50 + ROWS.astype(np.float64) @ [8.0, -5.0, 3.0, 0.0] + noise * rng.normal(size=len(ROWS))


def test_ridge_agrees_with_least_squares_where_there_are_rows_enough() -> None:
    ages = noisy(5.0)
    train, test = SPLIT[0]
    expected = r2_score(ages[test], LinearRegression().fit(ROWS[train], ages[train]).predict(ROWS[test]))
    assert metrics.linear_r2(ROWS, ages, splits=SPLIT)[0] == pytest.approx(expected, abs=0.01)


def test_neighbors_vote_by_their_mean() -> None:
    ages = noisy(5.0)
    train, test = SPLIT[0]
    near = NearestNeighbors(n_neighbors=11).fit(ROWS[train]).kneighbors(ROWS[test], return_distance=False)
    expected = r2_score(ages[test], ages[train][near].mean(1))
    assert metrics.knn_r2(ROWS, ages, splits=SPLIT)[0] == pytest.approx(expected)


@pytest.mark.parametrize("score", [metrics.linear_r2, metrics.knn_r2])
def test_a_number_that_rows_know_nothing_of_scores_about_nothing(score: object) -> None:
    ages = np.random.default_rng(2).permutation(noisy(5.0))
    folds = score(ROWS, ages)  # type: ignore[operator]
    assert folds.shape == (5,)
    assert -0.5 < folds.mean() < 0.1


def test_units_of_numbers_and_of_rows_do_not_matter() -> None:
    ages = noisy(5.0)
    expected = metrics.linear_r2(ROWS, ages)
    np.testing.assert_allclose(metrics.linear_r2(1000 * ROWS + 7, 12 * ages - 3), expected, atol=1e-3)


def test_the_penalty_keeps_wide_rows_from_being_learned_by_heart() -> None:
    rng = np.random.default_rng(3)
    wide = np.hstack([ROWS, rng.normal(size=(200, 300)).astype(np.float32)])
    ages = noisy(1.0)
    least_squares = LinearRegression().fit(wide[:150], ages[:150]).predict(wide[150:])
    found = metrics.linear_r2(wide, ages, splits=SPLIT)[0]
    assert found > 0
    assert found >= r2_score(ages[150:], least_squares) - 0.02


def test_subjects_are_not_recognised_on_the_other_side() -> None:
    """Rows that tell the subject tell its age only if the subject is in training, too."""
    subject = np.arange(200) % 20
    ages = np.random.default_rng(4).uniform(20, 80, 20)[subject]
    rows = np.eye(20, dtype=np.float32)[subject]
    assert metrics.linear_r2(rows, ages).mean() > 0.95
    assert metrics.linear_r2(rows, ages, groups=subject).mean() < 0.05
    assert metrics.knn_r2(rows, ages).mean() > 0.8
    assert metrics.knn_r2(rows, ages, groups=subject).mean() < 0.05
    with pytest.raises(InputError, match="groups on both sides"):
        metrics.linear_r2(rows, ages, groups=subject, splits=SPLIT)


@given(sizes=st.lists(st.integers(1, 7), min_size=2, max_size=12), seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_folds_of_numbers_keep_groups_and_have_two_test_rows(sizes: list[int], seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    ages = np.random.default_rng(seed).uniform(size=len(groups))
    if sum(size >= 2 for size in sizes) < 2:
        return
    splits = metrics.make_splits(ages, groups=groups, random_state=seed)
    assert 2 <= len(splits) <= 5
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in splits])), np.arange(len(groups))
    )
    for train, test in splits:
        assert len(test) >= 2
        assert not set(groups[train]) & set(groups[test])


def test_folds_of_numbers_are_random_and_of_equal_size() -> None:
    ages = np.arange(103, dtype=np.float64)
    splits = metrics.make_splits(ages, random_state=1)
    assert sorted(len(test) for _, test in splits) == [20, 20, 21, 21, 21]
    others = metrics.make_splits(ages, random_state=2)
    assert any(not np.array_equal(one[1], other[1]) for one, other in zip(splits, others, strict=True))
