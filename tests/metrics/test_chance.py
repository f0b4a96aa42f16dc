"""Chance levels, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio import metrics


def test_the_most_frequent_class_is_guessed() -> None:
    labels = np.repeat(["a", "b", "c"], [60, 30, 10])
    found = metrics.chance(labels)
    assert found["linear_probe"] == found["knn_accuracy"] == pytest.approx(0.6)
    assert found["linear_macro_f1"] == found["knn_macro_f1"] == pytest.approx(2 * 0.6 / 1.6 / 3)
    assert found["linear_balanced_accuracy"] == pytest.approx(1 / 3)
    assert found["kmeans_ari"] == found["leiden_ari"] == 0
    assert 0 < found["kmeans_nmi"] == found["leiden_nmi"] < 0.1
    assert "silhouette" not in found


def test_the_guess_is_made_on_training_rows() -> None:
    """Groups held out as a whole: the class that is frequent elsewhere is not that of the test rows."""
    labels, groups = np.repeat(["a", "b", "a"], [30, 20, 5]), np.repeat([0, 1, 2], [30, 20, 5])
    split = [(np.arange(20, 55), np.arange(20))]
    assert metrics.chance(labels, splits=split)["linear_probe"] == 0.0
    assert metrics.chance(labels, groups=groups)["linear_probe"] < 0.55


def test_random_clusters_agree_much_with_small_classes() -> None:
    small = metrics.chance(np.repeat([f"c{i}" for i in range(30)], 5))
    large = metrics.chance(np.repeat(["a", "b"], 75))
    assert small["kmeans_nmi"] > 0.5
    assert large["kmeans_nmi"] < 0.05


def test_the_mean_is_guessed_of_numbers() -> None:
    ages = np.random.default_rng(0).uniform(20, 80, 200)
    found = metrics.chance(ages)
    assert set(found) == {"linear_r2", "knn_r2"}
    assert -0.1 < found["linear_r2"] <= 0
    split = [(np.arange(100), np.arange(100, 200))]
    train, test = ages[:100], ages[100:]
    expected = 1 - ((test - train.mean()) ** 2).sum() / ((test - test.mean()) ** 2).sum()
    assert metrics.chance(ages, splits=split)["knn_r2"] == pytest.approx(expected)


@given(
    sizes=st.lists(st.integers(5, 30), min_size=2, max_size=6),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_levels_of_stratified_folds_are_those_of_the_classes(sizes: list[int], seed: int) -> None:
    labels = np.repeat([f"c{i}" for i in range(len(sizes))], sizes)
    found = metrics.chance(labels, random_state=seed)
    assert found["linear_probe"] <= max(sizes) / sum(sizes) + 0.1
    assert found["linear_balanced_accuracy"] <= 1 / len(sizes) + 0.1
    assert all(0 <= level <= 1 for level in found.values())
    assert found == metrics.chance(labels, random_state=seed)
