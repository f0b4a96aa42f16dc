"""The conditional denoiser: shapes, start as identity, and use of step and condition."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from diffaug_bio.config import GeneratorConfig
from diffaug_bio.core.generator import MLPDenoiser, time_embedding
from diffaug_bio.core.runtime import seeded_initialisation

N_FEATURES, N_CONDITION = 6, 3


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def denoiser(*, width: int = 16, n_blocks: int = 2) -> MLPDenoiser:
    with seeded_initialisation(0):
        return MLPDenoiser(N_FEATURES, N_CONDITION, GeneratorConfig(width=width, n_blocks=n_blocks))


def test_time_embedding_equals_a_loop() -> None:
    width = 8
    steps = [0, 1, 17, 999]
    found = time_embedding(torch.tensor(steps), width)
    for row, step in zip(found, steps, strict=True):
        angles = [step / 10_000 ** (2 * i / width) for i in range(width // 2)]
        expected = [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
        # An angle of 999 in float32 is known to 6e-5.
        torch.testing.assert_close(row, torch.tensor(expected), rtol=0, atol=1e-4)


def test_time_embedding_tells_all_steps_apart() -> None:
    embedded = time_embedding(torch.arange(1000), 16)
    distances = torch.cdist(embedded, embedded) + torch.eye(1000)
    assert float(distances.min()) > 1e-3


@pytest.mark.parametrize("width", [2, 16, 200], ids="width-{}".format)
@pytest.mark.parametrize("n_blocks", [1, 3], ids="blocks-{}".format)
def test_answer_has_the_shape_of_the_row(width: int, n_blocks: int) -> None:
    network = denoiser(width=width, n_blocks=n_blocks)
    out = network(random(4, N_FEATURES), torch.tensor([0, 1, 5, 999]), random(4, N_CONDITION))
    assert out.shape == (4, N_FEATURES)
    assert len(network.blocks) == n_blocks


def test_denoiser_runs_on_the_meta_device() -> None:
    with torch.device("meta"):
        network = denoiser()
        out = network(
            torch.empty(4, N_FEATURES), torch.empty(4, dtype=torch.long), torch.empty(4, N_CONDITION)
        )
    assert out.device.type == "meta"
    assert out.shape == (4, N_FEATURES)


def test_blocks_start_as_the_identity() -> None:
    hidden, context = random(4, 16), random(4, 16, seed=1)
    for block in denoiser().blocks:
        assert torch.equal(block(hidden, context), hidden)


def test_new_denoiser_does_not_look_at_step_and_condition() -> None:
    network, x_t = denoiser(), random(4, N_FEATURES)
    first = network(x_t, torch.zeros(4), random(4, N_CONDITION))
    second = network(x_t, torch.full((4,), 30), random(4, N_CONDITION, seed=1))
    assert torch.equal(first, second)


def test_step_and_condition_change_the_answer_after_some_training() -> None:
    network = denoiser()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    x_t, t, condition = random(32, N_FEATURES), torch.arange(32), random(32, N_CONDITION, seed=1)
    target = condition.repeat(1, 2) + t[:, None] / 32
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (network(x_t, t, condition) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        answer = network(x_t, t, condition)
        other_step = network(x_t, t.flip(0), condition)
        other_condition = network(x_t, t, -condition)
    assert losses[-1] < 0.5 * losses[0]
    assert float((answer - other_step).abs().mean()) > 0.05
    assert float((answer - other_condition).abs().mean()) > 0.05


def test_rows_of_a_batch_do_not_influence_each_other() -> None:
    network = denoiser()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1)  # leave the identity
    x_t, t, condition = random(4, N_FEATURES), torch.arange(4), random(4, N_CONDITION, seed=1)
    torch.testing.assert_close(network(x_t, t, condition)[:2], network(x_t[:2], t[:2], condition[:2]))


@pytest.mark.parametrize("width", [1, 2, 15, 129])
def test_any_width_works(width: int) -> None:
    denoiser = MLPDenoiser(5, 3, GeneratorConfig(width=width, n_blocks=1))
    out = denoiser(torch.zeros(2, 5), torch.tensor([0, 9]), torch.zeros(2, 3))
    assert out.shape == (2, 5)
