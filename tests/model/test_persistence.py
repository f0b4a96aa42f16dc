"""Models on disk: saved, loaded, and the same afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import DiffAug
from diffaug_bio.model.codes import generate_codes

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig


def test_a_saved_model_embeds_like_the_one_that_was_fitted(
    counts: AnnData, fitted: DiffAug, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(loaded.transform(counts.X), fitted.transform(counts.X), atol=1e-6)
    assert loaded.config == loaded.config_ == fitted.config_
    assert loaded.random_state == fitted.random_state
    assert loaded.n_features_in_ == 40
    assert list(loaded.feature_names_in_) == list(counts.var_names)
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


@pytest.mark.parametrize("view", ["gaussian", "feature_mask", "inner_swap", "neighbor_mix"])
@pytest.mark.parametrize("front_end", ["pca", "none"])
def test_every_front_end_and_view_survives_saving(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path, view: str, front_end: str
) -> None:
    config = tiny_config.replace(train={"warmup_view": view}, features={"front_end": front_end})
    model = DiffAug(config, device="cpu").fit(counts.X)
    model.save(tmp_path / "model")
    embedding = DiffAug.load(tmp_path / "model", device="cpu").transform(counts.X)
    np.testing.assert_allclose(embedding, model.transform(counts.X), atol=1e-6)


@pytest.mark.parametrize("front_end", ["pca", "none"])
@pytest.mark.parametrize("condition", ["y", "z", "none"])
def test_a_loaded_model_generates_the_same_rows(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path, condition: str, front_end: str
) -> None:
    config = tiny_config.replace(
        features={"front_end": front_end},
        generator={
            "condition": condition,
            "condition_noise": 0.1,
            "noising": 0.5,
            "sampler": "ddpm",
        },
    )
    model = DiffAug(config, device="cpu").fit(counts.X)
    model.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    for found, expected in zip(
        generate_codes(loaded, counts.X), generate_codes(model, counts.X), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["byol", "vicreg", "reconstruction"])
def test_models_of_every_kind_of_loss_survive_saving(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path, name: str
) -> None:
    model = DiffAug(tiny_config.replace(loss={"name": name}), device="cpu")
    model.fit(counts.X).save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    assert loaded.config_.loss.name == name
    np.testing.assert_allclose(loaded.transform(counts.X), model.transform(counts.X), atol=1e-6)
