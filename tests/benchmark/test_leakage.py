"""Nothing leaks: no label into an embedding, no test row into a fit, no group across a split."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import metrics
from diffaug_bio.benchmark import METHODS, BenchmarkData, Method, choose_methods
from diffaug_bio.benchmark._embedders import NotApplicableError, embed, preprocess
from diffaug_bio.benchmark._score import score_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig

# Without what is not installed, preset `paper`, whose 1200 epochs are one more configuration only, and
# methods of images, which test_images.py holds to the same.
OURS = [
    name
    for name, method in METHODS.items()
    if method.needs is None and method.preset is None and method.group != "images"
]
OUTCOMES = ["linear_probe", "knn_accuracy", "linear_balanced_accuracy", "knn_balanced_accuracy"]


def embedded(
    data: BenchmarkData,
    name: str,
    config: DiffAugConfig,
    *,
    train_rows: NDArray[np.int64],
    fit_rows: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    method = METHODS[name]
    return embed(data, method, config, fit_rows=fit_rows, train_rows=train_rows, seed=0).embedding


@pytest.mark.parametrize("held_out", [False, True], ids=["folds", "held out"])
@pytest.mark.parametrize("name", choose_methods(["default"]))
def test_shuffled_labels_score_at_chance(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, name: str, *, held_out: bool
) -> None:
    data = make_data(n_obs=240)
    shuffled = np.random.default_rng(7).permutation(data.labels)
    scores = score_method(
        dataclasses.replace(data, labels=shuffled), METHODS[name], tiny_config, seed=0, held_out=held_out
    )
    # Three classes of equal size: a third, with the binomial spread of as many rows as are predicted.
    n_predicted = 48 if held_out or METHODS[name].is_labelled else 240
    spread = np.sqrt(2 / 9 / n_predicted)
    for outcome in OUTCOMES:
        assert abs(scores[outcome] - 1 / 3) < 4 * spread, outcome
    for outcome in ("kmeans_ari", "leiden_ari"):
        assert abs(scores[outcome]) < 0.1, outcome  # 0 in the mean, with a spread of 0.03 over 48 rows


@pytest.mark.parametrize("name", ["diffaug", "gaussian", "raw", "pca", "pca_onehot", "same_label"])
def test_true_labels_score_above_chance(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, name: str
) -> None:
    scores = score_method(make_data(n_obs=240), METHODS[name], tiny_config, seed=0, held_out=False)
    assert scores["linear_probe"] > 0.6  # the test above would pass for an embedding of noise


@pytest.mark.parametrize("name", OURS)
def test_test_rows_change_nothing_of_the_fit(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, name: str
) -> None:
    data = make_data(n_obs=90)
    train, test = np.arange(0, 90, 2), np.arange(1, 90, 2)
    wild = data.matrix.copy()
    wild[test] = wild[test][:, ::-1] * 1000 + 1
    assert data.sequences is not None
    letters = data.sequences.copy()
    letters[test] = "G" * 20
    changed = dataclasses.replace(data, matrix=wild, sequences=letters)
    before = embedded(data, name, tiny_config, fit_rows=train, train_rows=train)
    after = embedded(changed, name, tiny_config, fit_rows=train, train_rows=train)
    assert before.shape[0] == 90
    np.testing.assert_array_equal(after[train], before[train])
    assert not np.array_equal(after[test], before[test])


def test_preprocessing_is_fitted_on_the_given_rows_only(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig
) -> None:
    data, train = make_data(), np.arange(40)
    wild = data.matrix.copy()
    wild[40:] = wild[40:] * 1000 + 5
    fitted = [
        preprocess(dataclasses.replace(data, matrix=matrix), tiny_config, fit_rows=train, seed=0)
        for matrix in (data.matrix, wild, data.matrix[:40])
    ]
    for field in dataclasses.fields(fitted[0]):  # type: ignore[arg-type]
        first, *others = (getattr(features, field.name) for features in fitted)
        for other in others:
            np.testing.assert_array_equal(other, first, err_msg=field.name)


@pytest.mark.parametrize("name", OURS)
def test_labels_that_must_not_be_seen_change_no_embedding(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, name: str
) -> None:
    data = make_data(n_obs=90)
    train, test = np.arange(0, 90, 2), np.arange(1, 90, 2)
    hidden = test if METHODS[name].is_labelled else np.arange(90)
    labels = data.labels.copy()
    labels[hidden] = np.random.default_rng(3).permutation(labels[hidden])
    before = embedded(data, name, tiny_config, train_rows=train)
    after = embedded(dataclasses.replace(data, labels=labels), name, tiny_config, train_rows=train)
    np.testing.assert_array_equal(after, before)


def test_the_labelled_reference_does_use_training_labels(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig
) -> None:
    data, train = make_data(), np.arange(0, 60, 2)
    other = dataclasses.replace(data, labels=np.random.default_rng(3).permutation(data.labels))
    first, second = (embedded(one, "same_label", tiny_config, train_rows=train) for one in (data, other))
    assert not np.array_equal(first, second)


def test_the_labelled_reference_is_fitted_on_training_rows_only(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig
) -> None:
    data, train = make_data(), np.arange(40)
    wild = data.matrix.copy()
    wild[40:] = wild[40:] * 1000 + 5
    before = embedded(data, "same_label", tiny_config, train_rows=train)
    after = embedded(dataclasses.replace(data, matrix=wild), "same_label", tiny_config, train_rows=train)
    np.testing.assert_array_equal(after[:40], before[:40])


@pytest.fixture
def subjects() -> BenchmarkData:
    """Twenty subjects of 15 rows each: rows tell the subject, and nothing about its random label."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(20), 15)
    labels = rng.permutation(np.array(["ill", "well"] * 10))
    matrix = 10 * np.eye(20)[subject] + rng.normal(0, 0.1, (300, 20))
    return BenchmarkData(
        name="subjects",
        input_state="continuous",
        matrix=matrix.astype(np.float32),
        labels=labels[subject],
        scored=np.ones(300, dtype=bool),
        groups=np.array([f"s{number}" for number in subject]),
    )


