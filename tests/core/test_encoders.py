"""Networks of encoder and projector: order of layers, widths, linear path."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import DiffAugConfig, EncoderConfig
from diffaug_bio.core.encoders import MLPEncoder, Projector, mlp
from diffaug_bio.core.runtime import eval_mode


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def linear_widths(network: nn.Module) -> list[tuple[int, int]]:
    return [
        (layer.in_features, layer.out_features)
        for layer in network.modules()
        if isinstance(layer, nn.Linear)
    ]


def test_hidden_layers_are_linear_then_leaky_relu_then_batch_norm() -> None:
    network = mlp([7, 5, 4, 3])
    block = [nn.Linear, nn.LeakyReLU, nn.BatchNorm1d]
    assert [type(layer) for layer in network] == [*block, *block, nn.Linear]
    assert [layer.negative_slope for layer in network if isinstance(layer, nn.LeakyReLU)] == [0.1, 0.1]
    assert linear_widths(network) == [(7, 5), (5, 4), (4, 3)]


def test_no_hidden_layer_leaves_one_linear_map() -> None:
    assert [type(layer) for layer in mlp([7, 3])] == [nn.Linear]


def test_paper_preset_has_the_published_widths() -> None:
    config = DiffAugConfig.preset("paper").encoder
    assert linear_widths(MLPEncoder(70, config)) == [(70, 500), (500, 500), (500, 500), (500, 50)]
    assert linear_widths(Projector(config)) == [(50, 500), (500, 500), (500, 2)]
    assert MLPEncoder(70, config).linear is None


def test_linear_path_adds_a_linear_map_of_the_row() -> None:
    encoder = MLPEncoder(7, EncoderConfig(hidden=(8,), n_latent=4, linear_path=True))
    x = random(6, 7)
    with eval_mode(encoder):
        whole, network = encoder(x), encoder.network(x)
        assert encoder.linear is not None
        expected = x @ encoder.linear.weight.T + encoder.linear.bias
    # The difference of two sums rounds away some digits.
    torch.testing.assert_close(whole - network, expected, rtol=1e-4, atol=1e-5)


def test_encoder_without_linear_path_is_its_perceptron() -> None:
    encoder = MLPEncoder(7, EncoderConfig(hidden=(8,), n_latent=4, linear_path=False))
    x = random(6, 7)
    with eval_mode(encoder):
        assert torch.equal(encoder(x), encoder.network(x))


@pytest.mark.parametrize("linear_path", [True, False], ids=["linear-path", "perceptron-only"])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 9)], ids=["no-hidden", "one-hidden", "two-hidden"])
def test_encoder_and_projector_run_on_the_meta_device(
    hidden: tuple[int, ...], *, linear_path: bool
) -> None:
    config = EncoderConfig(
        hidden=hidden, n_latent=4, linear_path=linear_path, projector_hidden=hidden, n_projection=3
    )
    with torch.device("meta"):
        y = MLPEncoder(7, config)(torch.empty(6, 7))
        z = Projector(config)(y)
    assert y.device.type == z.device.type == "meta"
    assert (y.shape, z.shape) == ((6, 4), (6, 3))


def test_embedding_of_a_row_does_not_depend_on_its_batch_in_evaluation() -> None:
    encoder = MLPEncoder(7, EncoderConfig(hidden=(8,), n_latent=4))
    x = random(6, 7)
    with eval_mode(encoder):
        torch.testing.assert_close(encoder(x)[:1], encoder(x[:1]))
