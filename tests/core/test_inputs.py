"""What a row is, and that encoder, codec and denoiser made for it fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from diffaug_bio.core.codecs import ComponentCodec, FeatureCodec, PixelCodec, SequenceCodec
from diffaug_bio.core.encoders import CNNEncoder, MLPEncoder, PatchEncoder
from diffaug_bio.core.generator import MLPDenoiser
from diffaug_bio.core.image_encoders import ConvNet, ResNet18
from diffaug_bio.core.runtime import eval_mode, seeded_initialisation
from diffaug_bio.core.state import build
from diffaug_bio.core.unet import UNetDenoiser
from tests.core.conftest import (
    CPU,
    FEATURES,
    changed,
    clustered_rows,
    clustered_tokens,
    images_for,
    letters_for,
    networks,
    same,
    values_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.inputs import Input

SHAPES = {"grey": (9, 8, 1), "colour": (8, 11, 3)}
# Name: encoder, backbone, and the classes that they make.
IMAGES: dict[str, tuple[str, str, tuple[type, ...]]] = {
    "patches-mlp": ("patches", "mlp", (PatchEncoder, ComponentCodec, MLPDenoiser)),
    "convnet-mlp": ("convnet", "mlp", (ConvNet, ComponentCodec, MLPDenoiser)),
    "resnet18-mlp": ("resnet18", "mlp", (ResNet18, ComponentCodec, MLPDenoiser)),
    "patches-unet": ("patches", "unet", (PatchEncoder, PixelCodec, UNetDenoiser)),
    "convnet-unet": ("convnet", "unet", (ConvNet, PixelCodec, UNetDenoiser)),
}


def check_fit(
    source: Input, config: DiffAugConfig, kept: Tensor, expected: tuple[type, ...], *, n_kept: int = 3
) -> None:
    """Every network takes what another one gives."""
    state = build(config, source, seed=0, device=CPU)
    assert state.n_kept == n_kept
    made = (state.encoder, state.codec, state.denoiser)
    assert tuple(map(type, made)) == expected
    n_rows, n_latent = len(kept), config.encoder.n_latent
    assert source.n_values == kept.shape[1]
    x = values_of(state.codec.rows(kept))
    with eval_mode(state.encoder, state.projector, state.denoiser, state.codec):
        y = state.encoder(x)
        assert y.shape == (n_rows, n_latent)
        assert state.projector(y).shape == (n_rows, config.encoder.n_projection)
        codes = state.codec.encode(x)
        assert codes.shape == (n_rows, source.n_codes)
        assert codes.dtype == y.dtype == torch.float32
        condition = y[:, n_kept:]  # what was learned
        assert state.denoiser(codes, torch.arange(n_rows) % 50, condition).shape == codes.shape
        with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied"):
            state.denoiser(codes, torch.arange(n_rows) % 50, torch.cat([condition, y[:, :1]], 1))
        generator = torch.Generator().manual_seed(0)
        decoded = state.codec.decode(codes, source=x, generator=generator)
    assert (decoded.dtype, decoded.shape) == (kept.dtype, kept.shape)
    assert values_of(state.codec.rows(decoded)).shape == x.shape
    assert len(state.limits) == source.n_codes
    # A seed fixes the weights.
    again, other = (build(config, source, seed=seed, device=CPU) for seed in (0, 1))
    assert same(networks(state), networks(again))
    assert not same(networks(state), networks(other))


def test_networks_of_features_fit_together(tiny_config: DiffAugConfig) -> None:
    assert FEATURES.n_codes == FEATURES.n_values == FEATURES.n_components
    check_fit(FEATURES, tiny_config, clustered_rows(20), (MLPEncoder, FeatureCodec, MLPDenoiser))


def test_networks_of_letters_fit_together(letters_config: DiffAugConfig) -> None:
    tokens = clustered_tokens(20)
    source = letters_for(tokens)
    assert source.n_codes == source.n_components == 8
    check_fit(source, letters_config, tokens, (CNNEncoder, SequenceCodec, MLPDenoiser))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("kind", "backbone", "expected"), IMAGES.values(), ids=IMAGES)
def test_networks_of_images_fit_together(
    images_config: DiffAugConfig,
    kind: str,
    backbone: str,
    expected: tuple[type, ...],
    shape: tuple[int, int, int],
) -> None:
    path = "kept" if kind == "patches" else "learned"  # networks on pixels see no components
    config = changed(
        images_config,
        encoder={"kind": kind, "linear_path": path},
        generator={"backbone": backbone, "width": 8},
    )
    source, pixels = images_for(shape, backbone=backbone)
    assert source.n_codes == (pixels.shape[1] if backbone == "unet" else 8)
    assert source.n_components == 8
    check_fit(source, config, pixels[:10], expected, n_kept=3 if kind == "patches" else 0)


@pytest.mark.parametrize(
    ("n_latent", "linear_path"), [(5, "learned"), (8, "learned"), (12, "learned"), (8, "none")], ids=str
)
def test_with_a_learned_path_the_encoder_of_patches_starts_as_the_front_end(
    images_config: DiffAugConfig, n_latent: int, linear_path: str
) -> None:
    source, pixels = images_for()
    widths: dict[str, Any] = {"kind": "patches", "n_latent": n_latent, "linear_path": linear_path}
    with seeded_initialisation(0):
        encoder = source.encoder(changed(images_config, encoder=widths).encoder)
    x = pixels.float() / 255
    with eval_mode(encoder):
        y, components = encoder(x), source.front_end(x)
    assert y.shape == (len(x), n_latent)
    shared = min(n_latent, 8)
    assert torch.equal(y[:, :shared], components[:, :shared]) == (linear_path == "learned")
    if linear_path == "learned":
        assert not y[:, shared:].any()


@pytest.mark.parametrize(("n_latent", "n_kept"), [(5, 2), (6, 3), (16, 8), (19, 8)], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_encoder_of_patches_keeps_the_leading_components(
    images_config: DiffAugConfig, shape: tuple[int, int, int], n_latent: int, n_kept: int
) -> None:
    source, pixels = images_for(shape)
    config = changed(images_config, encoder={"kind": "patches", "n_latent": n_latent})
    state = build(config, source, seed=0, device=CPU)
    x = pixels.float() / 255
    for training in (False, True):
        y, components = state.encoder.train(training)(x), source.front_end.train(training)(x)
        assert y.shape == (len(x), n_latent)
        assert torch.equal(y[:, :n_kept], components[:, :n_kept])
    assert state.n_kept == n_kept
    # In training, what is learned stands beside them with the variance that the components have.
    assert y[:, n_kept:].var(0).sum().item() == pytest.approx(8.0, rel=1e-3)


def test_while_training_larger_images_keep_components_of_every_second_patch(
    images_config: DiffAugConfig,
) -> None:
    source, pixels = images_for((20, 21, 1))
    encoder = source.encoder(changed(images_config, encoder={"kind": "patches"}).encoder)
    x = pixels.float() / 255
    y, components = encoder.eval()(x), source.front_end(x)
    rough, rough_components = encoder.train()(x), source.front_end(x)
    assert torch.equal(y[:, :3], components[:, :3])
    assert torch.equal(rough[:, :3], rough_components[:, :3])
    assert not torch.equal(y[:, :3], rough[:, :3])


@pytest.mark.parametrize("linear_path", ["kept", "none"])
def test_gradients_reach_the_perceptron_on_patches_and_nothing_below(
    images_config: DiffAugConfig, linear_path: str
) -> None:
    source, pixels = images_for()
    config = changed(images_config, encoder={"linear_path": linear_path})
    with seeded_initialisation(0):
        encoder = source.encoder(config.encoder)
    if linear_path == "kept":  # last layers start at zero, behind which nothing is moved at first
        for parameter in encoder.parameters():
            nn.init.normal_(parameter)
    y = encoder(pixels.float() / 255)
    (y * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    for parameter in encoder.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0
    assert not any("front_end" in name for name, _ in encoder.named_parameters())
    assert not any(buffer.requires_grad for buffer in source.front_end.buffers())
