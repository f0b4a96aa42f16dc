"""`tl` on images: from a file or a folder to embeddings and new images, in memory and left on the disk."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest
from PIL import Image

from diffaug_bio import DiffAug, io, tl
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedFeatures, FittedImages
from diffaug_bio.model.source import MatrixChoice
from tests.conftest import shifted_textures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig

N_OBS = 24
KINDS = ("across", "checks", "down")
SHAPES = {"grey": (12, 12, 1), "color": (14, 12, 3)}


def save_npz(path: Path, images: NDArray[np.uint8]) -> AnnData:
    """Write images with their textures as labels, and read them."""
    np.savez(path, images=images, labels=np.array([KINDS[n % 3] for n in range(len(images))]))
    return io.read(path)


def save_folder(
    folder: Path, images: NDArray[np.uint8], *, splits: Sequence[str] = ("",), max_bytes: int | None = None
) -> AnnData:
    """Write images as PNG files, in folders of their textures within those of splits, and read them."""
    for number, image in enumerate(images):
        path = folder / splits[number % len(splits)] / KINDS[number % 3] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(path)
    return io.read(folder) if max_bytes is None else io.read(folder, max_bytes=max_bytes)


def changed(config: DiffAugConfig, **sections: dict[str, Any]) -> DiffAugConfig:
    return config.replace(**sections)


@pytest.fixture
def config(images_config: DiffAugConfig) -> DiffAugConfig:
    """Take one epoch of each phase."""
    epochs = {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 0}
    return changed(images_config, train=epochs)


@pytest.fixture
def images() -> NDArray[np.uint8]:
    return shifted_textures(N_OBS, SHAPES["grey"])


@pytest.fixture
def adata(tmp_path: Path, images: NDArray[np.uint8]) -> AnnData:
    return save_npz(tmp_path / "images.npz", images)


@pytest.fixture
def model(adata: AnnData, config: DiffAugConfig) -> DiffAug:
    """A model fitted to `adata`, which has its embedding."""
    return tl.fit(adata, config=config, device="cpu")


def params_of(adata: AnnData, key: str = "diffaug") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(adata.uns[key]["params"])
    return found


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("save", [save_npz, save_folder], ids=["npz", "folder"])
def test_images_are_embedded_as_an_array_of_them_is(
    tmp_path: Path, config: DiffAugConfig, shape: tuple[int, int, int], save: Any
) -> None:
    images = shifted_textures(N_OBS, shape)
    adata = save(tmp_path / "images.npz", images)
    before = adata.copy()
    tl.embed(adata, config=config, device="cpu")
    expected = DiffAug(config, device="cpu").fit_transform(np.asarray(adata.X).reshape(-1, *shape))
    np.testing.assert_array_equal(adata.obsm["X_diffaug"], expected)
    assert expected.shape == (N_OBS, 6)
    assert np.isfinite(expected).all()
    params = params_of(adata)
    assert params["images"] is True
    assert params["config"]["features"]["image_shape"] == list(shape)
    assert params["config"]["encoder"]["kind"] == "patches"
    np.testing.assert_array_equal(adata.X, before.X)
    assert list(adata.obs.columns) == list(before.obs.columns)
    copied = tl.embed(before, config=config, device="cpu", copy=True)
    assert copied is not None
    assert not before.obsm
    np.testing.assert_array_equal(copied.obsm["X_diffaug"], expected)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_images_left_on_the_disk_give_the_same_bits(
    tmp_path: Path, config: DiffAugConfig, shape: tuple[int, int, int]
) -> None:
    images = shifted_textures(N_OBS, shape)
    eager = save_folder(tmp_path / "set", images)
    lazy = save_folder(tmp_path / "set", images, max_bytes=0)
    assert lazy.X is None
    model, other = (tl.fit(one, config=config, device="cpu") for one in (eager, lazy))
    np.testing.assert_array_equal(lazy.obsm["X_diffaug"], eager.obsm["X_diffaug"])
    model.save(tmp_path / "model")
    for one in (eager, lazy):
        tl.project(one, tmp_path / "model", device="cpu", key_added="X_again")
    np.testing.assert_array_equal(lazy.obsm["X_again"], eager.obsm["X_again"])
    np.testing.assert_array_equal(lazy.obsm["X_again"], eager.obsm["X_diffaug"])
    rows = np.array([5, 2, 11])
    generated = tl.augment(eager[rows], model)
    for made in (tl.augment(lazy[rows], model), tl.augment(lazy[rows], other)):
        np.testing.assert_array_equal(made.X, generated.X)
        assert list(made.obs_names) == list(generated.obs_names)
    # What stays on the disk goes through a file too.
    lazy.write_h5ad(tmp_path / "lazy.h5ad")
    again = io.read(tmp_path / "lazy.h5ad")
    tl.project(again, model, key_added="X_again")
    np.testing.assert_array_equal(again.obsm["X_again"], eager.obsm["X_again"])
    assert tl.evaluate_generated(lazy, other) == tl.evaluate_generated(eager, model)


@pytest.mark.parametrize("is_lazy", [False, True], ids=["in memory", "on the disk"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_generated_images_have_what_their_sources_have_and_can_be_written(
    tmp_path: Path, config: DiffAugConfig, shape: tuple[int, int, int], *, is_lazy: bool
) -> None:
    source = save_folder(tmp_path / "set", shifted_textures(N_OBS, shape), max_bytes=0 if is_lazy else None)
    model = tl.fit(source, config=config, device="cpu")
    columns = list(source.obs.columns)
    assert ("image" in columns) == is_lazy
    generated = tl.augment(source, model, n_views=2, random_state=5)
    assert generated.shape == (2 * N_OBS, np.prod(shape))
    assert generated.X.dtype == np.uint8
    assert list(generated.uns) == ["image_shape"]
    assert list(generated.uns["image_shape"]) == list(shape)
    assert "image" not in generated.obs
    assert list(generated.obs["source"]) == list(source.obs_names) * 2
    assert list(generated.obs_names) == [
        f"{name}-generated-{seed}" for seed in (5, 6) for name in source.obs_names
    ]
    assert generated.obs["generated"].dtype == bool
    assert generated.obs["generated"].all()
    assert list(generated.obs["label"]) == list(source.obs["label"]) * 2
    assert list(generated.var_names) == list(source.var_names)
    assert list(source.obs.columns) == columns
    # Each view is another one, and neither is the source.
    first, second = generated.X[:N_OBS], generated.X[N_OBS:]
    assert (first != second).any(1).all()
    np.testing.assert_array_equal(tl.augment(source, model, random_state=6).X, second)
    if not is_lazy:
        assert (first != source.X).any(1).all()
    io.write_images(tmp_path / "more.npz", generated)
    again = io.read(tmp_path / "more.npz")
    np.testing.assert_array_equal(again.X, generated.X)
    assert list(again.uns["image_shape"]) == list(shape)
    assert list(again.obs["label"]) == list(generated.obs["label"])
    generated.write_h5ad(tmp_path / "more.h5ad")
    np.testing.assert_array_equal(io.read(tmp_path / "more.h5ad").X, generated.X)
    # They are images as others are, and can be embedded and generated from.
    tl.project(generated, model)
    assert np.isfinite(generated.obsm["X_diffaug"]).all()
    assert tl.augment(generated[:2], model).obs["source"].iloc[0] == generated.obs_names[0]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (16, 16, 1),
            r"12 x 12 pixels, grey, and .* 16 x 16 pixels, grey\. Read .* with `image_size` 12, or",
        ),
        ((12, 12, 3), r"12 x 12 pixels, grey, and .* 12 x 12 pixels, in color\. Convert them to grey\."),
        # As many values, and yet another image.
        ((9, 16, 1), r"images of 12 x 12 pixels, grey, and these are of 9 x 16 pixels, grey\."),
    ],
    ids=["size", "color", "as many values"],
)
@pytest.mark.parametrize("is_lazy", [False, True], ids=["in memory", "on the disk"])
@pytest.mark.parametrize("function", [tl.project, tl.augment, tl.evaluate_generated])
def test_images_of_another_shape_are_refused_with_the_remedy(
    tmp_path: Path,
    model: DiffAug,
    function: Any,
    shape: tuple[int, int, int],
    message: str,
    *,
    is_lazy: bool,
) -> None:
    other = save_folder(tmp_path / "set", shifted_textures(N_OBS, shape), max_bytes=0 if is_lazy else None)
    with pytest.raises(InputError, match=message):
        function(other, model)
    assert not other.obsm


def test_the_remedy_for_images_of_another_shape_works(tmp_path: Path, model: DiffAug) -> None:
    save_folder(tmp_path / "set", shifted_textures(N_OBS, (20, 16, 1)))
    other = io.read(tmp_path / "set", image_size=12)
    tl.project(other, model)
    assert np.isfinite(other.obsm["X_diffaug"]).all()


@pytest.mark.parametrize("shape", [(14, 12, 3), (12, 14, 1)], ids=["color", "oblong"])
def test_no_size_is_named_where_none_helps(
    tmp_path: Path, config: DiffAugConfig, adata: AnnData, shape: tuple[int, int, int]
) -> None:
    oblong = save_npz(tmp_path / "oblong.npz", shifted_textures(N_OBS, shape))
    model = tl.fit(oblong, config=config, device="cpu")
    with pytest.raises(InputError, match=r"these are of 12 x 12 pixels, grey\. Resize them\."):
        tl.project(adata, model)


@pytest.mark.parametrize("encoder", ["patches", "convnet", "resnet18"])
def test_the_encoder_is_the_one_asked_for(adata: AnnData, config: DiffAugConfig, encoder: Any) -> None:
    config = changed(config, encoder={"kind": encoder})
    tl.embed(adata, config=config, device="cpu")
    assert params_of(adata)["config"]["encoder"]["kind"] == encoder
    expected = DiffAug(config, device="cpu").fit_transform(adata.X.reshape(-1, 12, 12, 1))
    np.testing.assert_array_equal(adata.obsm["X_diffaug"], expected)


@pytest.mark.parametrize("view", ["pixel_noise", "patch_mask", "neighbor_noise", "neighbor_mix", "hand"])
def test_the_view_is_the_one_asked_for(adata: AnnData, config: DiffAugConfig, view: str) -> None:
    tl.embed(adata, config=changed(config, train={"warmup_view": view}), device="cpu")
    train = params_of(adata)["config"]["train"]
    assert train["warmup_view"] == view
    assert train["view_strength"] > 0
    assert np.isfinite(adata.obsm["X_diffaug"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"encoder": {"kind": "mlp"}},
            r"encoder 'mlp' does not fit the rows: .* and 'resnet18' images\.",
        ),
        ({"encoder": {"kind": "cnn"}}, r"encoder 'cnn' does not fit the rows: .* 'patches', 'convnet'"),
        (
            {"train": {"warmup_view": "gaussian"}},
            r"view 'gaussian' does not apply to images; take 'auto' or one of",
        ),
        ({"train": {"warmup_view": "blur"}}, r"warmup_view.*'blur'"),
    ],
    ids=["perceptron", "letters", "view of features", "unknown view"],
)
def test_what_does_not_suit_images_is_an_error(
    adata: AnnData, config: DiffAugConfig, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tl.embed(adata, config=changed(config, **settings), device="cpu")
    assert not adata.obsm


def test_another_matrix_of_images_can_be_embedded(adata: AnnData, tiny_config: DiffAugConfig) -> None:
    rng = np.random.default_rng(0)
    adata.layers["texture"] = rng.normal(size=adata.shape).astype(np.float32)
    adata.obsm["X_rep"] = rng.normal(size=(N_OBS, 5)).astype(np.float32)
    choices: list[tuple[dict[str, Any], int]] = [({"layer": "texture"}, 144), ({"use_rep": "X_rep"}, 5)]
    for choice, n_features in choices:
        tl.embed(adata, config=tiny_config, device="cpu", **choice)
        params = params_of(adata)
        assert params["images"] is False
        assert params["config"]["encoder"]["kind"] == "mlp"
        model = tl.fit(adata, config=tiny_config, **choice, device="cpu")
        assert isinstance(model.features_, FittedFeatures)
        assert model.n_features_in_ == n_features
        embedding = adata.obsm["X_diffaug"].copy()
        tl.project(adata, model)
        # Rounding differs between batches of another size.
        np.testing.assert_allclose(adata.obsm["X_diffaug"], embedding, rtol=0, atol=1e-5)


def test_images_cannot_be_chosen_beside_another_matrix() -> None:
    with pytest.raises(InputError, match=r"`sequences` and `images`: each names another matrix"):
        MatrixChoice(images=True, layer="counts")
    choice = MatrixChoice(images=True)
    assert MatrixChoice.from_dict(json.loads(json.dumps(choice.to_dict()))) == choice


@pytest.mark.parametrize("is_lazy", [False, True], ids=["in memory", "on the disk"])
def test_test_rows_of_a_split_change_nothing_of_the_fit(
    tmp_path: Path, config: DiffAugConfig, *, is_lazy: bool
) -> None:
    splits = ("train", "train", "train", "test")
    images = shifted_textures(N_OBS, SHAPES["grey"])
    other = images.copy()
    other[3::4] = np.random.default_rng(0).integers(0, 256, other[3::4].shape)
    max_bytes = 0 if is_lazy else None
    fits = []
    for name, one in (("set", images), ("other", other)):
        adata = save_folder(tmp_path / name, one, splits=splits, max_bytes=max_bytes)
        model = tl.fit(adata, config=config, split_key="split", device="cpu")
        fits.append((adata, model))
    (adata, model), (wild, again) = fits
    is_test = (adata.obs["split"] == "test").to_numpy()
    assert is_test.sum() == N_OBS // 4
    np.testing.assert_array_equal(wild.obsm["X_diffaug"][~is_test], adata.obsm["X_diffaug"][~is_test])
    assert not np.isclose(wild.obsm["X_diffaug"][is_test], adata.obsm["X_diffaug"][is_test]).all(1).any()
    assert params_of(adata)["split_key"] == "split"
    # The quality of generated images is that of the fitted rows alone.
    assert tl.evaluate_generated(wild, again) == tl.evaluate_generated(adata, model)
    table = tl.evaluate(adata, "label", split_key="split")
    assert np.isfinite(table.loc["X_diffaug"].to_numpy(float)).all()


@pytest.mark.parametrize("backbone", ["mlp", "unet"])
def test_generated_images_are_scored(adata: AnnData, config: DiffAugConfig, backbone: str) -> None:
    config = changed(config, generator={"backbone": backbone, "width": 8})
    model = tl.fit(adata, config=config, device="cpu")
    scores = tl.evaluate_generated(adata, model, label_key="label")
    assert {"label_kept", "source_distance", "real_or_generated"} <= set(scores)
    assert all(np.isfinite(value) for value in scores.values()), scores
    assert tl.augment(adata, model).X.dtype == np.uint8


def test_pixels_are_matched_by_name_and_images_have_none_to_write(model: DiffAug, adata: AnnData) -> None:
    assert isinstance(model.features_, FittedImages)
    renamed = adata.copy()
    renamed.var_names = [f"pixel-{number}" for number in range(144)]
    tl.project(renamed, model)
    np.testing.assert_array_equal(renamed.obsm["X_diffaug"], adata.obsm["X_diffaug"])


@pytest.mark.parametrize("is_lazy", [False, True], ids=["in memory", "on the disk"])
def test_a_model_of_arrays_takes_what_was_read(
    tmp_path: Path, images: NDArray[np.uint8], config: DiffAugConfig, *, is_lazy: bool
) -> None:
    adata = save_folder(tmp_path / "set", images, max_bytes=0 if is_lazy else None)
    pixels = io.read(tmp_path / "set").X
    model = DiffAug(config, device="cpu").fit(pixels.reshape(-1, 12, 12, 1))
    tl.project(adata, model)
    np.testing.assert_array_equal(adata.obsm["X_diffaug"], model.transform(pixels))
    assert tl.augment(adata, model).X.dtype == np.uint8
    # As many values, and yet another image.
    other = save_npz(tmp_path / "other.npz", shifted_textures(N_OBS, (9, 16, 1)))
    with pytest.raises(InputError, match=r"12 x 12 pixels, grey, and these are of 9 x 16 pixels, grey\."):
        tl.project(other, model)


def test_pixels_that_are_no_images_are_named(model: DiffAug, counts: AnnData, adata: AnnData) -> None:
    with pytest.raises(
        InputError, match=r"Images need height, width and channels in `\.uns\['image_shape'"
    ):
        tl.project(counts, model)
    bare = anndata.AnnData(obs=adata.obs[["label"]], var=adata.var, uns={"image_shape": [12, 12, 1]})
    with pytest.raises(InputError, match=r"neither pixels in `\.X` nor files in `\.obs\['image'\]`"):
        tl.project(bare, model)


def test_a_file_that_is_gone_is_named(tmp_path: Path, model: DiffAug, images: NDArray[np.uint8]) -> None:
    lazy = save_folder(tmp_path / "set", images, max_bytes=0)
    (tmp_path / "set" / "down" / "05.png").unlink()
    with pytest.raises(InputError, match=r"05\.png"):
        tl.project(lazy, model)
    assert not lazy.obsm


def test_the_log_says_what_the_rows_are(
    adata: AnnData, config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.embed(adata, config=config, device="cpu")
    assert f"Input: {N_OBS} images of 12 x 12 pixels, grey." in caplog.messages


@pytest.mark.parametrize("max_bytes", [2**31, 0], ids=["in memory", "on the disk"])
def test_a_model_of_colors_takes_grey_images_as_such(
    tmp_path: Path, config: DiffAugConfig, max_bytes: int
) -> None:
    # Whether a folder is read as grey depends on the other files in it.
    grey = shifted_textures(N_OBS, (14, 12, 1)).repeat(3, axis=3)
    grey[0, 0, 0] = (255, 0, 0)
    model = tl.fit(save_folder(tmp_path / "all", grey), config=config, device="cpu")
    colored, alone = save_folder(tmp_path / "colored", grey), tmp_path / "alone"
    save_folder(alone, grey[1:, ..., :1])
    adata = io.read(alone, max_bytes=max_bytes)
    assert adata.uns["image_shape"].tolist() == [14, 12, 1]
    for data in (colored, adata):
        tl.project(data, model)
    names = [f"{number:02}" for number in range(N_OBS)]
    by_name = [
        dict(zip([name[-6:-4] for name in data.obs["file"]], data.obsm["X_diffaug"], strict=True))
        for data in (colored, adata)
    ]
    for number in range(1, N_OBS):
        # `alone` starts a file later.
        np.testing.assert_allclose(by_name[0][names[number]], by_name[1][names[number - 1]], atol=1e-5)
    generated = tl.augment(adata, model)
    assert generated.shape == (N_OBS - 1, 14 * 12 * 3)
    assert generated.uns["image_shape"].tolist() == [14, 12, 3]
