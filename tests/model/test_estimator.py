"""`DiffAug`: arrays in, arrays out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.core.phases import EpochEnd
    from diffaug_bio.matrix.blocks import Matrix


QUICK = DiffAugConfig().replace(
    train={"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 1}
)
X = np.random.default_rng(0).poisson(2, (60, 20)).astype(np.float32)
NAMES = [f"g{i}" for i in range(20)]


def embed(config: DiffAugConfig, matrix: Matrix, seed: int = 0) -> NDArray[np.float32]:
    return DiffAug(config, device="cpu", random_state=seed).fit(matrix).transform(matrix)


def names_of(adata: AnnData) -> list[str]:
    return [str(name) for name in adata.var_names]


def with_view(config: DiffAugConfig, **train: Any) -> DiffAugConfig:
    return config.replace(train=train)


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


def test_configuration_objects_are_not_shared_by_cloning(fitted: DiffAug) -> None:
    assert dataclasses.asdict(clone(fitted).config) == dataclasses.asdict(fitted.config)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [None, -1, 2**64, 1.5])
def test_seeds_that_are_none_are_an_error(seed: Any) -> None:
    with pytest.raises(InputError, match="random_state"):
        DiffAug(QUICK, device="cpu", random_state=seed).fit(X)