def test_knowing_the_subject_helps_only_where_subjects_are_split(
    subjects: BenchmarkData, tiny_config: DiffAugConfig
) -> None:
    grouped, split = (
        score_method(data, METHODS["raw"], tiny_config, seed=0, held_out=False)
        for data in (subjects, dataclasses.replace(subjects, groups=None))
    )
    for outcome in OUTCOMES[:2]:
        assert split[outcome] > 0.99
        assert grouped[outcome] < 0.7  # chance is one half, of twenty subjects


def test_held_out_groups_are_held_out_of_the_fit_too(
    subjects: BenchmarkData, tiny_config: DiffAugConfig
) -> None:
    assert subjects.groups is not None
    train, test = metrics.make_splits(subjects.labels, groups=subjects.groups, random_state=0)[0]
    assert not set(subjects.groups[train]) & set(subjects.groups[test])
    for name in ("raw", "same_label"):
        scores = score_method(subjects, METHODS[name], tiny_config, seed=0, held_out=True)
        wild = subjects.matrix.copy()
        wild[test] = 0
        other = embedded(
            dataclasses.replace(subjects, matrix=wild), name, tiny_config, fit_rows=train, train_rows=train
        )
        found = embedded(subjects, name, tiny_config, fit_rows=train, train_rows=train)
        np.testing.assert_array_equal(other[train], found[train])
        # What was scored is this split, and nothing else.
        expected = metrics.linear_probe(
            found, subjects.labels.astype(np.str_), groups=subjects.groups, splits=[(train, test)]
        )
        assert scores["linear_probe"] == expected.accuracy[0]
        assert scores["linear_probe_spread"] == 0


def test_there_is_no_front_end_to_score_where_the_configuration_has_none(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig
) -> None:
    config = tiny_config.replace(features={"front_end": "none"})
    rows = np.arange(60)
    with pytest.raises(NotApplicableError, match=r"the configuration has no front end"):
        embed(make_data(), METHODS["front_end"], config, fit_rows=None, train_rows=rows, seed=0)
    for name in ("pca", "raw", "same_label"):
        assert len(embedded(make_data(), name, config, train_rows=rows)) == 60


@pytest.mark.parametrize("kind", ["scvi", "harmony"])
def test_methods_that_cannot_embed_new_rows_do_not_hold_out(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, kind: Any
) -> None:
    method, rows = Method(title="other", group="extra", kind=kind), np.arange(30)
    with pytest.raises(NotApplicableError, match=r"cannot embed rows that it was not fitted on"):
        embed(make_data(), method, tiny_config, fit_rows=rows, train_rows=rows, seed=0)


@pytest.mark.parametrize(
    ("name", "held_out"), [("raw", True), ("same_label", False)], ids=["held out", "labelled"]
)
def test_clusters_are_scored_on_test_rows_only(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, name: str, *, held_out: bool
) -> None:
    data = make_data(n_obs=150)
    train, test = metrics.make_splits(data.labels, random_state=0)[0]
    found = embedded(data, name, tiny_config, fit_rows=train if held_out else None, train_rows=train)
    scores = score_method(data, METHODS[name], tiny_config, seed=0, held_out=held_out)
    expected = metrics.label_silhouette(found[test], data.labels.astype(np.str_)[test], random_state=0)
    assert scores["silhouette"] == pytest.approx(expected)


@pytest.mark.parametrize("state", ["auto", "representation"])
def test_trustworthiness_is_against_the_features_that_methods_see(
    tiny_config: DiffAugConfig, counts: Any, state: str
) -> None:
    rng = np.random.default_rng(0)
    counts.obsm["X_pca"] = (rng.normal(size=(120, 6)) * [100, 50, 1, 1, 1, 1]).astype(np.float32)
    use_rep = "X_pca" if state == "representation" else None
    data = BenchmarkData.from_anndata(counts, name="cells", label_key="cluster", use_rep=use_rep)
    scores = score_method(data, METHODS["raw"], tiny_config, seed=0, held_out=False)
    assert scores["trustworthiness"] == pytest.approx(1, abs=1e-9)  # raw features are the reference
