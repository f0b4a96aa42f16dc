"""Data with a split of their own in a benchmark: no method sees test rows, and they are what is scored."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import benchmark, metrics
from diffaug_bio.benchmark import METHODS, BenchmarkData, Method, choose_methods, read_data
from diffaug_bio.benchmark._embedders import NotApplicableError, embed
from diffaug_bio.benchmark._score import score_method
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

PROBES = ["linear_probe", "knn_accuracy", "linear_macro_f1", "knn_balanced_accuracy"]


def parts_of(data: BenchmarkData) -> tuple[Any, Any, Any]:
    """Numbers of training rows, of test rows, and of all that may be fitted."""
    assert data.split is not None
    is_train, is_test = data.split == "train", data.split == "test"
    return np.flatnonzero(is_train), np.flatnonzero(is_test), np.flatnonzero(~is_test)


def wild(data: BenchmarkData, rows: Any) -> BenchmarkData:
    """Make outliers of rows, and shuffle their labels."""
    rng = np.random.default_rng(3)
    matrix, labels = data.matrix.copy(), data.labels.copy()
    matrix[rows] = matrix[rows][:, ::-1] * 1000 + 1
    labels[rows] = rng.permutation(labels[rows])
    assert data.sequences is not None
    letters = data.sequences.copy()
    letters[rows] = ["".join(rng.choice(list("GC"), 20)) for _ in rows]
    return dataclasses.replace(data, matrix=matrix, labels=labels, sequences=letters)


@pytest.mark.parametrize("name", ["diffaug", "simclr", "raw", "pca", "pca_onehot", "same_label", "cnn"])
def test_test_rows_change_nothing_of_what_a_method_is_fitted_on(
    make_data: Callable[..., BenchmarkData],
    tiny_config: DiffAugConfig,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    data = make_data(n_obs=90, has_split=True)
    train, test, fitted = parts_of(data)
    found = []

    def remember(*arguments: Any, **options: Any) -> Any:
        found.append(embed(*arguments, **options))
        return found[-1]

    # What is under test is which rows `score_method` hands over.
    monkeypatch.setattr("diffaug_bio.benchmark._score.embed", remember)
    for one in (data, wild(data, test)):
        score_method(one, METHODS[name], tiny_config, seed=0, held_out=False)
    before, after = (result.embedding for result in found)
    assert before.shape[0] == 90
    kept = train if METHODS[name].is_labelled else fitted
    np.testing.assert_array_equal(after[kept], before[kept])
    assert not np.array_equal(after[test], before[test])


def test_the_labelled_reference_is_fitted_on_training_rows_alone(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig
) -> None:
    data = make_data(n_obs=90, has_split=True)
    others = np.flatnonzero(~data.scored)
    scores, again = (
        score_method(one, METHODS["same_label"], tiny_config, seed=0, held_out=False)
        for one in (data, wild(data, others))
    )
    for name in PROBES:
        assert again[name] == scores[name]


@pytest.mark.parametrize("name", ["raw", "pca", "front_end", "gaussian"])
def test_the_scores_are_those_of_the_given_split(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, name: str
) -> None:
    data = make_data(n_obs=150, has_split=True)
    train, test, fitted = parts_of(data)
    for seed in (0, 1):
        scores = score_method(data, METHODS[name], tiny_config, seed=seed, held_out=False)
        result = embed(data, METHODS[name], tiny_config, fit_rows=fitted, train_rows=train, seed=seed)
        expected = metrics.evaluate(
            result.embedding, data.labels, splits=[(train, test)], random_state=seed
        )
        assert {key: scores[key] for key in expected} == expected
        assert result.features is not None
        assert scores["trustworthiness"] == metrics.trustworthiness(
            result.features.dense_rows(data.matrix[test]), result.embedding[test], random_state=seed
        )


def test_generated_rows_are_those_of_the_fitted_rows(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig
) -> None:
    from diffaug_bio.model.quality import score_generated

    data = make_data(n_obs=150, has_split=True)
    train, _, fitted = parts_of(data)
    scores = score_method(data, METHODS["diffaug"], tiny_config, seed=0, held_out=False)
    result = embed(data, METHODS["diffaug"], tiny_config, fit_rows=fitted, train_rows=train, seed=0)
    assert result.model is not None
    expected = score_generated(
        result.model, data.matrix[fitted], labels=data.labels[fitted], scored=data.scored[fitted], seed=0
    )
    assert {name.removeprefix("generated_") for name in scores if name.startswith("generated_")} == set(
        expected
    )
    for name, value in expected.items():
        assert scores[f"generated_{name}"] == value


@pytest.mark.parametrize("name", choose_methods(["baselines"]))
def test_shuffled_labels_score_at_chance_on_the_test_rows(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, name: str
) -> None:
    data = make_data(n_obs=600, has_split=True)
    shuffled = np.random.default_rng(7).permutation(data.labels)
    scores = score_method(
        dataclasses.replace(data, labels=shuffled), METHODS[name], tiny_config, seed=0, held_out=False
    )
    spread = np.sqrt(2 / 9 / 120)  # binomial, of 120 test rows in three classes
    for probe in PROBES:
        assert abs(scores[probe] - 1 / 3) < 4 * spread, probe


@pytest.mark.parametrize("kind", ["scvi", "harmony"])
def test_methods_that_cannot_embed_new_rows_do_not_apply(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, kind: Any
) -> None:
    method = Method(title="other", group="extra", kind=kind)
    with pytest.raises(NotApplicableError, match=r"cannot embed rows that it was not fitted on"):
        score_method(make_data(has_split=True), method, tiny_config, seed=0, held_out=False)


def test_a_run_uses_the_split_and_says_so_and_does_not_hold_out_beside_it(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    data = [make_data("own", has_split=True), make_data("folds")]
    arguments: dict[str, Any] = {"methods": ["pca"], "n_seeds": 1, "config": tiny_config}
    with pytest.raises(InputError, match=r"`held_out` .*'own'"):
        benchmark.run(data, tmp_path / "results", held_out=True, **arguments)
    assert not (tmp_path / "results").exists()
    result = benchmark.run(data, tmp_path / "results", **arguments)
    assert json.loads((tmp_path / "results" / "benchmark.json").read_text())["own_split"] == ["own"]
    of_own = result.scores[result.scores["data"] == "own"].set_index("metric")["value"]
    shared = tiny_config.replace(train={"patience": 0})
    expected = score_method(data[0], METHODS["pca"], shared, seed=0, held_out=False)
    assert of_own["silhouette"] == pytest.approx(expected["silhouette"])
    # With another split, the result is another.
    split, scored = data[0].split, data[0].scored
    assert split is not None
    other = dataclasses.replace(data[0], split=np.roll(split, 1), scored=np.roll(scored, 1))
    again = benchmark.run([other], tmp_path / "results", **arguments)
    assert len(list((tmp_path / "results" / "cells").iterdir())) == 3
    again_own = again.scores.set_index("metric")["value"]
    assert again_own["silhouette"] != of_own["silhouette"]


@pytest.fixture
def annotated(counts: AnnData) -> AnnData:
    """`counts` with two splits, and donors."""
    counts.obs["split"] = ["test" if number % 4 == 3 else "train" for number in range(120)]
    counts.obs["part"] = ["test"] * 30 + ["train"] * 70 + ["test"] * 20
    counts.obs["donor"] = [f"d{number % 4}" for number in range(120)]
    return counts


def test_an_anndata_gives_its_split_only_when_asked(annotated: AnnData) -> None:
    assert BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster").split is None
    data = BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster", split_key="part")
    assert data.split is not None
    assert list(data.split) == list(annotated.obs["part"])
    with pytest.raises(InputError, match=r"`group_key` 'donor' and `split_key` 'part' would each say"):
        BenchmarkData.from_anndata(
            annotated, name="cells", label_key="cluster", group_key="donor", split_key="part"
        )
    with pytest.raises(InputError, match=r"no split column 'fold' in `\.obs`"):
        BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster", split_key="fold")


def test_what_the_matrix_is_is_seen_without_the_test_rows(annotated: AnnData) -> None:
    dense = annotated.X.toarray()
    dense[3::4] = np.random.default_rng(0).normal(size=(30, 40))
    annotated.X = dense
    states = [
        BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster", split_key=key).input_state
        for key in ("split", None)
    ]
    assert states == ["counts", "continuous"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"a": "split", "b": None}),
        ({"split_key": ["auto"]}, {"a": "split", "b": None}),
        ({"split_key": ["none"]}, {"a": None, "b": None}),
        ({"split_key": ["a=none"]}, {"a": None, "b": None}),
        ({"split_key": ["b=part"]}, {"a": "split", "b": "part"}),
        ({"split_key": ["part"]}, {"a": "part", "b": "part"}),
        ({"split_key": ["split", "part"]}, {"a": "split", "b": "part"}),
        ({"split_key": ["split"]}, {"a": "split", "b": None}),
        ({"group_key": ["donor"]}, {"a": None, "b": None}),
        ({"group_key": ["b=donor"]}, {"a": "split", "b": None}),
    ],
    ids=str,
)
def test_each_file_takes_the_split_that_fits_it(
    annotated: AnnData,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    given: dict[str, list[str]],
    expected: dict[str, str | None],
) -> None:
    annotated.write_h5ad(tmp_path / "a.h5ad")
    other = annotated.copy()
    del other.obs["split"]
    other.write_h5ad(tmp_path / "b.h5ad")
    paths = [str(tmp_path / f"{name}.h5ad") for name in expected]
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        found = read_data(paths, {"label_key": ["cluster"], **given})
    for data in found:
        key = expected[data.name]
        wanted = None if key is None else list(annotated.obs[key])
        assert (None if data.split is None else list(data.split)) == wanted
        assert (f"The own split of {data.name} (column {key!r}) is used" in caplog.text) == (
            key is not None
        )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split_key": ["fold"]}, r"None of the data sets has a column 'fold'"),
        (
            {"split_key": ["a=fold"]},
            r"a\.h5ad: There is no split column 'fold' in `\.obs`",
        ),
        (
            {"split_key": ["donor"]},
            r"a\.h5ad: The split column 'donor' has no row 'train'",
        ),
        (
            {"split_key": ["split"], "group_key": ["donor"]},
            r"a\.h5ad: `group_key` 'donor' and `split_key`",
        ),
    ],
    ids=["nowhere", "not here", "no split", "groups too"],
)
def test_a_split_that_cannot_be_used_is_an_error_that_names_the_file(
    annotated: AnnData, tmp_path: Path, given: dict[str, list[str]], message: str
) -> None:
    annotated.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError, match=message):
        read_data([str(tmp_path / "a.h5ad")], {"label_key": ["cluster"], **given})


def test_a_feature_may_be_named_like_what_is_asked_for_by_default(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=["auto", "none", "third"])
    frame["label"] = np.arange(20) % 2
    frame.to_csv(tmp_path / "table.csv", index_label="id")
    [data] = read_data([str(tmp_path / "table.csv")], {"label_key": ["label"]})
    assert data.matrix.shape == (20, 3)
