"""Encoders of images: sizes as published, shapes, and what an embedding depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from diffaug_bio.core.image_encoders import ConvNet, ResNet18, group_norm
from diffaug_bio.core.images import ImageShape, as_images
from diffaug_bio.core.runtime import eval_mode, seeded_initialisation

if TYPE_CHECKING:
    from collections.abc import Callable

N_LATENT = 6
SMALL = ImageShape(16, 12, 3)
BACKBONE = 11_168_832  # parameters of the variant for CIFAR, known from the literature


def rows_of(shape: ImageShape, n_rows: int = 4, *, seed: int = 0) -> Tensor:
    return torch.rand((n_rows, shape.n_values), generator=torch.Generator().manual_seed(seed))


def convnet(shape: ImageShape) -> nn.Module:
    with seeded_initialisation(0):
        return ConvNet(shape, n_channels=8, n_latent=N_LATENT)


def resnet(shape: ImageShape) -> nn.Module:
    with seeded_initialisation(0):
        return ResNet18(shape, N_LATENT)


each_network = pytest.mark.parametrize("make", [convnet, resnet], ids=["convnet", "resnet"])


def embedded(network: nn.Module, rows: Tensor) -> Tensor:
    with eval_mode(network):
        y: Tensor = network(rows)
        return y


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@each_network
@pytest.mark.parametrize(
    "shape",
    [(28, 28, 1), (32, 32, 3), (64, 64, 3), (96, 96, 3), (25, 30, 2), (224, 224, 3)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_images_of_any_shape_become_embeddings(
    make: Callable[[ImageShape], nn.Module], shape: tuple[int, int, int]
) -> None:
    image_shape = ImageShape(*shape)
    with torch.device("meta"):
        network = make(image_shape)
        y = network(torch.empty((4, image_shape.n_values)))
    assert (y.shape, y.device.type) == ((4, N_LATENT), "meta")


@pytest.mark.parametrize(
    ("shape", "n_expected"),
    [
        (ImageShape(32, 32, 3), BACKBONE),
        (ImageShape(64, 64, 3), BACKBONE),
        (ImageShape(28, 28, 1), BACKBONE - 2 * 64 * 9),
        (ImageShape(96, 96, 3), BACKBONE + 3 * 64 * (49 - 9)),  # that of ImageNet: 11 176 512
    ],
)
def test_resnet_has_the_parameters_of_the_published_one(shape: ImageShape, n_expected: int) -> None:
    with torch.device("meta"):
        network = ResNet18(shape, 10)
    assert n_parameters(network) == n_expected + 512 * 10 + 10


@pytest.mark.parametrize(("side", "expected"), [(32, 0.555e9), (224, 1.814e9)])
def test_resnet_costs_what_the_published_one_does(side: int, expected: float) -> None:
    # Multiplications of one image: 0.56 G in the literature on CIFAR, 1.8 G in He et al. 2016, table 1.
    shape = ImageShape(side, side, 3)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        ResNet18(shape, 10)(torch.empty((2, shape.n_values)))
    assert counter.get_total_flops() / 4 == pytest.approx(expected, rel=0.01)


def test_convnet_is_cheap() -> None:
    shape = ImageShape(28, 28, 1)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        ConvNet(shape, n_channels=32, n_latent=128)(torch.empty((1, shape.n_values)))
    assert counter.get_total_flops() / 2 < 8.5e6


def residual(block: nn.Module, hidden: Tensor) -> Tensor:
    """Compute a block in evaluation from its weights alone."""
    weights = dict(block.named_parameters()) | dict(block.named_buffers())

    def normalised(x: Tensor, name: str) -> Tensor:
        mean, var, scale, shift = (
            weights[f"{name}.{key}"][:, None, None]
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    stride = 1 if weights["inner.0.weight"].shape[0] == weights["inner.0.weight"].shape[1] else 2
    inner = nn.functional.conv2d(hidden, weights["inner.0.weight"], stride=stride, padding=1)
    inner = normalised(inner, "inner.1").relu()
    inner = normalised(nn.functional.conv2d(inner, weights["inner.3.weight"], padding=1), "inner.4")
    if stride == 2:
        hidden = nn.functional.conv2d(hidden, weights["around.0.weight"], stride=2)
        hidden = normalised(hidden, "around.1")
    return (inner + hidden).relu()


def test_resnet_equals_its_equations() -> None:
    network, rows = ResNet18(SMALL, N_LATENT), rows_of(SMALL, 8)
    for seed in range(3):
        network(rows_of(SMALL, 8, seed=seed))  # running means get values
    with eval_mode(network):
        hidden = network.stem((as_images(rows, SMALL) - 0.5) / 0.25)
        for block in network.blocks:
            hidden = residual(block, hidden)
        expected = network.head(hidden.mean((2, 3)))
    assert hidden.shape == (8, 512, 2, 2)
    torch.testing.assert_close(embedded(network, rows), expected, rtol=1e-4, atol=1e-4)


def test_resnet_starts_with_weights_of_the_published_deviation() -> None:
    weight = resnet(SMALL).get_parameter("blocks.2.inner.0.weight")  # 64 channels to 128
    # 73 728 draws: a standard error of 0.3 percent.
    assert float(weight.detach().std()) == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)


def test_convnet_takes_mean_and_maximum_of_each_channel() -> None:
    network, rows = convnet(SMALL), rows_of(SMALL)
    with eval_mode(network):
        hidden = network.get_submodule("stages")((as_images(rows, SMALL) - 0.5) / 0.25)
        means = torch.stack([image.flatten(1).mean(1) for image in hidden])
        largest = torch.stack([image.flatten(1).max(1).values for image in hidden])
        expected = network.get_submodule("head")(torch.cat([means, largest], 1))
    assert hidden.shape == (4, 32, 2, 2)
    torch.testing.assert_close(embedded(network, rows), expected)


@each_network
def test_gradients_reach_every_weight(make: Callable[[ImageShape], nn.Module]) -> None:
    network = make(SMALL)
    network(rows_of(SMALL)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


@each_network
def test_embedding_of_an_image_does_not_depend_on_its_batch_in_evaluation(
    make: Callable[[ImageShape], nn.Module],
) -> None:
    network, rows = make(SMALL), rows_of(SMALL, 8)
    order = torch.tensor([3, 1, 6])
    torch.testing.assert_close(
        embedded(network, rows)[order], embedded(network, rows[order]), rtol=1e-4, atol=1e-5
    )


def test_convnet_does_not_depend_on_the_batch_while_training_either() -> None:
    network, rows = convnet(SMALL).train(), rows_of(SMALL, 8)
    torch.testing.assert_close(network(rows)[:1], network(rows[:1]), rtol=1e-4, atol=1e-5)


@each_network
def test_new_networks_tell_images_apart(make: Callable[[ImageShape], nn.Module]) -> None:
    y = make(SMALL).train()(rows_of(SMALL, 8)).detach()
    assert float(torch.pdist(y).min()) > 0.01
    assert float(y.abs().max()) < 20


@each_network
def test_layers_keep_images_in_channels_last(make: Callable[[ImageShape], nn.Module]) -> None:
    network, formats = make(SMALL), []

    def look(module: nn.Module, _: object, out: Tensor) -> None:
        formats.append(out.is_contiguous(memory_format=torch.channels_last))

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.GroupNorm | nn.BatchNorm2d):
            module.register_forward_hook(look)
    network(rows_of(SMALL))
    assert len(formats) > 10
    assert all(formats)


@each_network
def test_weights_are_contiguous_so_that_files_hold_them(make: Callable[[ImageShape], nn.Module]) -> None:
    # safetensors writes the memory of an array as it lies there.
    assert all(value.is_contiguous() for value in make(SMALL).state_dict().values())


@each_network
def test_bfloat16_gives_about_the_same(make: Callable[[ImageShape], nn.Module]) -> None:
    network, rows = make(SMALL), rows_of(SMALL, 8)
    network(rows)  # running means get values
    expected = embedded(network, rows)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = embedded(network, rows)
        network.train()(rows).float().square().mean().backward()
    error = (found.float() - expected).square().mean().sqrt()
    assert float(error) < 0.03 * float(expected.square().mean().sqrt())


@pytest.mark.parametrize(
    ("n_channels", "n_groups"),
    [(1, 1), (3, 1), (4, 1), (6, 1), (8, 2), (9, 1), (32, 8), (128, 32), (512, 32)],
)
def test_groups_hold_at_least_four_channels(n_channels: int, n_groups: int) -> None:
    assert group_norm(n_channels).num_groups == n_groups


@each_network
def test_networks_learn_to_tell_two_kinds_of_images(make: Callable[[ImageShape], nn.Module]) -> None:
    network, rows = make(SMALL).train(), rows_of(SMALL, 16)
    is_bright = torch.arange(16) % 2
    rows = 0.3 + 0.4 * rows
    as_images(rows, SMALL)[:, :, :4, :4] += 0.3 * is_bright[:, None, None, None]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        log_odds = network(rows).log_softmax(1)
        loss = -log_odds.gather(1, is_bright[:, None]).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.gpu
@each_network
def test_cuda_and_cpu_embed_the_same_with_the_same_weights(
    make: Callable[[ImageShape], nn.Module],
) -> None:
    network, rows = make(SMALL), rows_of(SMALL)
    expected = embedded(network, rows)
    # Convolutions run in TF32.
    torch.testing.assert_close(embedded(network.cuda(), rows.cuda()).cpu(), expected, rtol=1e-2, atol=1e-2)
