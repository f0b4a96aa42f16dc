"""`DiffAug.novelty`: scores of every kind of model, saved and loaded, and what models keep for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from diffaug_bio import DiffAug, mapping
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.mapping.reference import MOST_REFERENCE_ROWS
from diffaug_bio.pp import encode_tokens
from tests.conftest import clustered_dna, shifted_textures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig

LETTERS, IMAGES = encode_tokens(clustered_dna()), shifted_textures(90)


def measured(n_obs: int, *, kinds: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows of some clusters, and the number of each one's cluster."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(kinds, size=n_obs)
    return 8 * np.eye(5, 15)[cluster] + rng.normal(size=(n_obs, 15)), cluster


def scores_of(found: mapping.Novelty) -> tuple[NDArray[np.float32], ...]:
    """Distance, denoising and density, of a model with a generator."""
    assert found.denoising is not None
    return found.distance, found.denoising, found.density


def without_generator(config: DiffAugConfig) -> DiffAugConfig:
    return config.replace(train={"generated_views": "none"})


def test_rows_of_an_unseen_cluster_are_ranked_first(tiny_config: DiffAugConfig) -> None:
    training, _ = measured(400, kinds=3, seed=0)
    later, cluster = measured(200, kinds=4, seed=1)
    found = DiffAug(tiny_config, device="cpu").fit(training).novelty(later)
    unseen = cluster == 3
    assert roc_auc_score(unseen, found.distance) > 0.9
    assert roc_auc_score(unseen, found.density) > 0.9
    assert found.denoising is not None
    assert roc_auc_score(unseen, found.denoising) > 0.6  # of a generator of a few steps
    assert 0 < found.n_far <= unseen.sum() + 10


def fit_letters(letters: DiffAugConfig, _: DiffAugConfig) -> tuple[DiffAug, NDArray[np.uint8]]:
    return DiffAug(letters, device="cpu").fit(LETTERS), LETTERS


def fit_images(_: DiffAugConfig, images: DiffAugConfig) -> tuple[DiffAug, NDArray[np.uint8]]:
    return DiffAug(images, device="cpu").fit(IMAGES), IMAGES


def fit_unet(_: DiffAugConfig, images: DiffAugConfig) -> tuple[DiffAug, NDArray[np.uint8]]:
    config = images.replace(generator={"backbone": "unet", "width": 8}, train={"min_steps": 1})
    return DiffAug(config, device="cpu").fit(IMAGES[:60]), IMAGES[:60]


@pytest.mark.parametrize("fit", [fit_letters, fit_images, fit_unet])
def test_letters_and_images_have_novelty(
    letters_config: DiffAugConfig,
    images_config: DiffAugConfig,
    tmp_path: Path,
    fit: Callable[..., tuple[DiffAug, NDArray[np.uint8]]],
) -> None:
    model, rows = fit(letters_config, images_config)
    embedding, found = model.transform_with_novelty(rows)
    np.testing.assert_array_equal(embedding, model.transform(rows))
    for scores in scores_of(found):
        assert scores.shape == (len(rows),)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
    assert np.median(scores_of(found)[1]) == pytest.approx(1, rel=1e-3)  # of the training rows themselves
    model.save(tmp_path / "model")
    again = DiffAug.load(tmp_path / "model", device="cpu").novelty(rows)
    for scores, expected in zip(scores_of(again), scores_of(found), strict=True):
        np.testing.assert_array_equal(scores, expected)
    assert again.limit == found.limit


def test_a_row_depends_on_no_other_but_in_density(counts: AnnData, fitted: DiffAug) -> None:
    every, few = (scores_of(fitted.novelty(rows)) for rows in (counts.X, counts.X[:3]))
    for of_three, of_all in zip(few[:2], every[:2], strict=True):
        np.testing.assert_allclose(of_three, of_all[:3], rtol=1e-4, atol=1e-4)
    assert np.isnan(few[2]).all()
    assert np.isfinite(every[2]).all()


def test_a_model_without_a_generator_has_the_other_scores(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    model = DiffAug(without_generator(tiny_config), device="cpu").fit(counts.X)
    model.save(tmp_path / "model")
    assert "reference.denoising" not in load_file(tmp_path / "model" / "weights.safetensors")
    for known in (model, DiffAug.load(tmp_path / "model", device="cpu")):
        found = known.novelty(counts.X)
        assert found.denoising is None
        assert np.isfinite(found.density).all()


@pytest.mark.parametrize("front_end", ["pca", "none"])
def test_what_is_kept_are_the_training_rows(
    counts: AnnData, tiny_config: DiffAugConfig, front_end: str
) -> None:
    config = tiny_config.replace(features={"front_end": front_end})
    model = DiffAug(config, device="cpu").fit(counts.X)
    assert model.reference_ is not None
    np.testing.assert_allclose(model.reference_.embedding, model.transform(counts.X), atol=1e-5)
    assert model.reference_.embedding.dtype == np.float32
    assert model.reference_.denoising is not None
    assert model.reference_.denoising.shape == (120,)


def test_of_many_rows_some_are_kept_by_the_seed(tiny_config: DiffAugConfig) -> None:
    config = without_generator(tiny_config).replace(
        train={"warmup_epochs": 1, "rounds": 0, "min_steps": 1, "warmup_view": "gaussian"}
    )
    rows, _ = measured(MOST_REFERENCE_ROWS + 100, kinds=3, seed=0)
    models = [DiffAug(config, device="cpu", random_state=seed).fit(rows) for seed in (0, 0, 1)]
    kept = [model.reference_.embedding for model in models if model.reference_ is not None]
    assert kept[0].shape == (MOST_REFERENCE_ROWS, 6)
    np.testing.assert_array_equal(kept[0], kept[1])
    embedding = models[0].transform(rows)
    apart = np.abs(embedding[:, None, 0] - kept[0][None, :20, 0]).min(0)
    np.testing.assert_allclose(apart, 0, atol=1e-5)
    assert not np.allclose(kept[0], kept[2])


def test_before_the_fit_there_is_no_novelty(tiny_config: DiffAugConfig) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        DiffAug(tiny_config).novelty(np.ones((3, 3)))


def test_an_older_model_embeds_and_says_that_it_has_to_be_fitted_again(
    counts: AnnData, fitted: DiffAug, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "model")
    path = tmp_path / "model" / "weights.safetensors"
    arrays = load_file(path)
    save_file({name: array for name, array in arrays.items() if not name.startswith("reference.")}, path)
    model = DiffAug.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(model.transform(counts.X), fitted.transform(counts.X))
    with pytest.raises(InputError, match=r"no training rows.*fit it again"):
        model.novelty(counts.X)
    model.save(tmp_path / "again")
    assert DiffAug.load(tmp_path / "again", device="cpu").reference_ is None


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("reference.embedding", (120, 5)),
        ("reference.embedding", (1, 6)),
        ("reference.embedding", (120,)),
        ("reference.denoising", (119,)),
        ("reference.denoising", None),
    ],
    ids=["width", "one-row", "no-table", "fewer-errors", "no-errors"],
)
def test_a_reference_of_another_shape_is_damaged(
    fitted: DiffAug, tmp_path: Path, name: str, shape: tuple[int, ...] | None
) -> None:
    fitted.save(tmp_path / "model")
    path = tmp_path / "model" / "weights.safetensors"
    arrays = load_file(path)
    del arrays[name]
    save_file(arrays if shape is None else {**arrays, name: np.zeros(shape, np.float32)}, path)
    with pytest.raises(CheckpointError, match=r"is damaged: .* Fit the model again"):
        DiffAug.load(tmp_path / "model", device="cpu")


@pytest.mark.gpu
def test_a_model_fitted_on_a_gpu_scores_alike_on_the_cpu(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    model = DiffAug(tiny_config, device="cuda", precision="float32").fit(counts.X)
    model.save(tmp_path / "model")
    on_cpu = DiffAug.load(tmp_path / "model", device="cpu").novelty(counts.X)
    for found, expected in zip(scores_of(on_cpu), scores_of(model.novelty(counts.X)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)  # of other sums of products
