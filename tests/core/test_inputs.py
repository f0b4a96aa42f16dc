"""What a row is, and that encoder, codec and denoiser made for it fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

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


def check_fit(source: Input, config: DiffAugConfig, kept: Tensor, expected: tuple[type, ...]) -> None:
    """Every network takes what another one gives."""
    state = build(config, source, seed=0, device=CPU)
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
        assert state.denoiser(codes, torch.arange(n_rows) % 50, y).shape == codes.shape
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
    assert FEATURES.n_codes == FEATURES.n_values
    check_fit(FEATURES, tiny_config, clustered_rows(20), (MLPEncoder, FeatureCodec, MLPDenoiser))


def test_networks_of_letters_fit_together(letters_config: DiffAugConfig) -> None:
    tokens = clustered_tokens(20)
    source = letters_for(tokens)
    assert source.n_codes == 8
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
    config = changed(images_config, encoder={"kind": kind}, generator={"backbone": backbone, "width": 8})
    source, pixels = images_for(shape, backbone=backbone)
    assert source.n_codes == (pixels.shape[1] if backbone == "unet" else 8)
    check_fit(source, config, pixels[:10], expected)


@pytest.mark.parametrize(
    ("n_latent", "linear_path"), [(5, True), (8, True), (12, True), (8, False)], ids=str
)
def test_the_encoder_of_patches_starts_as_the_front_end(
    images_config: DiffAugConfig, n_latent: int, *, linear_path: bool
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
    assert torch.equal(y[:, :shared], components[:, :shared]) == linear_path
    if linear_path:
        assert not y[:, shared:].any()


def test_gradients_reach_the_perceptron_on_patches_and_nothing_below(images_config: DiffAugConfig) -> None:
    source, pixels = images_for()
    with seeded_initialisation(0):
        encoder = source.encoder(changed(images_config, encoder={"linear_path": False}).encoder)
    encoder(pixels.float() / 255).square().mean().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert not any("front_end" in name for name, _ in encoder.named_parameters())
    assert not any(buffer.requires_grad for buffer in source.front_end.buffers())
