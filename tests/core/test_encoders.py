"""Networks of encoder and projector: order of layers, widths, linear path, columns that are kept."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import DiffAugConfig, EncoderConfig
from diffaug_bio.config.kinds import LinearPath
from diffaug_bio.core.encoders import MLPEncoder, Projector, TotalVariance, mlp
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
    assert MLPEncoder(70, config).n_kept == 0


def config_of(
    linear_path: LinearPath, *, hidden: tuple[int, ...] = (8,), n_latent: int = 4
) -> EncoderConfig:
    return EncoderConfig(
        hidden=hidden, n_latent=n_latent, linear_path=linear_path, projector_hidden=hidden, n_projection=3
    )


def scaled(y: Tensor, total: float) -> Tensor:
    """Divide by one number, so that the variances of the columns sum to the total."""
    return y * math.sqrt(total / sum(column.var().item() for column in y.T))


def test_learned_linear_path_adds_a_linear_map_of_the_row() -> None:
    encoder = MLPEncoder(7, config_of("learned"))
    x = random(6, 7)
    with eval_mode(encoder):
        whole, network = encoder(x), encoder.network(x)
        assert encoder.linear is not None
        expected = x @ encoder.linear.weight.T + encoder.linear.bias
    # The difference of two sums rounds away some digits.
    torch.testing.assert_close(whole - network, expected, rtol=1e-4, atol=1e-5)
    assert encoder.n_kept == 0
    assert encoder.total_variance is None


def test_encoder_without_linear_path_is_its_perceptron() -> None:
    encoder = MLPEncoder(7, config_of("none"))
    x = random(6, 7)
    with eval_mode(encoder):
        assert torch.equal(encoder(x), encoder.network(x))
    assert encoder.n_kept == 0
    assert linear_widths(encoder) == [(7, 8), (8, 4)]


@pytest.mark.parametrize(
    ("n_features", "n_latent", "n_kept"),
    [(7, 4, 2), (7, 5, 2), (7, 13, 6), (7, 14, 7), (7, 15, 7), (3, 8, 3), (1, 2, 1), (7, 1, 0)],
    ids="{}".format,
)
def test_as_many_components_are_kept_as_there_are_and_at_most_half(
    n_features: int, n_latent: int, n_kept: int
) -> None:
    config = config_of("kept", n_latent=n_latent)
    assert config.n_kept(n_features) == n_kept
    encoder = MLPEncoder(n_features, config)
    assert encoder.n_kept == n_kept
    n_learned = n_latent - n_kept
    assert linear_widths(encoder) == [(n_features, 8), (8, n_learned), (n_features, n_learned)]
    assert encoder(random(6, n_features)).shape == (6, n_latent)
    for path in ("auto", "learned", "none"):
        assert config_of(path, n_latent=n_latent).n_kept(n_features) == 0


@pytest.mark.parametrize("hidden", [(), (8,)], ids=["no-hidden", "one-hidden"])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_kept_columns_are_those_of_the_row_and_what_is_learned_stands_beside_them(
    hidden: tuple[int, ...], *, training: bool
) -> None:
    encoder = MLPEncoder(7, config_of("kept", hidden=hidden)).train(training)
    x, further = random(9, 7), random(9, 2, seed=1)
    for more in (None, further):
        assert encoder.linear is not None
        y, learned = encoder(x, more), encoder.network(x) + encoder.linear(x)
        learned = learned if more is None else learned + more
        assert torch.equal(y[:, :2], x[:, :2])
        # Before any training the running average is 1.
        expected = scaled(learned, 7) if training else learned * math.sqrt(7)
        torch.testing.assert_close(y[:, 2:], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("linear_path", ["learned", "none"])
def test_what_another_network_adds_is_added_to_what_is_learned(linear_path: LinearPath) -> None:
    encoder, x, further = MLPEncoder(7, config_of(linear_path)), random(9, 7), random(9, 4, seed=1)
    with eval_mode(encoder):
        torch.testing.assert_close(encoder(x, further), encoder(x) + further)


def test_gradients_reach_the_perceptron_beside_kept_columns() -> None:
    encoder = MLPEncoder(7, config_of("kept"))
    (encoder(random(9, 7)) * random(9, 4, seed=1)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("total", [0.5, 7.0, 300.0])
@pytest.mark.parametrize("spread", [0.1, 1.0, 1e3])
def test_variances_of_a_batch_are_brought_to_the_total_by_one_number(total: float, spread: float) -> None:
    x = random(40, 5) * spread * torch.tensor([1.0, 2, 3, 4, 5]) + 10 * spread
    y = TotalVariance(total).train()(x)
    assert y.var(0).sum().item() == pytest.approx(total, rel=1e-3)
    # One positive number: means and directions are what they were.
    factors = y / x
    torch.testing.assert_close(factors, factors[:1, :1].expand_as(x), rtol=1e-5, atol=0)
    assert factors.min() > 0


def test_in_evaluation_the_running_average_of_training_takes_the_place_of_the_batch() -> None:
    layer, expected = TotalVariance(7.0), 1.0
    assert [name for name, _ in layer.named_buffers()] == ["running"]
    assert "running" in layer.state_dict()
    assert not list(layer.parameters())
    x = random(6, 3, seed=9)
    for seed in range(4):
        with eval_mode(layer):
            torch.testing.assert_close(layer(x), x * math.sqrt(7.0 / expected), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(layer(x)[:1], layer(x[:1]))  # one row, which has no variance
        batch = (2 + seed) * random(50, 3, seed=seed)
        layer.train()(batch)
        expected = 0.9 * expected + 0.1 * batch.var(0).sum().item()  # as batch norm does
        assert layer.running.item() == pytest.approx(expected, rel=1e-5)
        assert layer.running.grad_fn is None


def test_equal_rows_are_divided_by_no_zero() -> None:
    x = torch.ones(6, 3)
    y = TotalVariance(7.0).train()(x)
    assert y.isfinite().all()
    assert torch.equal(y, y[:1, :1].expand_as(y))


def test_gradients_go_through_the_variance_of_the_batch() -> None:
    x = random(12, 3).requires_grad_()
    y = TotalVariance(7.0).train()(x)
    # What only stretches a batch changes nothing, so no gradient points along it.
    (y * random(12, 3, seed=1)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0
    cosine = (x.grad * x).sum() / (x.grad.norm() * x.norm())
    assert abs(float(cosine.detach())) < 1e-5


def test_total_variance_works_in_bfloat16() -> None:
    layer, x = TotalVariance(7.0).train(), random(200, 3) + 4
    y = layer(x.bfloat16())
    assert y.dtype == torch.bfloat16
    # Sums of squares are taken in float32: 8 bits would lose them beside a mean.
    assert y.float().var(0).sum().item() == pytest.approx(7.0, rel=0.02)
    assert layer.running.dtype == torch.float32
    assert layer.running.item() == pytest.approx(0.9 + 0.1 * x.var(0).sum().item(), rel=0.01)
    with eval_mode(layer):
        assert layer(x.bfloat16()).dtype == torch.bfloat16


def test_kept_columns_stand_beside_an_encoder_in_bfloat16() -> None:
    encoder, x = MLPEncoder(7, config_of("kept")), random(30, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = encoder(x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y[:, :2], x[:, :2].bfloat16())
    assert y[:, 2:].float().var(0).sum().item() == pytest.approx(7.0, rel=0.05)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("linear_path", get_args(LinearPath))
@pytest.mark.parametrize("hidden", [(), (8,), (8, 9)], ids=["no-hidden", "one-hidden", "two-hidden"])
def test_encoder_and_projector_run_on_the_meta_device(
    hidden: tuple[int, ...], linear_path: LinearPath, *, training: bool
) -> None:
    config = config_of(linear_path, hidden=hidden)
    with torch.device("meta"):
        y = MLPEncoder(7, config).train(training)(torch.empty(6, 7))
        z = Projector(config).train(training)(y)
    assert y.device.type == z.device.type == "meta"
    assert (y.shape, z.shape) == ((6, 4), (6, 3))


@pytest.mark.parametrize("linear_path", get_args(LinearPath))
def test_embedding_of_a_row_does_not_depend_on_its_batch_in_evaluation(linear_path: LinearPath) -> None:
    encoder, x = MLPEncoder(7, config_of(linear_path)), random(6, 7)
    encoder(3 * random(6, 7, seed=1))
    with eval_mode(encoder):
        torch.testing.assert_close(encoder(x)[:1], encoder(x[:1]))
