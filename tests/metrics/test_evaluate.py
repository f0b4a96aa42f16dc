"""All scores at once."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import metrics
from diffaug_bio.errors import InputError
from diffaug_bio.metrics.labels import check_labels
from diffaug_bio.metrics.scores import NUMBER_STEPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    MakeBlobs = Callable[..., tuple[NDArray[np.float32], NDArray[np.str_]]]

AGREEMENTS = {
    f"{name}_{score}" for name in ("kmeans", "leiden", "best_of_grid") for score in ("nmi", "ari")
}
PROBES = {
    "linear_probe",
    "linear_macro_f1",
    "linear_balanced_accuracy",
    "knn_accuracy",
    "knn_macro_f1",
    "knn_balanced_accuracy",
}
OTHERS = {
    "linear_probe_spread",
    "knn_accuracy_spread",
    "leiden_resolution",
    "leiden_n_clusters",
    "silhouette",
}


def test_separable_groups_score_one(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(50.0)
    scores = metrics.evaluate(embedding, labels, reference=embedding)
    assert set(scores) == AGREEMENTS | PROBES | OTHERS | {"trustworthiness"}
    assert all(type(value) is float for value in scores.values())
    assert [scores[name] for name in sorted(AGREEMENTS | PROBES)] == pytest.approx([1.0] * 12, abs=0.01)
    assert scores["linear_probe_spread"] == 0.0
    assert scores["silhouette"] > 0.9
    assert scores["trustworthiness"] == pytest.approx(1.0)


def test_random_labels_score_chance(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(0.0)
    scores = metrics.evaluate(embedding, np.random.default_rng(1).permutation(labels))
    assert all(0.2 < scores[name] < 0.5 for name in ("linear_probe", "knn_accuracy"))
    assert all(abs(scores[name]) < 0.1 for name in ("kmeans_ari", "leiden_ari", "silhouette"))


def test_scores_are_means_over_the_folds_of_the_probes(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(2.0)
    groups = np.arange(150) // 10
    scores = metrics.evaluate(embedding, labels, groups=groups, random_state=3)
    linear = metrics.linear_probe(embedding, labels, groups=groups, random_state=3)
    neighbors = metrics.knn_probe(embedding, labels, groups=groups, random_state=3)
    assert scores["linear_probe"] == pytest.approx(linear.accuracy.mean())
    assert scores["linear_probe_spread"] == pytest.approx(np.std(linear.accuracy, ddof=1))
    assert scores["linear_macro_f1"] == pytest.approx(linear.macro_f1.mean())
    assert scores["knn_balanced_accuracy"] == pytest.approx(neighbors.balanced_accuracy.mean())
    assert scores["knn_accuracy_spread"] == pytest.approx(np.std(neighbors.accuracy, ddof=1))
    assert metrics.evaluate(embedding, labels, groups=groups, random_state=3) == scores


def test_one_fixed_split_has_no_spread(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(2.0)
    splits = [(np.arange(100), np.arange(100, 150))]
    scores = metrics.evaluate(embedding, labels, splits=splits)
    assert (scores["linear_probe_spread"], scores["knn_accuracy_spread"]) == (0.0, 0.0)
    assert scores["knn_accuracy"] == metrics.knn_probe(embedding, labels, splits=splits).accuracy[0]


def test_the_smallest_data_that_can_be_scored_are() -> None:
    labels = np.repeat(["a", "b"], 5)
    embedding = np.where(labels == "a", 5.0, -5.0)[:, None].astype(np.float32)
    assert check_labels(labels, key="kind").all()
    scores = metrics.evaluate(embedding, labels, reference=embedding)
    assert scores["linear_probe"] == 1.0


def test_a_number_is_scored_by_r2_and_without_clusters(make_blobs: MakeBlobs) -> None:
    embedding, _ = make_blobs(2.0)
    ages = 50 + 10 * embedding[:, 0].astype(np.float64)
    steps: list[str] = []
    scores = metrics.evaluate(embedding, ages, reference=embedding, random_state=3, on_step=steps.append)
    assert set(scores) == {"linear_r2", "linear_r2_spread", "knn_r2", "knn_r2_spread", "trustworthiness"}
    assert tuple(steps) == NUMBER_STEPS
    assert scores["linear_r2"] == pytest.approx(metrics.linear_r2(embedding, ages, random_state=3).mean())
    assert scores["linear_r2"] == pytest.approx(1.0, abs=1e-3)
    assert 0.5 < scores["knn_r2"] < 1
    assert set(metrics.chance(ages)) <= set(scores)


@pytest.mark.parametrize("seed", [-1, 1.5, 2**40, None, True])
def test_what_is_no_seed_is_refused(make_blobs: MakeBlobs, seed: Any) -> None:
    embedding, labels = make_blobs(2.0)
    batches = np.resize(["x", "y"], len(labels))
    calls: dict[str, tuple[Any, ...]] = {
        "chance": (labels,),
        "generated_quality": (embedding, embedding),
        "integration": (embedding, batches, labels),
        "make_splits": (labels,),
        "silhouette_batch": (embedding, batches, labels),
        "trustworthiness": (embedding, embedding),
    }
    parameters = {name: signature(getattr(metrics, name)).parameters for name in metrics.__all__}
    seeded = [name for name in metrics.__all__ if "random_state" in parameters[name]]
    assert {"evaluate", *calls} < set(seeded)
    for name in seeded:
        needed = {"embed": np.asarray, "held_out": np.arange(5)} if name == "generated_quality" else {}
        arguments = calls.get(name, (embedding, labels))
        with pytest.raises(InputError, match="`random_state` has to be a whole number from 0"):
            getattr(metrics, name)(*arguments, **needed, random_state=seed)
