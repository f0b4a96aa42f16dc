"""Images as rows and back, and views of them: against loops over images, and what they leave alone."""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from diffaug_bio.core import images as views
from diffaug_bio.core.images import ImageShape, as_images, as_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    View = Callable[[Tensor, ImageShape, float, torch.Generator], Tensor]

COLOUR, GREY, LARGE = ImageShape(12, 10, 3), ImageShape(9, 11, 1), ImageShape(66, 64, 3)
each_shape = pytest.mark.parametrize("shape", [COLOUR, GREY], ids=["colour", "grey"])
LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R 601


def seeded(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def rows_of(shape: ImageShape, n_rows: int = 40) -> Tensor:
    """Noise that touches both ends of the range."""
    return (1.4 * torch.rand((n_rows, shape.n_values), generator=seeded(9)) - 0.2).clamp(0, 1)


def images_of(shape: ImageShape, n_images: int = 40) -> Tensor:
    return as_images(rows_of(shape, n_images), shape)


def on_rows(view: Callable[[Tensor, float, torch.Generator], Tensor]) -> View:
    """Make a view of images one of rows."""
    return lambda rows, shape, strength, generator: as_rows(
        view(as_images(rows, shape), strength, generator)
    )


VIEWS: dict[str, View] = {
    "crop": on_rows(lambda x, s, g: views.random_resized_crop(x, smallest=1 - 0.9 * s, generator=g)),
    "flip": on_rows(lambda x, s, g: views.horizontal_flip(x, generator=g)),
    "jitter": on_rows(lambda x, s, g: views.colour_jitter(x, strength=s, generator=g)),
    "greyscale": on_rows(lambda x, s, g: views.greyscale(x, share=s / 2, generator=g)),
    "blur": on_rows(lambda x, s, g: views.gaussian_blur(x, share=s / 2, generator=g)),
    "hand_made": lambda x, shape, s, g: views.hand_made(x, shape, strength=s, generator=g),
    "pixel_noise": lambda x, shape, s, g: views.pixel_noise(x, strength=s, generator=g),
    "patch_mask": lambda x, shape, s, g: views.patch_mask(x, shape, strength=s / 2, generator=g),
}
each_view = pytest.mark.parametrize("name", VIEWS)


@each_shape
def test_rows_become_images_and_back_without_a_copy(shape: ImageShape) -> None:
    rows = rows_of(shape)
    images = as_images(rows, shape)
    assert images.shape == (40, shape.channels, shape.height, shape.width)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(as_rows(images), rows)
    assert as_rows(images).data_ptr() == images.data_ptr() == rows.data_ptr()
    assert torch.equal(as_rows(images.contiguous()), rows)


def test_a_row_holds_height_then_width_then_channel() -> None:
    rows = torch.arange(2 * COLOUR.n_values).view(2, -1)
    images = as_images(rows, COLOUR)
    for y, x, channel in [(0, 0, 1), (0, 9, 2), (11, 3, 0)]:
        assert int(images[1, channel, y, x]) == COLOUR.n_values + (y * 10 + x) * 3 + channel


@each_view
@pytest.mark.parametrize("shape", [COLOUR, GREY, LARGE], ids=["colour", "grey", "large"])
@pytest.mark.parametrize("strength", [0.3, 1.0], ids="strength-{}".format)
def test_views_keep_shape_and_range(name: str, shape: ImageShape, strength: float) -> None:
    rows = rows_of(shape)
    changed = VIEWS[name](rows, shape, strength, seeded())
    assert changed.shape == rows.shape
    assert changed.dtype == torch.float32
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1


@each_view
def test_views_change_no_argument_and_no_global_random_state(name: str) -> None:
    rows = rows_of(COLOUR)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    VIEWS[name](rows, COLOUR, 1.0, seeded())
    assert torch.equal(rows, rows_of(COLOUR))
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002


@each_view
def test_a_seed_fixes_a_view(name: str) -> None:
    first, again, other = (VIEWS[name](rows_of(COLOUR), COLOUR, 1.0, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@each_shape
@pytest.mark.parametrize("name", [name for name in VIEWS if name not in {"flip", "hand_made"}])
def test_views_without_strength_change_nothing(name: str, shape: ImageShape) -> None:
    rows = rows_of(shape)
    # Where a crop takes its values is known to a few millionths of a side.
    torch.testing.assert_close(VIEWS[name](rows, shape, 0.0, seeded()), rows, rtol=0, atol=2e-5)


@pytest.mark.parametrize("shape", [COLOUR, GREY, LARGE], ids=["colour", "grey", "large"])
def test_hand_made_views_without_strength_mirror_at_most(shape: ImageShape) -> None:
    rows = rows_of(shape)
    mirrored = as_rows(as_images(rows, shape).flip(3))
    changed = VIEWS["hand_made"](rows, shape, 0.0, seeded())
    as_before, as_mirrored = ((changed - x).abs().amax(1) < 1e-4 for x in (rows, mirrored))
    assert bool((as_before ^ as_mirrored).all())
    assert 0 < int(as_mirrored.sum()) < len(rows)


@pytest.mark.parametrize("name", ["crop", "jitter", "greyscale", "blur", "hand_made", "patch_mask"])
@pytest.mark.parametrize("shape", [COLOUR, LARGE], ids=["small", "large"])
def test_what_becomes_of_an_image_does_not_depend_on_the_others(name: str, shape: ImageShape) -> None:
    rows = rows_of(shape)
    other = rows.clone()
    other[1::2] = 1 - other[1::2]
    first, second = (VIEWS[name](x, shape, 1.0, seeded()) for x in (rows, other))
    assert torch.equal(first[::2], second[::2])


def cropped(image: Tensor, drawn: list[float], smallest: float) -> Tensor:
    """Interpolate each pixel of one image by itself."""
    _, height, width = image.shape
    area = smallest + (1 - smallest) * drawn[0]
    ratio = math.exp((2 * drawn[1] - 1) * min(math.log(4 / 3), -math.log(area)))
    sides = math.sqrt(area / ratio) * height, math.sqrt(area * ratio) * width
    assert sides[0] * sides[1] == pytest.approx(area * height * width)
    assert max(sides[0] / height, sides[1] / width) <= 1 + 1e-6
    top, left = (height - sides[0]) * drawn[3], (width - sides[1]) * drawn[2]
    out = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            y = min(max(top + (row + 0.5) * sides[0] / height - 0.5, 0), height - 1)
            x = min(max(left + (column + 0.5) * sides[1] / width - 0.5, 0), width - 1)
            for j, down in ((int(y), 1 - y % 1), (min(int(y) + 1, height - 1), y % 1)):
                for i, right in ((int(x), 1 - x % 1), (min(int(x) + 1, width - 1), x % 1)):
                    out[:, row, column] += down * right * image[:, j, i]
    return out


@each_shape
@pytest.mark.parametrize("smallest", [0.2, 0.9])
def test_crop_equals_a_loop_over_pixels(shape: ImageShape, smallest: float) -> None:
    images = images_of(shape, 8)
    found = views.random_resized_crop(images, smallest=smallest, generator=seeded())
    numbers = torch.rand((8, 4), generator=seeded())
    for image, drawn, crop in zip(images, numbers.tolist(), found, strict=True):
        torch.testing.assert_close(crop, cropped(image, drawn, smallest), rtol=0, atol=2e-5)


def test_crops_of_a_ramp_lie_within_it_and_cover_the_share_of_the_area() -> None:
    # Values are the place itself, so that the outermost of them tell which part was cut out.
    side = 64
    place = ((torch.arange(side) + 0.5) / side).expand(2000, 1, side, side)
    crops = views.random_resized_crop(place, smallest=0.2, generator=seeded())
    width = (crops[..., -1] - crops[..., 0]).mean((1, 2)) * side / (side - 1)
    crops = views.random_resized_crop(place.mT, smallest=0.2, generator=seeded())
    height = (crops[..., -1, :] - crops[..., 0, :]).mean((1, 2)) * side / (side - 1)
    area, ratio = width * height, width / height
    # Uniform from 0.2 to 1: 2000 draws have their mean within 0.005 at one standard error.
    assert float(area.mean()) == pytest.approx(0.6, abs=0.02)
    assert float(area.quantile(0.1)) == pytest.approx(0.28, abs=0.03)
    assert float(ratio.log().mean()) == pytest.approx(0, abs=0.02)
    assert float(ratio.log().abs().max()) == pytest.approx(math.log(4 / 3), abs=0.02)


def test_flip_mirrors_half_of_the_images() -> None:
    images = images_of(COLOUR, 600)
    flipped = views.horizontal_flip(images, generator=seeded())
    same, mirrored = ((flipped == x).all(dim=3).all(dim=2).all(dim=1) for x in (images, images.flip(3)))
    assert bool((same ^ mirrored).all())
    assert float(mirrored.float().mean()) == pytest.approx(0.5, abs=0.08)  # four standard errors


def jittered(image: Tensor, drawn: list[float], strength: float) -> Tensor:
    """Change the colours of one image step by step, the hue by matrices from and to YIQ."""
    brightness, contrast, saturation = (1 + 0.8 * strength * (2 * d - 1) for d in drawn[:3])
    image = (image * brightness).clamp(0, 1)
    in_colour = len(image) == 3
    grey = (LUMA[:, None, None] * image).sum(0) if in_colour else image[0]
    image = (grey.mean() + contrast * (image - grey.mean())).clamp(0, 1)
    if not in_colour:
        return image
    to_yiq = torch.tensor(
        [
            LUMA.tolist(),
            [0.595716, -0.274453, -0.321263],
            [0.211456, -0.522591, 0.311135],
        ]
    )
    turn = 2 * math.pi * 0.2 * strength * (2 * drawn[3] - 1)
    # From I to Q, against the direction from U to V.
    rotation = torch.eye(3)
    rotation[1:, 1:] = saturation * torch.tensor(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
    )
    matrix = to_yiq.inverse() @ rotation @ to_yiq
    return torch.einsum("ij,jhw->ihw", matrix, image).clamp(0, 1)


@each_shape
@pytest.mark.parametrize("strength", [0.5, 1.0], ids="strength-{}".format)
def test_jitter_equals_a_loop_over_images(shape: ImageShape, strength: float) -> None:
    images = images_of(shape)
    found = views.colour_jitter(images, strength=strength, generator=seeded())
    numbers = torch.rand((4, len(images)), generator=seeded()).T
    for image, drawn, changed in zip(images, numbers.tolist(), found, strict=True):
        # Published matrices have six digits.
        torch.testing.assert_close(changed, jittered(image, drawn, strength), rtol=0, atol=1e-4)


def test_jitter_leaves_grey_pixels_of_colour_images_grey() -> None:
    images = images_of(GREY).expand(-1, 3, -1, -1)
    changed = views.colour_jitter(images, strength=1.0, generator=seeded())
    torch.testing.assert_close(changed, changed[:, :1].expand_as(changed), rtol=0, atol=1e-6)


def test_jitter_turns_hues_by_at_most_the_share_of_the_circle() -> None:
    red = torch.tensor([0.6, 0.4, 0.4])[:, None, None].expand(500, 3, 4, 4)
    changed = views.colour_jitter(red, strength=0.5, generator=seeded())[:, :, 0, 0]
    turns = torch.tensor([colorsys.rgb_to_hsv(*pixel)[0] for pixel in changed.tolist()])
    turns = (turns + 0.5) % 1 - 0.5
    # A turn of YIQ by 0.1 is one of HSV by 0.07 to 0.14, since the hexagon is no circle.
    assert 0.06 < float(turns.max()) < 0.15
    assert -0.15 < float(turns.min()) < -0.06


@pytest.mark.parametrize("share", [0.2, 1.0], ids="share-{}".format)
def test_greyscale_weighs_channels_by_luma_in_a_share_of_the_images(share: float) -> None:
    images = images_of(COLOUR, 600)
    found = views.greyscale(images, share=share, generator=seeded())
    n_grey = 0
    for before, after in zip(images, found, strict=True):
        if torch.equal(before, after):
            continue
        n_grey += 1
        torch.testing.assert_close(after, torch.einsum("chw,c->hw", before, LUMA).expand(3, -1, -1))
    assert n_grey / 600 == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("view", [views.greyscale, views.colour_jitter], ids=["greyscale", "jitter"])
def test_images_of_other_channels_have_no_colours(view: Callable[..., Tensor]) -> None:
    generator, images = seeded(), images_of(ImageShape(6, 6, 4))
    if view is views.greyscale:
        assert view(images, share=1.0, generator=generator) is images
        return
    images = 0.4 + 0.2 * images  # nothing is cut off
    changed = view(images, strength=0.2, generator=generator)
    for before, after in zip(images, changed, strict=True):
        slope = after.std() / before.std()
        torch.testing.assert_close(after - after.mean(), slope * (before - before.mean()))


@pytest.mark.parametrize("shape", [COLOUR, GREY, LARGE], ids=["colour", "grey", "large"])
def test_blur_equals_that_of_scipy(shape: ImageShape) -> None:
    images = images_of(shape, 6)
    found = views.gaussian_blur(images, share=1.0, generator=seeded())
    deviations = 0.1 + 1.9 * torch.rand(6, generator=seeded())
    radius = 3 if shape is LARGE else 1
    for image, deviation, blurred in zip(images, deviations.tolist(), found, strict=True):
        expected = ndimage.gaussian_filter(
            image.numpy(), deviation, mode="mirror", radius=radius, axes=(1, 2)
        )
        torch.testing.assert_close(blurred, torch.from_numpy(expected), rtol=0, atol=1e-5)


def test_blur_leaves_the_other_images() -> None:
    images = images_of(COLOUR, 600)
    blurred = views.gaussian_blur(images, share=0.3, generator=seeded())
    # Standard deviations near 0.1 change too little to see.
    changed = (blurred - images).abs().amax((1, 2, 3)) > 0
    assert 0.2 < float(changed.float().mean()) < 0.4


@pytest.mark.parametrize("shape", [COLOUR, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("strength", [0.4, 1.0], ids="strength-{}".format)
def test_hand_made_views_are_the_published_recipe(shape: ImageShape, strength: float) -> None:
    generator, rows = seeded(), rows_of(shape)
    images = as_images(rows, shape)
    images = views.random_resized_crop(images, smallest=1 - 0.8 * strength, generator=generator)
    images = views.horizontal_flip(images, generator=generator)
    changed = views.colour_jitter(images, strength=strength / 2, generator=generator)
    is_changed = torch.rand(len(images), generator=generator) < 0.8
    images = torch.stack(
        [a if is_so else b for a, b, is_so in zip(changed, images, is_changed, strict=True)]
    )
    images = views.greyscale(images, share=strength / 5, generator=generator)
    if shape is LARGE:
        images = views.gaussian_blur(images, share=strength / 2, generator=generator)
    found = views.hand_made(rows, shape, strength=strength, generator=seeded())
    assert torch.equal(as_images(found, shape), images)


def test_hand_made_views_blur_large_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    blurred = []
    original = views.gaussian_blur

    def counted(images: Tensor, *, share: float, generator: torch.Generator) -> Tensor:
        blurred.append(tuple(images.shape[2:]))
        return original(images, share=share, generator=generator)

    monkeypatch.setattr(views, "gaussian_blur", counted)
    for shape in (COLOUR, ImageShape(63, 64, 3), ImageShape(64, 65, 3)):
        views.hand_made(rows_of(shape, 4), shape, strength=1.0, generator=seeded())
    assert blurred == [(64, 65)]


def test_pixel_noise_has_the_deviation_asked_for() -> None:
    rows = torch.full((100, 400), 0.5)
    noise = views.pixel_noise(rows, strength=0.1, generator=seeded()) - rows
    assert float(noise.std()) == pytest.approx(0.1, rel=0.03)
    assert float(noise.mean()) == pytest.approx(0, abs=0.003)


def masked(image: Tensor, start: list[int], drawn: Tensor, *, side: int, strength: float) -> Tensor:
    """Go through the patches of one image."""
    out = image.clone()
    for j, row in enumerate(drawn.tolist()):
        for i, number in enumerate(row):
            if number < strength:
                top, left = j * side - start[0], i * side - start[1]
                patch = (slice(max(0, top), max(0, top + side)), slice(max(0, left), max(0, left + side)))
                out[:, *patch] = image.mean((1, 2))[:, None, None]
    return out


@each_shape
def test_patch_mask_equals_a_loop_over_patches(shape: ImageShape) -> None:
    generator, rows = seeded(), rows_of(shape)
    found = as_images(views.patch_mask(rows, shape, strength=0.4, generator=seeded()), shape)
    side = min(shape.height, shape.width) // 4
    n_down, n_right = math.ceil(shape.height / side) + 1, math.ceil(shape.width / side) + 1
    starts = torch.randint(side, (2, len(rows)), generator=generator).T.tolist()
    numbers = torch.rand((len(rows), n_down, n_right), generator=generator)
    for image, start, drawn, changed in zip(as_images(rows, shape), starts, numbers, found, strict=True):
        torch.testing.assert_close(changed, masked(image, start, drawn, side=side, strength=0.4))


@pytest.mark.parametrize("strength", [0.25, 1.0], ids="strength-{}".format)
def test_patch_mask_hides_the_share_asked_for(strength: float) -> None:
    shape = ImageShape(28, 28, 1)
    rows = rows_of(shape, 600)
    masked_rows = views.patch_mask(rows, shape, strength=strength, generator=seeded())
    hidden = (masked_rows - rows.mean(1, keepdim=True)).abs() < 1e-6
    # About 20 patches for each of 600 images: a standard error of 0.004.
    assert float(hidden.float().mean()) == pytest.approx(strength, abs=0.02)
    assert torch.equal(masked_rows[~hidden], rows[~hidden])


@pytest.mark.gpu
@each_view
def test_views_run_on_cuda_without_waiting_for_it(name: str) -> None:
    rows, generator = rows_of(LARGE).cuda(), seeded(device="cuda")
    VIEWS[name](rows, LARGE, 1.0, generator)  # loads libraries
    torch.cuda.set_sync_debug_mode("error")
    try:
        changed = VIEWS[name](rows, LARGE, 1.0, generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert changed.device == rows.device
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
