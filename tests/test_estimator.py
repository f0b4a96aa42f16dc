"""`DiffAug`: arrays in, arrays out."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.estimator import _neighbors
from diffaug_bio.features import align_features

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.core.phases import EpochEnd


QUICK = DiffAugConfig().updated(
    {"train": {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 1}}, source="t"
)
X = np.random.default_rng(0).poisson(2, (60, 20)).astype(np.float32)
NAMES = [f"g{i}" for i in range(20)]


def embed(config: DiffAugConfig, matrix: Matrix, seed: int = 0) -> NDArray[np.float32]:
    return DiffAug(config, device="cpu", random_state=seed).fit(matrix).transform(matrix)


def names_of(adata: AnnData) -> list[str]:
    return [str(name) for name in adata.var_names]


def with_view(config: DiffAugConfig, **train: Any) -> DiffAugConfig:
    return config.updated({"train": train}, source="test")


def test_embedding_is_finite_float32_and_as_wide_as_configured(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    embedding = embed(tiny_config, counts.X)
    assert embedding.shape == (120, 6)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()
    assert np.all(embedding.std(0) > 0)


def test_fit_returns_the_model_and_says_what_it_saw(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    model = DiffAug(tiny_config, device="cpu")
    assert model.fit(counts.X, feature_names=names_of(counts)) is model
    assert model.n_features_in_ == 40
    assert list(model.feature_names_in_) == names_of(counts)
    assert model.features_.state == "counts"
    assert {row.phase for row in model.history_} == {"warm_up", "generator", "encoder"}


def test_fit_transform_is_fit_and_transform(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    together = DiffAug(tiny_config, device="cpu").fit_transform(counts.X)
    np.testing.assert_array_equal(together, embed(tiny_config, counts.X))


def test_callbacks_are_called_after_every_epoch(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    events: list[EpochEnd] = []
    model = DiffAug(tiny_config, device="cpu").fit(counts.X, callbacks=[events.append])
    assert events == model.history_
    assert [event.progress for event in events] == sorted(event.progress for event in events)


def test_cloning_keeps_parameters_and_drops_what_was_fitted(fitted: DiffAug) -> None:
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError, match=r"not fitted yet\. Call `fit` first"):
        copied.transform(np.zeros((3, 40)))


def test_parameters_can_be_set_and_are_shown(tiny_config: DiffAugConfig) -> None:
    model = DiffAug().set_params(config=tiny_config, random_state=3)
    assert model.random_state == 3
    assert "random_state=3" in repr(model)


@pytest.mark.parametrize("method", ["transform", "save", "record"])
def test_what_needs_a_fit_says_so(method: str, tmp_path: Path) -> None:
    possible: dict[str, list[object]] = {
        "transform": [np.zeros((3, 4))],
        "save": [tmp_path / "model"],
        "record": [],
    }
    with pytest.raises(NotFittedError, match=r"Call `fit` first, or read one with `DiffAug\.load`"):
        getattr(DiffAug(), method)(*possible[method])
    assert list(tmp_path.iterdir()) == []


def test_a_saved_model_embeds_like_the_one_that_was_fitted(
    counts: AnnData, fitted: DiffAug, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(loaded.transform(counts.X), fitted.transform(counts.X), atol=1e-6)
    assert loaded.config == loaded.config_ == fitted.config_
    assert loaded.random_state == fitted.random_state
    assert loaded.n_features_in_ == 40
    assert list(loaded.feature_names_in_) == names_of(counts)
    assert len(loaded.history_) == len(fitted.history_)
    for found, expected in zip(loaded.history_, fitted.history_, strict=True):
        assert found.phase == expected.phase
        np.testing.assert_equal(found.loss, expected.loss)


def test_a_loaded_model_can_be_saved_again(fitted: DiffAug, tmp_path: Path) -> None:
    fitted.save(tmp_path / "first")
    DiffAug.load(tmp_path / "first", device="cpu").save(tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_a_model_without_names_is_saved_and_loaded(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    model = DiffAug(tiny_config, device="cpu").fit(counts.X)
    model.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    assert not hasattr(loaded, "feature_names_in_")
    np.testing.assert_allclose(loaded.transform(counts.X), model.transform(counts.X), atol=1e-6)


@pytest.mark.parametrize("view", ["gaussian", "feature_mask", "neighbor_mix"])
@pytest.mark.parametrize("front_end", ["pca", "none"])
def test_every_front_end_and_view_survives_saving(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path, view: str, front_end: str
) -> None:
    config = tiny_config.updated(
        {"train": {"warmup_view": view}, "features": {"front_end": front_end}}, source="test"
    )
    model = DiffAug(config, device="cpu").fit(counts.X)
    model.save(tmp_path / "model")
    embedding = DiffAug.load(tmp_path / "model", device="cpu").transform(counts.X)
    np.testing.assert_allclose(embedding, model.transform(counts.X), atol=1e-6)


def test_global_random_states_are_left_alone(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002 - the global state is what is tested
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    embed(with_view(tiny_config, warmup_view="neighbor_mix"), counts.X)
    after = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    np.testing.assert_equal(after[1], before[1])


def test_global_random_states_do_not_change_the_embedding(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    torch.manual_seed(1)
    first = embed(tiny_config, counts.X)
    torch.manual_seed(2)
    np.testing.assert_array_equal(embed(tiny_config, counts.X), first)


def test_another_seed_gives_another_embedding(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    assert not np.allclose(embed(tiny_config, counts.X), embed(tiny_config, counts.X, seed=1))


def test_fitting_again_forgets_the_first_fit(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    model = DiffAug(tiny_config, device="cpu").fit(counts.X, feature_names=names_of(counts))
    smaller = counts.X[:, :30]
    model.fit(smaller)
    assert model.n_features_in_ == 30
    assert not hasattr(model, "feature_names_in_")
    np.testing.assert_array_equal(model.transform(smaller), embed(tiny_config, smaller))


@pytest.mark.parametrize(
    "container",
    [np.asarray, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array],
    ids=["dense", "csc", "coo", "csr array"],
)
def test_the_container_does_not_change_a_bit(
    counts: AnnData, tiny_config: DiffAugConfig, container: type
) -> None:
    matrix = container(counts.X.toarray())
    np.testing.assert_array_equal(embed(tiny_config, matrix), embed(tiny_config, counts.X))


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float64], ids=lambda dtype: dtype.__name__)
def test_the_type_of_counts_does_not_change_a_bit(
    counts: AnnData, tiny_config: DiffAugConfig, dtype: type
) -> None:
    np.testing.assert_array_equal(embed(tiny_config, counts.X.astype(dtype)), embed(tiny_config, counts.X))


@pytest.mark.parametrize("kind", ["csr", "dense", "with missing values"])
def test_input_is_never_changed(counts: AnnData, tiny_config: DiffAugConfig, kind: str) -> None:
    if kind == "csr":
        matrix = counts.X.copy()
        embed(tiny_config, matrix)
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(matrix, name), getattr(counts.X, name))
        return
    dense = counts.X.toarray() + 0.5 * (kind != "dense")
    if kind != "dense":
        dense[3, 4] = np.nan
    before = dense.copy()
    dense.setflags(write=False)
    embed(tiny_config, dense)
    np.testing.assert_array_equal(dense, before)


def test_rows_are_embedded_each_for_itself(counts: AnnData, fitted: DiffAug) -> None:
    whole = fitted.transform(counts.X)
    np.testing.assert_allclose(fitted.transform(counts.X[7:8]), whole[7:8], atol=1e-5)
    np.testing.assert_allclose(fitted.transform(counts.X[::-1]), whole[::-1], atol=1e-5)


@given(order=st.permutations(range(40)), dense=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_features_are_matched_by_name(
    counts: AnnData,
    fitted: DiffAug,
    order: list[int],
    dense: bool,  # noqa: FBT001
) -> None:
    matrix = counts.X.toarray() if dense else counts.X
    names = [names_of(counts)[column] for column in order]
    found = fitted.transform(matrix[:, order], feature_names=names)
    np.testing.assert_array_equal(found, fitted.transform(counts.X))


def test_further_features_are_ignored(counts: AnnData, fitted: DiffAug) -> None:
    wider = sparse.hstack([counts.X[:, :1] * 7, counts.X]).tocsr()
    found = fitted.transform(wider, feature_names=["new", *names_of(counts)])
    np.testing.assert_array_equal(found, fitted.transform(counts.X))


def test_half_of_the_features_missing_is_warned_of(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        embedding = fitted.transform(counts.X[:, :20], feature_names=names_of(counts)[:20])
    assert np.isfinite(embedding).all()
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings[0] == "50.0 % of the model's 40 features are in the data."
    assert "Missing ones count as the training mean: 'gene20'" in warnings[1]


def test_a_tenth_of_the_features_missing_is_only_told(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        fitted.transform(counts.X[:, :36], feature_names=names_of(counts)[:36])
    assert "90.0 % of the model's 40 features" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_too_few_features_are_an_error(counts: AnnData, fitted: DiffAug) -> None:
    names = [f"ENSG{i}" for i in range(36)] + names_of(counts)[:4]
    with pytest.raises(InputError, match=r"Only 10% of the model's 40 features .*'gene0'.*'ENSG0'"):
        fitted.transform(counts.X, feature_names=names)


def test_another_number_of_features_is_an_error(counts: AnnData, fitted: DiffAug) -> None:
    with pytest.raises(InputError, match=r"have 39 features, the model was fitted on 40"):
        fitted.transform(counts.X[:, :39])


def test_infinite_values_in_new_data_are_named(counts: AnnData, fitted: DiffAug) -> None:
    dense = counts.X.toarray()
    dense[5, 6] = np.inf
    with pytest.raises(InputError, match=r"row 5, feature 'gene6'"):
        fitted.transform(dense, feature_names=names_of(counts))


def test_missing_measurements_in_new_data_are_replaced_by_medians(tiny_config: DiffAugConfig) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(5, 2, (50, 12))
    model = DiffAug(tiny_config, device="cpu").fit(matrix)
    holed, filled = matrix.copy(), matrix.copy()
    holed[3, 4] = np.nan
    filled[3, 4] = np.median(matrix[:, 4])
    np.testing.assert_allclose(model.transform(holed), model.transform(filled), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"device": "tpu"}, r"tpu"), ({"precision": "float8"}, r"float8")],
    ids=["device", "precision"],
)
def test_unknown_device_or_precision_is_an_error(
    counts: AnnData, tiny_config: DiffAugConfig, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        DiffAug(tiny_config, **changes).fit(counts.X)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones(5), r"array with 1 dimensions"),
        (np.array([["a", "b"]] * 5), r"real numbers"),
        (np.ones((5, 3)), r"nothing to learn"),
        (np.eye(2), r"has 2 rows"),
    ],
    ids=["vector", "text", "constant", "two rows"],
)
def test_matrices_that_cannot_be_learned_from_are_an_error(
    tiny_config: DiffAugConfig, matrix: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        DiffAug(tiny_config, device="cpu").fit(matrix)


@pytest.mark.parametrize("n_obs", [3, 4, 5, 33])
def test_few_rows_are_embedded(counts: AnnData, tiny_config: DiffAugConfig, n_obs: int) -> None:
    embedding = embed(tiny_config, counts.X[:n_obs])
    assert embedding.shape == (n_obs, 6)
    assert np.isfinite(embedding).all()


def test_a_single_feature_is_embedded(tiny_config: DiffAugConfig) -> None:
    matrix = np.random.default_rng(0).normal(size=(40, 1))
    assert np.isfinite(embed(tiny_config, matrix)).all()


def test_no_rows_are_embedded_as_no_rows(counts: AnnData, fitted: DiffAug) -> None:
    assert fitted.transform(counts.X[:0]).shape == (0, 6)


@given(
    names=st.lists(st.text(max_size=3), min_size=1, max_size=8, unique=True),
    data=st.data(),
)
@settings(max_examples=50, deadline=None)
def test_aligned_columns_hold_the_feature_they_stand_for(names: list[str], data: st.DataObject) -> None:
    training = data.draw(st.permutations(names))
    columns = align_features(names, training)
    assert [names[column] for column in columns] == list(training)


def test_configuration_objects_are_not_shared_by_cloning(fitted: DiffAug) -> None:
    assert dataclasses.asdict(clone(fitted).config) == dataclasses.asdict(fitted.config)  # type: ignore[arg-type]


def test_names_of_another_number_are_an_error_in_fit() -> None:
    with pytest.raises(InputError, match="names"):
        DiffAug(QUICK, device="cpu").fit(X, feature_names=["a", "b"])


def test_repeated_names_are_an_error_in_fit() -> None:
    with pytest.raises(InputError, match="more than once"):
        DiffAug(QUICK, device="cpu").fit(X, feature_names=["g"] * 20)


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]], ids=["same", "reversed"])
def test_names_of_another_number_are_an_error_in_transform(n: int, names: list[str]) -> None:
    model = DiffAug(QUICK, device="cpu").fit(X, feature_names=NAMES)
    with pytest.raises(InputError, match="names"):
        model.transform(np.hstack([X, X])[:, :n], feature_names=names)


@pytest.mark.parametrize("value", [np.nan, -5.0])
def test_values_that_expression_cannot_hold_are_an_error_in_transform(value: float) -> None:
    model = DiffAug(QUICK, device="cpu").fit(X)
    new = X.copy()
    new[0, 0] = value
    with pytest.raises(InputError, match=r"negative|missing"):
        model.transform(new)


@pytest.mark.parametrize("seed", [None, -1, 2**64, 1.5])
def test_seeds_that_are_none_are_an_error(seed: Any) -> None:
    with pytest.raises(InputError, match="random_state"):
        DiffAug(QUICK, device="cpu", random_state=seed).fit(X)


def test_names_of_a_data_frame_are_known_and_matched() -> None:
    frame = pd.DataFrame(X, columns=NAMES)
    model = DiffAug(QUICK, device="cpu").fit(frame)
    assert list(model.feature_names_in_) == NAMES
    np.testing.assert_array_equal(model.transform(frame), model.transform(frame[NAMES[::-1]]))
    assert list(model.get_feature_names_out())[:2] == ["diffaug_1", "diffaug_2"]


def test_another_kind_of_matrix_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    model = DiffAug(QUICK, device="cpu").fit(X)
    model.transform(np.log1p(X))
    assert "but the model was fitted on counts ones" in caplog.text


def test_neighbors_of_many_rows_leave_out_the_row_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffaug_bio.estimator._EXACT_NEIGHBORS", 10)
    scores = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    scores[100:150] = scores[:50]  # duplicates: a row is not always first among its own neighbors
    config = QUICK.updated({"train": {"warmup_view": "neighbor_noise"}}, source="t")
    found = _neighbors(scores, config, torch.device("cpu"), seed=0)
    assert found is not None
    assert found.shape == (200, 10)
    assert not (found == torch.arange(200)[:, None]).any()
