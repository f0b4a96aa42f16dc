"""The front end of patches, against patches that are cut out one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from diffaug_bio.core.images import ImageShape
from diffaug_bio.core.patches import (
    LEAST_VARIANCE,
    PatchFrontEnd,
    filter_kernels,
    patch_stride,
    pooled_responses,
)

SHAPES = [
    ImageShape(8, 8, 1),
    ImageShape(9, 13, 1),
    ImageShape(11, 8, 3),
    ImageShape(49, 50, 1),
    ImageShape(81, 96, 3),
]


def describe(shape: ImageShape) -> str:
    return "x".join(map(str, shape))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def filters_for(shape: ImageShape, n_filters: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    filters = 0.3 * torch.randn((n_filters, 36 * shape.channels), generator=generator)
    return filters, 0.2 * torch.randn(n_filters, generator=generator)


def front_end_for(shape: ImageShape, n_components: int = 3) -> PatchFrontEnd:
    filters, offsets = filters_for(shape)
    weight, bias = random(2 * len(filters) * 16, n_components), random(n_components)
    return PatchFrontEnd(shape, filters=filters, offsets=offsets, weight=weight, bias=bias).eval()


def pool(rows: Tensor, shape: ImageShape) -> Tensor:
    filters, offsets = filters_for(shape)
    return pooled_responses(
        rows, shape, filter_kernels(filters, shape), offsets, stride=patch_stride(shape)
    )


def slowly(rows: Tensor, shape: ImageShape, filters: Tensor, offsets: Tensor, *, stride: int) -> np.ndarray:
    """Cut out every patch, normalise, filter, threshold, pool; in double precision, without the root."""
    weights, shifts = filters.double().numpy(), offsets.double().numpy()
    pooled = []
    for row in rows.double().numpy():
        padded = np.pad(row.reshape(shape), ((3, 2), (3, 2), (0, 0)), mode="edge")
        tops, lefts = range(0, shape.height, stride), range(0, shape.width, stride)
        responses = np.empty((len(weights), len(tops), len(lefts)))
        for down, top in enumerate(tops):
            for right, left in enumerate(lefts):
                patch = padded[top : top + 6, left : left + 6].ravel()
                patch = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + LEAST_VARIANCE)
                responses[:, down, right] = weights @ patch + shifts
        sides = np.concatenate([np.maximum(sign * responses - 0.25, 0) for sign in (1, -1)])
        parts = [
            [math.floor(i * n / 4), math.ceil((i + 1) * n / 4)] for n in sides.shape[1:] for i in range(4)
        ]
        pooled.append([side[a:b, c:d].mean() for side in sides for a, b in parts[:4] for c, d in parts[4:]])
    return np.array(pooled)


@pytest.mark.parametrize("spacing", [1, 2], ids=["embedding", "training"])
@pytest.mark.parametrize("shape", SHAPES, ids=describe)
def test_pooled_responses_are_those_of_patches_cut_out(shape: ImageShape, spacing: int) -> None:
    rows = random(3, shape.n_values)
    rows[1] = 0.5 + 0.02 * (rows[1] - 0.5)  # hardly any contrast
    filters, offsets = filters_for(shape)
    stride = spacing * patch_stride(shape)
    found = pooled_responses(rows, shape, filter_kernels(filters, shape), offsets, stride=stride)
    assert found.shape == (3, 2 * 5 * 4 * 4)
    assert found.dtype == torch.float32
    # The root of next to nothing is much more than rounding, so that squares are compared.
    expected = slowly(rows, shape, filters, offsets, stride=stride)
    np.testing.assert_allclose(found.double().square().numpy(), expected, rtol=1e-4, atol=1e-5)
    assert expected.max() > 0.1


def test_an_image_of_one_colour_is_flat_up_to_its_border() -> None:
    shape = ImageShape(16, 16, 1)
    _, offsets = filters_for(shape)
    found = pool(torch.full((1, shape.n_values), 0.7), shape)
    alone = torch.cat([(sign * offsets - 0.25).relu() for sign in (1, -1)]).sqrt()
    torch.testing.assert_close(found.view(10, 16), alone[:, None].expand(10, 16), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("side", "stride"), [(8, 1), (32, 1), (47, 1), (49, 2), (64, 2), (96, 3), (224, 6), (1000, 6)]
)
def test_large_images_are_looked_at_in_as_many_places(side: int, stride: int) -> None:
    assert patch_stride(ImageShape(side, side, 3)) == stride
    assert (
        patch_stride(ImageShape(side, 2 * side, 1)) == patch_stride(ImageShape(2 * side, side, 1)) == stride
    )


@pytest.mark.parametrize(
    "shape", [*SHAPES, ImageShape(19, 40, 1), ImageShape(20, 20, 3), ImageShape(224, 224, 1)], ids=describe
)
def test_a_quarter_of_the_patches_is_looked_at_while_training(shape: ImageShape) -> None:
    front_end, rows = front_end_for(shape), random(2, shape.n_values)
    filters, offsets = filters_for(shape)
    is_small = min(shape.height, shape.width) < 20  # too few patches would be left
    stride = patch_stride(shape) if is_small else min(6, 2 * patch_stride(shape))
    pooled = pooled_responses(rows, shape, filter_kernels(filters, shape), offsets, stride=stride)
    plain = front_end(rows)
    found = front_end.train()(rows)
    torch.testing.assert_close(found, pooled @ front_end.weight + front_end.bias, rtol=1e-4, atol=1e-4)
    assert torch.equal(found, plain) == (stride == patch_stride(shape))
    assert torch.equal(front_end.eval()(rows), plain)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_filter_is_laid_over_rows_columns_and_channels(channels: int) -> None:
    flat = torch.arange(2.0 * 36 * channels).view(2, -1)
    kernels = filter_kernels(flat, ImageShape(8, 8, channels))
    assert kernels.shape == (2, channels, 6, 6)
    for number, channel, down, right in [(0, 0, 0, 0), (1, channels - 1, 2, 5), (0, channels - 1, 5, 1)]:
        assert (
            kernels[number, channel, down, right] == flat[number, (6 * down + right) * channels + channel]
        )


@pytest.mark.parametrize("values", [1, 2000, 2**24], ids=["one-image", "few-images", "all-images"])
def test_size_of_blocks_does_not_matter(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = ImageShape(12, 10, 3)
    rows = random(17, shape.n_values)
    expected = pool(rows, shape)
    monkeypatch.setattr("diffaug_bio.core.patches._BLOCK_VALUES", values)
    # Convolutions of other sizes add in another order.
    torch.testing.assert_close(pool(rows, shape).square(), expected.square(), rtol=1e-4, atol=1e-5)


def test_images_do_not_depend_on_those_beside_them() -> None:
    shape = ImageShape(12, 10, 1)
    rows = random(9, shape.n_values)
    expected = pool(rows, shape)
    order = torch.tensor([5, 0, 8])
    torch.testing.assert_close(
        pool(rows[order], shape).square(), expected[order].square(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("gain", "offset", "most"),
    [
        (1.0, 0.2, 1e-3),
        (1.0, -0.1, 1e-3),
        # The term that tames flat patches takes a share of the contrast that is left.
        (0.7, 0.1, 0.05),
    ],
    ids=["brighter", "darker", "paler"],
)
def test_brightness_and_contrast_hardly_matter(gain: float, offset: float, most: float) -> None:
    shape = ImageShape(16, 12, 3)
    rows = 0.1 + 0.7 * random(6, shape.n_values)  # nothing saturates
    changed = gain * rows + offset
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    plain = pool(rows, shape)
    relative = (pool(changed, shape) - plain).norm() / plain.norm()
    others = (plain.flip(0) - plain).norm() / plain.norm()
    assert float(relative) < most < 0.5 * float(others)


def test_noise_in_flat_images_is_not_blown_up() -> None:
    shape = ImageShape(16, 16, 1)
    filters, _ = filters_for(shape)
    rows = 0.5 + 1e-3 * (random(4, shape.n_values) - 0.5)  # a quarter of a byte
    kernels, none = filter_kernels(filters, shape), torch.zeros(len(filters))
    assert not pooled_responses(rows, shape, kernels, none, stride=1).any()
    assert pooled_responses(random(4, shape.n_values), shape, kernels, none, stride=1).any()


def test_components_are_a_linear_map_of_pooled_responses_even_under_autocast() -> None:
    shape = ImageShape(10, 9, 3)
    front_end, rows = front_end_for(shape), random(4, shape.n_values)
    expected = pool(rows, shape) @ front_end.weight + front_end.bias
    assert front_end.n_components == 3
    torch.testing.assert_close(front_end(rows), expected)
    plain = front_end(rows)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(front_end(rows), plain)


def test_nothing_of_the_front_end_is_trained_or_saved_with_networks() -> None:
    shape = ImageShape(10, 9, 1)
    front_end = front_end_for(shape)
    assert not list(front_end.parameters())
    assert not front_end.state_dict()
    assert len(list(front_end.buffers())) == 4
    assert not any(buffer.requires_grad for buffer in front_end.buffers())
    assert not front_end(random(2, shape.n_values).requires_grad_()).requires_grad


def test_the_front_end_moves_as_a_whole() -> None:
    shape = ImageShape(10, 9, 1)
    front_end, rows = front_end_for(shape), random(2, shape.n_values)
    expected = front_end(rows)
    doubled = front_end.double()(rows.double())
    torch.testing.assert_close(doubled.float(), expected, rtol=1e-3, atol=1e-3)
    assert {buffer.device.type for buffer in front_end.to("meta").buffers()} == {"meta"}


@pytest.mark.gpu
@pytest.mark.parametrize("shape", SHAPES, ids=describe)
def test_cuda_and_cpu_compute_the_same(shape: ImageShape) -> None:
    front_end, rows = front_end_for(shape), random(5, shape.n_values)
    expected = front_end(rows)
    # Convolutions run in TF32.
    torch.testing.assert_close(front_end.cuda()(rows.cuda()).cpu(), expected, rtol=2e-2, atol=2e-2)
