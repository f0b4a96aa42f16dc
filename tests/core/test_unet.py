"""The denoiser of images: shapes, start at zero, what it sees, and whether it learns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.core.diffusion import GaussianDiffusion
from diffaug_bio.core.images import ImageShape
from diffaug_bio.core.runtime import seeded_initialisation
from diffaug_bio.core.unet import UNetDenoiser

if TYPE_CHECKING:
    from diffaug_bio.core.diffusion import Denoiser

N_CONDITION = 3
SMALL, ODD = ImageShape(14, 16, 2), ImageShape(25, 30, 3)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def denoiser(shape: ImageShape = SMALL, *, width: int = 8, n_blocks: int = 1) -> UNetDenoiser:
    with seeded_initialisation(0):
        return UNetDenoiser(shape, N_CONDITION, width=width, n_blocks=n_blocks)


def used(network: UNetDenoiser) -> UNetDenoiser:
    """Leave the zeros, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network


def inputs(shape: ImageShape = SMALL, n_rows: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    t = torch.arange(n_rows) * 17
    return random(n_rows, shape.n_values), t, random(n_rows, N_CONDITION, seed=1)


@pytest.mark.parametrize(
    ("shape", "n_resolutions", "attends"),
    [
        ((28, 28, 1), 3, True),
        ((32, 32, 3), 3, True),
        ((64, 64, 3), 3, True),
        ((96, 96, 3), 3, False),
        ((25, 30, 3), 3, True),
        ((30, 200, 1), 3, False),
        ((13, 40, 1), 2, True),
        ((12, 40, 1), 1, False),
        ((1, 1, 1), 1, True),
    ],
    ids=str,
)
def test_images_of_any_shape_are_denoised(
    shape: tuple[int, int, int],
    n_resolutions: int,
    attends: bool,  # noqa: FBT001
) -> None:
    image_shape = ImageShape(*shape)
    with torch.device("meta"):
        network = denoiser(image_shape, n_blocks=2)
        x_t, condition = torch.empty(5, image_shape.n_values), torch.empty(5, N_CONDITION)
        out = network(x_t, torch.empty(5, dtype=torch.long), condition)
    assert (out.shape, out.device.type) == (x_t.shape, "meta")
    assert len(network.down) == len(network.up) == n_resolutions - 1
    assert isinstance(network.lowest.attention, nn.Identity) != attends


@pytest.mark.parametrize("shape", [SMALL, ODD, ImageShape(6, 5, 1)], ids=str)
@pytest.mark.parametrize(("width", "n_blocks"), [(1, 1), (9, 1), (16, 2)])
def test_a_new_denoiser_answers_zeros_of_the_rows_shape(
    shape: ImageShape, width: int, n_blocks: int
) -> None:
    x_t, t, condition = inputs(shape)
    out = denoiser(shape, width=width, n_blocks=n_blocks)(x_t, t, condition)
    assert torch.equal(out, torch.zeros_like(x_t))


def test_blocks_and_attention_start_as_the_identity() -> None:
    lowest = denoiser().lowest
    hidden, context = random(4, 16, 7, 8), random(4, 32, seed=1)
    assert torch.equal(lowest(hidden, context), hidden)


def test_a_block_equals_its_equations() -> None:
    network: Any = used(denoiser(width=16))
    block = network.up[0].blocks[0]
    hidden, context = random(4, 32, 6, 5), random(4, 64, seed=1)
    silu = nn.functional.silu
    inner = block.first(silu(block.first_norm(hidden)))
    normalised = block.second_norm(inner)
    modulated = torch.stack(
        [
            (1 + block.modulation(row)[:16, None, None]) * image + block.modulation(row)[16:, None, None]
            for row, image in zip(context, normalised, strict=True)
        ]
    )
    expected = block.around(hidden) + block.second(silu(modulated))
    torch.testing.assert_close(block(hidden, context), expected, rtol=1e-4, atol=1e-5)


def test_blocks_on_the_way_up_see_what_their_counterparts_gave_on_the_way_down() -> None:
    network: Any = used(denoiser(ODD, n_blocks=2))
    gave: list[Tensor] = []
    saw: list[Tensor] = []
    for level in network.down:
        for block in level.blocks:
            block.register_forward_hook(lambda _, __, out: gave.append(out))
    for level in network.up:
        for block in level.blocks:
            block.register_forward_hook(lambda _, given, __: saw.append(given[0]))
    network(*inputs(ODD))
    assert [tuple(x.shape[1:]) for x in gave] == 2 * [(8, 28, 32)] + 2 * [(16, 14, 16)]
    for output, seen in zip(reversed(gave), saw, strict=True):
        assert torch.equal(seen[:, output.shape[1] :], output)


def test_attention_equals_a_loop_over_heads_and_positions() -> None:
    network: Any = used(denoiser(ImageShape(4, 3, 1), width=128)).lowest.attention
    hidden = random(2, 128, 4, 3)
    positions = network.norm(hidden).flatten(2).mT  # (batch, positions, channels)
    asked = network.ask(positions)
    seen = torch.zeros_like(positions)
    for image in range(2):
        for head in range(2):
            query, key, value = (
                asked[image, :, 128 * part + 64 * head : 128 * part + 64 * (head + 1)] for part in range(3)
            )
            for place in range(12):
                weights = (key @ query[place] / math.sqrt(64)).softmax(0)
                seen[image, place, 64 * head : 64 * (head + 1)] = weights @ value
    expected = hidden + network.answer(seen).mT.unflatten(2, (4, 3))
    torch.testing.assert_close(network(hidden), expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_weight_once_the_zeros_are_left() -> None:
    network = used(denoiser(ODD, n_blocks=2))
    network(*inputs(ODD)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


def test_rows_of_a_batch_do_not_influence_each_other() -> None:
    network = used(denoiser(ODD))
    x_t, t, condition = inputs(ODD)
    order = torch.tensor([2, 0])
    torch.testing.assert_close(
        network(x_t, t, condition)[order],
        network(x_t[order], t[order], condition[order]),
        rtol=1e-4,
        atol=1e-5,
    )


def test_answers_depend_on_step_and_condition_and_on_far_pixels() -> None:
    network = used(denoiser(ODD))
    x_t, t, condition = inputs(ODD)
    far = x_t.clone()
    far[:, -1] += 3  # the last pixel
    with torch.no_grad():
        answer = network(x_t, t, condition)
        for other in (network(x_t, t + 100, condition), network(x_t, t, -condition)):
            assert float((answer - other).abs().mean()) > 1e-3
        first_pixel = (answer - network(far, t, condition))[:, 0]
    assert float(first_pixel.abs().min()) > 1e-6


def test_where_a_pixel_stands_in_the_row_is_where_it_is_answered() -> None:
    # Of a network of one resolution, a change of the row changes most what stands next to it.
    network = used(denoiser(ImageShape(12, 40, 3)))
    x_t, t, condition = inputs(ImageShape(12, 40, 3), 1)
    x_t = x_t.requires_grad_()
    place = (5 * 40 + 30) * 3 + 1
    network(x_t, t, condition)[0, place].backward()
    assert x_t.grad is not None
    felt = x_t.grad.view(12, 40, 3).abs().sum(2)
    assert float(felt[3:8, 28:33].sum()) > 0.5 * float(felt.sum())


def test_layers_keep_images_in_channels_last() -> None:
    network, formats = denoiser(ODD), []

    def look(module: nn.Module, _: object, out: Tensor) -> None:
        formats.append(out.is_contiguous(memory_format=torch.channels_last))

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.GroupNorm):
            module.register_forward_hook(look)
    network(*inputs(ODD))
    assert len(formats) > 20
    assert all(formats)
    assert all(value.is_contiguous() for value in network.state_dict().values())


def test_bfloat16_gives_about_the_same() -> None:
    network = used(denoiser(ODD))
    expected = network(*inputs(ODD)).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(*inputs(ODD))
        found.float().square().mean().backward()
    error = (found.detach().float() - expected).square().mean().sqrt()
    assert float(error) < 0.03 * float(expected.square().mean().sqrt())


def stripes() -> tuple[Tensor, Tensor]:
    """Images of about unit variance whose stripes run as the condition says."""
    place = torch.arange(14)[:, None] * torch.pi / 2
    angle = torch.arange(16)[:, None, None] % 2 * torch.pi / 2
    images = 1.4 * (angle.cos() * (place + 0.4) + angle.sin() * (place.T + 0.4)).sin()
    condition = torch.cat([angle[:, 0].cos(), angle[:, 0].sin(), torch.zeros(16, 1)], 1)
    return images.flatten(1), condition


def test_training_lowers_the_loss_and_makes_use_of_the_condition() -> None:
    diffusion = GaussianDiffusion(schedule="cosine", n_steps=100, prediction="velocity")
    x0, condition = stripes()
    network = denoiser(ImageShape(14, 14, 1), width=16)
    denoise: Denoiser = network
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        t = torch.randint(100, (16,), generator=generator)
        noise = torch.randn(x0.shape, generator=generator)
        optimizer.zero_grad()
        diffusion.loss(denoise, x0, t, noise, condition).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        t, noise = torch.full((16,), 80), random(*x0.shape, seed=5)
        at_first = diffusion.target(x0, t, noise).square().mean()
        fitting = diffusion.loss(denoise, x0, t, noise, condition).mean()
        misfit = diffusion.loss(denoise, x0, t, noise, condition.roll(1, 0)).mean()
    assert float(fitting) < 0.3 * float(at_first)
    assert float(misfit) > 1.2 * float(fitting)


@pytest.mark.gpu
def test_cuda_and_cpu_answer_the_same_with_the_same_weights() -> None:
    network = used(denoiser(ODD))
    x_t, t, condition = inputs(ODD)
    expected = network(x_t, t, condition).detach()
    found = network.cuda()(x_t.cuda(), t.cuda(), condition.cuda()).detach()
    # Convolutions run in TF32.
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-2, atol=1e-2)
