"""`DiffAug` on images: in memory and on the disk, every encoder, denoiser and view, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from diffaug_bio import DiffAug, io
from diffaug_bio.config import DiffAugConfig, ImageView, Loss
from diffaug_bio.errors import InputError
from diffaug_bio.model.codes import decode_codes, embed_held, generate_codes
from tests.conftest import shifted_textures

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHAPES = {"grey": (16, 16, 1), "colour": (12, 10, 3)}
IMAGES = shifted_textures(45)
LATER = shifted_textures(12, seed=1)
ROWS, LATER_ROWS = IMAGES.reshape(45, -1), LATER.reshape(12, -1)


def changed(config: DiffAugConfig, **sections: dict[str, Any]) -> DiffAugConfig:
    return config.replace(**sections)


def declared(config: DiffAugConfig, shape: tuple[int, ...] = (16, 16, 1)) -> DiffAugConfig:
    return changed(config, features={"input_state": "image", "image_shape": list(shape)})


def brief(config: DiffAugConfig) -> DiffAugConfig:
    """Take one or two steps of each phase."""
    epochs = {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 1}
    return changed(config, train=epochs)


def fitted_to(images: Any, config: DiffAugConfig, **settings: Any) -> DiffAug:
    return DiffAug(config, device="cpu", **settings).fit(images)


@pytest.fixture
def model(images_config: DiffAugConfig) -> DiffAug:
    return fitted_to(IMAGES, images_config)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_images_and_declared_rows_give_the_same_bits(
    images_config: DiffAugConfig, shape: tuple[int, int, int]
) -> None:
    images, later = (shifted_textures(30, shape, seed=seed) for seed in (0, 1))
    rows = images.reshape(30, -1)
    model = fitted_to(rows, declared(images_config, shape))
    expected = model.transform(later.reshape(30, -1))
    assert expected.shape == (30, 6)
    assert expected.dtype == np.float32
    assert np.isfinite(expected).all()
    assert (expected.std(0) > 0).all()
    forms = [(images, later), (rows.astype(np.int64).astype(np.uint8).reshape(images.shape), later)]
    if shape[2] == 1:
        forms.append((images[..., 0], later[..., 0]))
    for fitted, found in forms:
        other = fitted_to(fitted, images_config)
        assert other.config_ == model.config_
        assert other.n_features_in_ == rows.shape[1]
        np.testing.assert_array_equal(other.transform(found), expected)
    whole = fitted_to(rows.astype(np.int32), declared(images_config, shape))
    np.testing.assert_array_equal(whole.transform(later.reshape(30, -1).astype(np.uint16)), expected)


def test_a_fit_says_what_it_decided(model: DiffAug) -> None:
    config = model.config_
    assert config.features.image_shape == (16, 16, 1)
    assert (config.features.input_state, config.encoder.kind) == ("image", "patches")
    assert (config.train.warmup_view, config.loss.projection) == ("patch_mask", "sphere")
    assert {event.phase for event in model.history_} == {"warm_up", "generator", "encoder"}
    assert all(np.isfinite(event.loss) for event in model.history_)
    assert model.features_.state == "image"


def test_a_seed_fixes_the_embedding(images_config: DiffAugConfig, model: DiffAug) -> None:
    again, other = (fitted_to(IMAGES, images_config, random_state=seed).transform(LATER) for seed in (0, 1))
    np.testing.assert_array_equal(model.transform(LATER), again)
    assert not np.isclose(again, other).all(1).any()


def test_fitting_leaves_images_and_global_random_states_alone(images_config: DiffAugConfig) -> None:
    images = IMAGES.copy()
    images.setflags(write=False)
    states = str(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    model = fitted_to(images, images_config)
    generate_codes(model, images)
    np.testing.assert_array_equal(images, IMAGES)
    assert str(np.random.get_state()) == states[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[1])


@pytest.mark.parametrize("backbone", ["mlp", "unet"])
@pytest.mark.parametrize("kind", ["patches", "convnet", "resnet18"])
def test_every_encoder_and_denoiser_trains_and_survives_saving(
    images_config: DiffAugConfig, tmp_path: Path, kind: str, backbone: str
) -> None:
    config = changed(
        brief(images_config), encoder={"kind": kind}, generator={"backbone": backbone, "width": 8}
    )
    model = fitted_to(IMAGES[:20], config)
    assert all(np.isfinite(event.loss) for event in model.history_)
    model.save(tmp_path / "model")
    loaded = DiffAug.load(tmp_path / "model", device="cpu")
    assert loaded.config == model.config_
    np.testing.assert_array_equal(loaded.transform(LATER), model.transform(LATER))
    originals, generated = generate_codes(model, LATER)
    for found, expected in zip(generate_codes(loaded, LATER), (originals, generated), strict=True):
        np.testing.assert_array_equal(found, expected)
    n_codes = 256 if backbone == "unet" else 8
    assert originals.shape == generated.shape == (12, n_codes)
    assert originals.dtype == generated.dtype == np.float32
    assert not np.isclose(originals, generated).all(1).any()
    decoded = decode_codes(model, generated, LATER)
    assert decoded.shape == LATER_ROWS.shape
    assert decoded.dtype == np.uint8
    assert (decoded != LATER_ROWS).any(1).all()
    np.testing.assert_array_equal(decode_codes(loaded, generated, LATER), decoded)
    np.testing.assert_array_equal(decode_codes(model, originals, LATER), LATER_ROWS)
    np.testing.assert_array_equal(embed_held(model, LATER_ROWS), model.transform(LATER))
    assert embed_held(model, decoded).shape == (12, 6)


def test_a_loaded_model_can_be_saved_again(model: DiffAug, tmp_path: Path) -> None:
    model.save(tmp_path / "first")
    DiffAug.load(tmp_path / "first", device="cpu").save(tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_what_a_perceptron_generates_keeps_fine_detail(model: DiffAug) -> None:
    generated = generate_codes(model, LATER)[1]
    decoded = decode_codes(model, generated, LATER).astype(np.float64) / 255
    inside = (decoded > 0) & (decoded < 1)
    difference = np.where(inside, decoded - LATER_ROWS / 255, 0)
    axes = np.linalg.qr(model.features_.pixels.components)[0]  # type: ignore[attr-defined]
    outside = difference - difference @ axes @ axes.T
    # Bytes are rounded, and some pixels are cut off.
    assert np.median(np.abs(outside)) < 1 / 255 < 0.5 * np.median(np.abs(difference))


def test_seeds_fix_what_is_generated(model: DiffAug) -> None:
    first, again, other = (generate_codes(model, LATER, random_state=seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).all(1).any()


@pytest.mark.parametrize("view", get_args(ImageView))
def test_every_view_of_images_trains(images_config: DiffAugConfig, view: str) -> None:
    first, again, stronger = (
        fitted_to(IMAGES, changed(brief(images_config), train={"warmup_view": view, "view_strength": size}))
        for size in (0.2, 0.2, 0.8)
    )
    losses = [[event.loss for event in model.history_] for model in (first, again, stronger)]
    assert np.isfinite(losses).all()
    assert losses[0] == losses[1]
    assert losses[0][0] != losses[2][0]
    assert np.isfinite(first.transform(LATER)).all()


@pytest.mark.parametrize("kind", ["patches", "convnet"])
@pytest.mark.parametrize("view", ["neighbor_noise", "neighbor_mix"])
def test_neighbors_are_found_for_every_encoder(images_config: DiffAugConfig, view: str, kind: str) -> None:
    config = changed(brief(images_config), train={"warmup_view": view}, encoder={"kind": kind})
    assert np.isfinite(fitted_to(IMAGES, config).transform(LATER)).all()


@pytest.mark.parametrize("name", get_args(Loss))
def test_every_loss_trains_on_images(images_config: DiffAugConfig, name: Loss) -> None:
    model = fitted_to(IMAGES, changed(brief(images_config), loss={"name": name}))
    assert all(np.isfinite(event.loss) for event in model.history_)
    assert np.isfinite(model.transform(LATER)).all()


def test_a_model_without_generator_embeds_and_names_the_remedy(images_config: DiffAugConfig) -> None:
    model = fitted_to(IMAGES, changed(images_config, train={"generated_views": "none"}))
    assert model.transform(LATER).shape == (12, 6)
    with pytest.raises(InputError, match=r"has no generator.*Fit one with a generator"):
        generate_codes(model, LATER)


def test_images_on_the_disk_give_the_same_bits(images_config: DiffAugConfig, tmp_path: Path) -> None:
    shape = SHAPES["colour"]
    images = shifted_textures(30, shape)
    (tmp_path / "set").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "set" / f"{number:02}.png")
    lazy = io.open_images(io.read(tmp_path / "set", max_bytes=0))
    for view in ("patch_mask", "neighbor_noise"):
        config = changed(declared(images_config, shape), train={"warmup_view": view})
        expected = fitted_to(images, config)
        model = fitted_to(lazy, config)
        np.testing.assert_array_equal(model.transform(images), expected.transform(images))
        np.testing.assert_array_equal(model.transform(lazy), expected.transform(images))
        generated = generate_codes(expected, images)[1]
        np.testing.assert_array_equal(generate_codes(model, lazy)[1], generated)
        np.testing.assert_array_equal(
            decode_codes(model, generated, lazy), decode_codes(expected, generated, images)
        )
    with pytest.raises(InputError, match=r"stay on the disk are images, and `input_state` says something"):
        fitted_to(lazy, images_config)
    # As wide, and yet no images of that shape.
    with pytest.raises(InputError, match=r"shape \(10, 12, 3\), got .* \(12, 10, 3\)"):
        fitted_to(lazy, declared(images_config, (10, 12, 3)))


def nearest_accuracy(rows: NDArray[Any]) -> float:
    labels = np.arange(len(rows)) % 3
    return float(cross_val_score(KNeighborsClassifier(5), rows, labels, cv=5).mean())


def test_the_embedding_tells_textures_apart_wherever_they_are(images_config: DiffAugConfig) -> None:
    images = shifted_textures(90)
    config = changed(
        images_config,
        features={"n_components": 16},
        encoder={"n_latent": 16},
        train={"warmup_epochs": 10, "generator_epochs": 10, "encoder_epochs": 10},
    )
    embedding = fitted_to(images, config).transform(images)
    # Chance is a third; the same over five seeds gave 0.96 and more against 0.78 and less.
    assert nearest_accuracy(embedding) > 0.9 > nearest_accuracy(images.reshape(90, -1)) + 0.05
    # Half of the columns are kept; of the others alone it was 0.78 and more.
    assert nearest_accuracy(embedding[:, 8:]) > 0.6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"train": {"warmup_view": "gaussian"}},
            r"view 'gaussian' does not apply to images; take 'auto' or one of 'pixel_noise', 'patch_mask'",
        ),
        ({"train": {"warmup_view": "mutation"}}, r"view 'mutation' does not apply to images"),
        (
            {"encoder": {"kind": "mlp"}},
            r"encoder 'mlp' does not fit the rows: .* 'patches', 'convnet' and 'resnet18' images\.",
        ),
        (
            {"encoder": {"kind": "cnn"}},
            r"encoder 'cnn' does not fit the rows: .* 'cnn' letters of sequences",
        ),
    ],
    ids=["noise-of-features", "letters", "perceptron", "encoder-of-letters"],
)
def test_views_and_encoders_of_other_rows_are_refused(
    images_config: DiffAugConfig, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fitted_to(IMAGES, changed(images_config, **settings))


def test_the_published_preset_of_features_is_not_for_images() -> None:
    with pytest.raises(InputError, match=r"`front_end`.*'paper-images'.*'paper'"):
        fitted_to(IMAGES, DiffAugConfig.preset("paper"))
    config = DiffAugConfig().replace(encoder={"kind": "mlp"})
    with pytest.raises(InputError, match=r"encoder 'mlp' does not fit the rows"):
        fitted_to(IMAGES, config)


def test_the_encoders_of_images_are_refused_on_features(tiny_config: DiffAugConfig) -> None:
    features = np.random.default_rng(0).uniform(size=(30, 20))
    for settings in ({"encoder": {"kind": "patches"}}, {"encoder": {"kind": "resnet18"}}):
        with pytest.raises(InputError, match=r"does not fit the rows: 'mlp' embeds features"):
            fitted_to(features, changed(tiny_config, **settings))
    with pytest.raises(InputError, match=r"denoiser 'unet' is for images, and these rows are features"):
        fitted_to(features, changed(tiny_config, generator={"backbone": "unet"}))


@pytest.mark.parametrize("method", ["transform", "augment"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (LATER_ROWS[:, :-1], r"X has 255 features, but DiffAug is expecting 256 features"),
        (LATER[:, :-1], r"shape \(16, 16, 1\), got .* \(15, 16, 1\)"),
        # As many values, and yet no images of that shape.
        (
            LATER.reshape(12, 8, 32),
            r"shape \(16, 16, 1\), got .* \(8, 32, 1\)",
        ),
        (
            LATER_ROWS / 255,
            r"whole numbers from 0 to 255 in a dense matrix, got values of type float64",
        ),
        (LATER_ROWS.astype(int) + 200, r"from 0 to 255, got some from 2\d\d to \d+"),
    ],
    ids=["width", "height", "shape", "fractions", "beyond-a-byte"],
)
def test_what_are_no_images_of_the_fit_is_an_error(
    model: DiffAug, method: str, rows: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        getattr(model, method)(rows)


def test_pixels_are_matched_by_name_and_none_may_be_missing(images_config: DiffAugConfig) -> None:
    names = [f"pixel_{number}" for number in range(256)]
    frame, later = (pd.DataFrame(rows, columns=names) for rows in (ROWS, LATER_ROWS))
    model = fitted_to(frame, declared(images_config))
    expected = model.transform(LATER)
    np.testing.assert_array_equal(model.transform(later), expected)
    np.testing.assert_array_equal(model.transform(later[names[::-1]]), expected)
    np.testing.assert_array_equal(model.transform(later.assign(extra=0)), expected)
    for found, wanted in zip(
        generate_codes(model, later[names[::-1]]), generate_codes(model, LATER), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(InputError, match=r"pixels of the images .* are missing\. Give whole images"):
        model.transform(later[names[1:]])


def test_images_are_an_error_to_a_model_of_features(tiny_config: DiffAugConfig) -> None:
    features = np.random.default_rng(0).normal(size=(30, 256))
    model = fitted_to(features, tiny_config)
    with pytest.raises(InputError, match=r"no images, got .* \(16, 16, 1\)"):
        model.transform(LATER)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[:2], r"has 2 rows; learning an embedding needs at least 3"),
        (IMAGES[:, :6], r"have 6 x 16 pixels, and at least 8 a side are needed"),
        (np.repeat(IMAGES[:1], 9, axis=0), r"All images are alike"),
        (IMAGES / 255, r"got an array with 4 dimensions\. Images have to be bytes \(uint8\) of shape"),
        (IMAGES[None], r"got an array with 5 dimensions\.$"),
        (np.repeat(IMAGES, 2, axis=3), r"height, width and channels \(1 or 3\) .*; got \(16, 16, 2\)"),
    ],
    ids=["few", "small", "alike", "fractions", "five-dimensions", "two-channels"],
)
def test_images_that_cannot_be_learned_from_are_an_error(
    images_config: DiffAugConfig, images: NDArray[np.uint8], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fitted_to(images, images_config)


def test_codes_and_rows_of_another_shape_are_refused(model: DiffAug) -> None:
    codes, _ = generate_codes(model, LATER)
    with pytest.raises(InputError, match=r"Expected codes of shape \(12, 8\)"):
        decode_codes(model, codes[:, :-1], LATER)
    with pytest.raises(InputError, match=r"have 256 values, but the rows have 255"):
        embed_held(model, LATER_ROWS[:, :-1])


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_published_networks_train_on_cuda(
    images_config: DiffAugConfig, precision: Any, tmp_path: Path
) -> None:
    images = shifted_textures(60, (32, 32, 3))
    config = changed(
        brief(images_config),
        encoder={"kind": "resnet18"},
        generator={"backbone": "unet", "width": 32},
        train={"warmup_view": "hand", "min_steps": 4},
    )
    model = DiffAug(config, device="cuda", precision=precision).fit(images)
    assert len(model.history_) >= 3
    assert all(np.isfinite(event.loss) for event in model.history_)
    embedding = model.transform(images)
    assert np.isfinite(embedding).all()
    assert decode_codes(model, generate_codes(model, images)[1], images).dtype == np.uint8
    model.save(tmp_path / "model")
    on_cpu = DiffAug.load(tmp_path / "model", device="cpu").transform(images)
    # Sums go in another order on each device, and convolutions run in TF32.
    np.testing.assert_allclose(on_cpu, embedding, rtol=5e-2, atol=5e-2 * float(np.abs(embedding).max()))
