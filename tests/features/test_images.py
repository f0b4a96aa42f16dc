"""Fitted front ends of images: what they span, where their numbers come from, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.config import DiffAugConfig, FeatureConfig
from diffaug_bio.core.inputs import ImageInput
from diffaug_bio.core.patches import LEAST_VARIANCE
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedImages, fit_images, from_record
from diffaug_bio.features._images import fit_filters
from diffaug_bio.matrix.validation import as_pixels
from tests.conftest import shifted_textures
from tests.features.conftest import share_of_subspace

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Shape = tuple[int, int, int]

GREY, COLOUR = (16, 16, 1), (12, 10, 3)
SHAPES = {"grey": GREY, "colour": COLOUR}


def rows_of(shape: Shape = GREY, n_obs: int = 60, *, seed: int = 0) -> NDArray[np.uint8]:
    return shifted_textures(n_obs, shape, seed=seed).reshape(n_obs, -1)


def fit(pixels: Any, shape: Shape = GREY, *, n_components: int | None = 6, seed: int = 0) -> FittedImages:
    return fit_images(pixels, shape, FeatureConfig(n_components=n_components), seed=seed)


def arrays_of(features: FittedImages) -> dict[str, NDArray[Any]]:
    return dict(features.record().arrays)


def source_of(features: FittedImages) -> ImageInput:
    source = features.inputs(DiffAugConfig())
    assert isinstance(source, ImageInput)
    return source


class CountingImages:
    """Images that are made when asked for, with a note of which."""

    def __init__(self, pixels: NDArray[np.uint8], shape: Shape) -> None:
        self.shape, self.image_shape, self.dtype = pixels.shape, shape, pixels.dtype
        self.pixels = pixels
        self.read: list[int] = []

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        self.read += np.arange(len(self.pixels))[rows].tolist()
        return self.pixels[rows]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_components_are_those_that_the_networks_see(shape: Shape) -> None:
    features = fit(rows_of(shape), shape)
    later = rows_of(shape, 20, seed=1)
    later[0], later[1] = 0, 255
    expected = features.project(later)
    assert expected.shape == (20, 6)
    assert expected.dtype == np.float32
    found = source_of(features).front_end.eval()(torch.from_numpy(later).float() / 255).numpy()
    # One map against a centring and a map: float32 sums of 256 columns.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_components_of_both_kinds_are_centred_uncorrelated_and_of_about_unit_variance(shape: Shape) -> None:
    pixels = rows_of(shape)
    features = fit(pixels, shape)
    of_pixels = source_of(features).components.encode(torch.from_numpy(pixels).float() / 255).numpy()
    for components in (features.project(pixels), of_pixels):
        np.testing.assert_allclose(components.mean(0), 0, atol=1e-3)
        covariance = np.cov(components.T, bias=True)
        np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=2e-3)
        assert np.mean(np.diag(covariance)) == pytest.approx(1, rel=1e-2)
    # What the generator sees has one variance in every direction.
    np.testing.assert_allclose(of_pixels.std(0), 1, rtol=1e-3)
    projected = features.pixels.project(pixels)
    np.testing.assert_allclose(features.spread, projected.std(0), rtol=1e-4)
    np.testing.assert_allclose(of_pixels, projected / features.spread, rtol=0, atol=1e-4)


def test_components_of_pixels_are_principal_axes() -> None:
    pixels = rows_of()
    centred = pixels / 255 - (pixels / 255).mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:6].T
    found = fit(pixels).pixels.components
    assert share_of_subspace(found / np.linalg.norm(found, axis=0), axes) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_fitted_images_survive_the_way_through_a_record(shape: Shape) -> None:
    pixels = rows_of(shape)
    features = fit(pixels, shape)
    plain, arrays = features.record()
    rebuilt = from_record(json.loads(json.dumps(plain)), {**arrays, "encoder.weight": np.zeros(3)})
    assert isinstance(rebuilt, FittedImages)
    assert rebuilt.image_shape == shape
    assert (rebuilt.state, rebuilt.front_end) == ("image", True)
    assert rebuilt.n_vars == rebuilt.n_features == np.prod(shape)
    for name, array in arrays_of(rebuilt).items():
        np.testing.assert_array_equal(array, arrays[name])
    np.testing.assert_array_equal(rebuilt.project(pixels), features.project(pixels))
    np.testing.assert_array_equal(rebuilt.dense_rows(pixels), features.dense_rows(pixels))


def test_what_is_fitted_to_pixels_and_to_responses_is_not_mixed_up() -> None:
    features = fit(rows_of())
    plain, arrays = features.record()
    assert arrays["features.center"].shape == (2 * 64 * 16,)
    assert arrays["pixels.features.center"].shape == (256,)
    for name in ("features.filters", "features.spread", "features.center", "pixels.features.components"):
        with pytest.raises(KeyError, match=name.removeprefix("pixels.")):
            from_record(plain, {key: array for key, array in arrays.items() if key != name})
    with pytest.raises(TypeError, match="image_shape"):
        from_record({**plain, "pooled": plain}, arrays)


def test_a_seed_fixes_every_bit() -> None:
    pixels = rows_of()
    first, again, other = (arrays_of(fit(pixels, seed=seed)) for seed in (3, 3, 4))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert not np.array_equal(first["features.filters"], other["features.filters"])


def test_fitting_changes_neither_pixels_nor_global_random_states() -> None:
    pixels = rows_of()
    before, states = pixels.copy(), (str(np.random.get_state()), torch.get_rng_state())  # noqa: NPY002
    pixels.setflags(write=False)
    fit(pixels)
    np.testing.assert_array_equal(pixels, before)
    assert str(np.random.get_state()) == states[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[1])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_filters_are_unit_directions_of_whitened_patches(shape: Shape) -> None:
    # Every patch gets brighter to the right and down, each channel in its own way.
    slope = np.add.outer(np.arange(shape[0]), 2 * np.arange(shape[1]))[:, :, None] * [3.0, 1.0, -2.0]
    images = np.clip(shifted_textures(60, shape) * 0.2 + 80 + slope[..., : shape[2]], 0, 255).astype(
        np.uint8
    )
    filters, offsets = fit_filters(images, n_filters=8, seed=0)
    assert filters.shape == (8, 36 * shape[2])
    assert offsets.shape == (8,)
    assert filters.dtype == offsets.dtype == np.float32
    # Of all patches there are, not of those that were drawn; by row, column and channel.
    windows = np.lib.stride_tricks.sliding_window_view(images, (6, 6), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 36 * shape[2]) / 255
    patches -= patches.mean(1, keepdims=True)
    patches /= np.sqrt(patches.var(1, ddof=1, keepdims=True) + LEAST_VARIANCE)
    variances, axes = np.linalg.eigh(np.cov(patches, rowvar=False))
    whitening = axes / np.sqrt(np.maximum(variances, 0) + 0.1) @ axes.T
    # The covariance of a sample of 50,000 patches is off by about a hundredth.
    lengths = np.linalg.norm(filters @ np.linalg.inv(whitening), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=0.05)
    np.testing.assert_allclose((patches @ filters.T + offsets).mean(0), 0, atol=0.05)
    assert np.abs(offsets).max() > 0.1


def test_no_two_filters_are_one_direction() -> None:
    filters, _ = fit_filters(shifted_textures(60), n_filters=8, seed=0)
    unit = filters / np.linalg.norm(filters, axis=1, keepdims=True)
    assert (np.abs(unit @ unit.T) - np.eye(8)).max() < 0.99


def test_the_order_of_images_changes_components_less_than_another_seed() -> None:
    pixels = rows_of(n_obs=120)
    plain, turned, other = (
        fit(matrix, seed=seed) for matrix, seed in ((pixels, 0), (pixels[::-1], 0), (pixels, 1))
    )
    # Pixels are fitted whole, so that only rounding is left.
    axes = [
        features.pixels.components / np.linalg.norm(features.pixels.components, axis=0)
        for features in (plain, turned, other)
    ]
    assert share_of_subspace(axes[0][:, :3], axes[1][:, :3]) > 0.999
    assert share_of_subspace(axes[0][:, :3], axes[2][:, :3]) > 0.999
    # Other patches are drawn, of the same images.
    shared = [
        share_of_subspace(*(np.linalg.qr(part.project(pixels)[:, :3])[0] for part in (plain, later)))
        for later in (turned, other)
    ]
    assert min(shared) > 0.6


def test_there_are_as_many_components_as_there_can_be() -> None:
    features = fit(rows_of(n_obs=10), n_components=None)
    assert features.components.shape[1] == features.pixels.components.shape[1] == 9


def test_images_that_stay_on_the_disk_give_the_same_numbers(tmp_path: Path) -> None:
    images = shifted_textures(30, COLOUR)
    for number, image in enumerate(images):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "set" / f"{number:02}.png")
    lazy = io.open_images(io.read(tmp_path / "set", max_bytes=0))
    pixels = images.reshape(30, -1)
    np.testing.assert_array_equal(lazy[:], pixels)
    features, expected = fit(lazy, COLOUR), fit(pixels, COLOUR)
    for name, array in arrays_of(features).items():
        np.testing.assert_array_equal(array, arrays_of(expected)[name])
    np.testing.assert_array_equal(features.project(lazy), expected.project(pixels))


def test_of_too_many_images_each_of_a_sample_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = rows_of(n_obs=90)
    monkeypatch.setattr("diffaug_bio.features._images._FITTED_ROWS", 40)
    lazy = CountingImages(pixels, GREY)
    features = fit(lazy)
    assert len(lazy.read) == len(set(lazy.read)) == 40
    assert lazy.read == sorted(lazy.read)  # which is how files are read fastest
    for name, array in arrays_of(fit(pixels)).items():
        np.testing.assert_array_equal(array, arrays_of(features)[name])
    for name, array in arrays_of(fit(pixels[lazy.read])).items():
        np.testing.assert_array_equal(array, arrays_of(features)[name])
    other = CountingImages(pixels, GREY)
    fit(other, seed=1)
    assert other.read != lazy.read


def test_pixels_of_large_images_are_fitted_to_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = rows_of(n_obs=90)
    whole = fit(pixels)
    monkeypatch.setattr("diffaug_bio.features._images._FITTED_VALUES", 50 * 256)
    fewer = fit(pixels)
    np.testing.assert_array_equal(fewer.filters, whole.filters)
    np.testing.assert_array_equal(fewer.components, whole.components)
    assert not np.array_equal(fewer.pixels.center, whole.pixels.center)
    assert fewer.pixels.components.shape == whole.pixels.components.shape


def test_borders_of_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = rows_of()
    features = fit(pixels)
    expected = features.project(pixels)
    monkeypatch.setattr("diffaug_bio.matrix.blocks._BLOCK_ROWS", 7)
    # Convolutions of other sizes add in another order, and the root makes small differences larger.
    np.testing.assert_allclose(features.project(pixels), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", [(7, 16, 1), (16, 7, 3)], ids=["low", "narrow"])
def test_images_that_are_too_small_are_refused(shape: Shape) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, np.prod(shape)), dtype=np.uint8)
    with pytest.raises(
        InputError,
        match=rf"have {shape[0]} x {shape[1]} pixels, and at least 8 a side are needed\. Enlarge",
    ):
        fit(pixels, shape)


def test_the_smallest_images_are_fitted() -> None:
    pixels = rows_of((8, 8, 1))
    assert np.isfinite(fit(pixels, (8, 8, 1)).project(pixels)).all()


def test_images_that_are_all_alike_are_refused() -> None:
    pixels = np.repeat(rows_of(n_obs=1), 20, axis=0)
    with pytest.raises(InputError, match=r"All images are alike.* Give different images\."):
        fit(pixels)


def test_flat_images_of_different_colours_give_finite_components() -> None:
    pixels = np.repeat(np.arange(0, 250, 10, dtype=np.uint8), 64).reshape(25, 64)
    features = fit(pixels, (8, 8, 1))
    assert np.isfinite(features.project(pixels)).all()
    assert all(np.isfinite(array).all() for array in arrays_of(features).values())


PIXELS = rows_of(n_obs=4)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            PIXELS[:, :-1],
            r"16 x 16 pixels and 1 channels have 256 values, but the rows have 255",
        ),
        (PIXELS / 255, r"from 0 to 255 in a dense matrix, got values of type float64\. .* multiply"),
        (PIXELS > 9, r"got values of type bool"),
        (PIXELS.astype(int) * 2, r"from 0 to 255, got some from \d+ to \d{3}\."),
        (PIXELS.astype(int) - 256, r"from 0 to 255, got some from -\d+ to -\d+\."),
        (sparse.csr_matrix(PIXELS), r"in a dense matrix, got a sparse matrix\. Read images with"),
    ],
    ids=["width", "fractions", "truth-values", "beyond-a-byte", "negative", "sparse"],
)
def test_what_are_no_pixels_is_refused(matrix: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_pixels(matrix, GREY)


@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.int16])
def test_pixels_of_any_whole_type_become_bytes(kind: type) -> None:
    found = as_pixels(PIXELS.astype(kind), GREY)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, PIXELS)
    assert as_pixels(PIXELS, GREY) is PIXELS
