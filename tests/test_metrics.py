"""Scores against labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import metrics
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCORES = {
    "linear_probe",
    "linear_probe_spread",
    "knn_accuracy",
    "knn_accuracy_spread",
    "kmeans_nmi",
    "kmeans_ari",
}


def make_blobs(distance: float) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    rng = np.random.default_rng(0)
    number = np.arange(150) % 3
    centers = distance * np.eye(3, 5)
    return (
        (centers[number] + rng.normal(0, 1, (150, 5))).astype(np.float32),
        np.array(["a", "b", "c"])[number],
    )


def test_separable_groups_score_one() -> None:
    scores = metrics.evaluate(*make_blobs(50.0))
    assert set(scores) == SCORES
    for name in ("linear_probe", "knn_accuracy", "kmeans_nmi", "kmeans_ari"):
        assert scores[name] == pytest.approx(1.0, abs=0.01)
    assert scores["linear_probe_spread"] < 0.02


def test_random_labels_score_chance() -> None:
    embedding, labels = make_blobs(0.0)
    scores = metrics.evaluate(embedding, np.random.default_rng(1).permutation(labels))
    assert 0.2 < scores["linear_probe"] < 0.5
    assert 0.2 < scores["knn_accuracy"] < 0.5
    assert abs(scores["kmeans_ari"]) < 0.1


def test_the_same_seed_gives_the_same_folds_and_scores() -> None:
    embedding, labels = make_blobs(1.0)
    first = metrics.knn_accuracy(embedding, labels, seed=3)
    np.testing.assert_array_equal(first, metrics.knn_accuracy(embedding, labels, seed=3))
    assert first.shape == (metrics.N_FOLDS,)
    assert not np.array_equal(first, metrics.knn_accuracy(embedding, labels, seed=4))
    assert metrics.evaluate(embedding, labels, seed=3) == metrics.evaluate(embedding, labels, seed=3)


def test_the_scale_of_an_embedding_does_not_change_its_probe() -> None:
    embedding, labels = make_blobs(2.0)
    np.testing.assert_allclose(
        metrics.linear_probe(embedding * 1000, labels), metrics.linear_probe(embedding, labels), atol=0.02
    )


def test_the_smallest_data_that_can_be_scored_are() -> None:
    labels = np.repeat(["a", "b"], 5)
    embedding = np.where(labels == "a", 5.0, -5.0)[:, None].astype(np.float32)
    usable = metrics.check_labels(labels, key="kind")
    assert usable.all()
    scores = metrics.evaluate(embedding, labels)
    assert scores["linear_probe"] == 1.0


def test_rare_and_missing_labels_are_left_out() -> None:
    labels = ["a"] * 6 + ["b"] * 5 + ["c"] * 4 + [None, float("nan")]
    usable = metrics.check_labels(np.array(labels, dtype=object), key="kind")
    np.testing.assert_array_equal(usable, [True] * 11 + [False] * 6)


def test_numbers_can_be_labels() -> None:
    assert metrics.check_labels([0, 1] * 5, key="kind").all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 20, r"'kind' cannot be scored: 1 different ones, of which 1 occur at least 5 times"),
        (["a"] * 20 + ["b"] * 4, r"2 different ones, of which 1 occur at least 5 times"),
        ([f"id{i}" for i in range(30)], r"30 different ones, of which 0 occur at least 5 times"),
        ([None] * 10, r"0 different ones, of which 0 occur"),
    ],
    ids=["one label", "the other one rare", "all different", "all missing"],
)
def test_labels_that_cannot_be_scored_are_an_error(labels: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        metrics.check_labels(labels, key="kind")


def test_no_labels_cannot_be_scored() -> None:
    with pytest.raises(InputError, match=r"0 different ones"):
        metrics.check_labels([], key="kind")


def test_pandas_missing_labels_are_left_out() -> None:
    labels = pd.array(["a"] * 5 + ["b"] * 5 + [None], dtype="string").to_numpy(dtype=object)
    assert metrics.check_labels(labels, key="kind").sum() == 10
