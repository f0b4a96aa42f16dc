"""Sampling that starts from a noised row rather than from noise."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffaug_bio.core.diffusion import Denoiser, GaussianDiffusion, Prediction, Sampler

PREDICTIONS, SAMPLERS = get_args(Prediction), get_args(Sampler)
N_FEATURES, N_CONDITION = 5, 3


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def diffusion_of(prediction: Prediction = "velocity") -> GaussianDiffusion:
    return GaussianDiffusion(schedule="cosine", n_steps=100, prediction=prediction)


class Oracle:
    """Knows the clean rows, and answers as a perfect denoiser would; lists the steps it was asked."""

    def __init__(self, diffusion: GaussianDiffusion, x0: Tensor) -> None:
        self.diffusion, self.x0 = diffusion, x0
        self.steps: list[int] = []
        self.first: Tensor | None = None

    def __call__(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        self.steps.append(int(t[0]))
        self.first = x_t if self.first is None else self.first
        alpha_bar = self.diffusion.alphas_bar[t][:, None]
        noise = (x_t - alpha_bar.sqrt() * self.x0) / (1 - alpha_bar).sqrt()
        return self.diffusion.target(self.x0, t, noise)


def linear(x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
    """Answer with a fixed map of row, step and condition."""
    return 0.3 * x_t + condition.sum(1, keepdim=True) + 1e-3 * t[:, None]


def sample(
    diffusion: GaussianDiffusion,
    denoiser: Denoiser,
    *,
    start: Tensor | None,
    noising: float,
    sampler: Sampler = "ddim",
    n_steps: int = 10,
) -> Tensor:
    return diffusion.sample(
        denoiser,
        random(4, N_CONDITION, seed=9),
        limits=torch.full((N_FEATURES,), math.inf),
        n_steps=n_steps,
        sampler=sampler,
        guidance=1.0,
        generator=torch.Generator().manual_seed(0),
        start=start,
        noising=noising,
    )


@pytest.mark.parametrize(
    ("n_steps", "noising", "expected"),
    [
        (4, 1.0, [99, 66, 33, 0]),
        (4, 0.5, [49, 0]),
        (10, 0.3, [29, 14, 0]),
        (10, 0.1, [9]),
        (10, 0.01, [0]),
        (10, 0.001, [0]),
        (100, 0.05, [4, 3, 2, 1, 0]),
        (1, 0.5, [49]),
    ],
)
def test_sampling_steps_take_the_share_of_schedule_and_calls(
    n_steps: int, noising: float, expected: list[int]
) -> None:
    assert diffusion_of().sampling_steps(n_steps, noising=noising) == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), schedule_length=st.integers(1, 1000), noising=st.floats(1e-4, 1.0))
def test_sampling_steps_fall_from_the_share_to_zero(
    data: st.DataObject, schedule_length: int, noising: float
) -> None:
    diffusion = GaussianDiffusion(schedule="linear", n_steps=schedule_length, prediction="noise")
    n_steps = data.draw(st.integers(1, schedule_length))
    steps = diffusion.sampling_steps(n_steps, noising=noising)
    assert steps[0] == max(1, round(noising * schedule_length)) - 1
    assert len(steps) == 1 or steps[-1] == 0
    assert all(before > after for before, after in pairwise(steps))
    assert len(steps) <= n_steps
    assert abs(len(steps) - noising * n_steps) <= 1


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("noising", [0.01, 0.3, 0.9], ids="noising-{}".format)
def test_an_oracle_gives_its_rows_from_any_noising(
    prediction: Prediction, sampler: Sampler, noising: float
) -> None:
    diffusion, x0 = diffusion_of(prediction), random(4, N_FEATURES, seed=3)
    oracle = Oracle(diffusion, x0)
    found = sample(diffusion, oracle, start=x0, noising=noising, sampler=sampler)
    torch.testing.assert_close(found, x0, rtol=1e-4, atol=1e-4)
    assert oracle.steps == diffusion.sampling_steps(10, noising=noising)


@pytest.mark.parametrize("noising", [0.2, 0.6], ids="noising-{}".format)
def test_sampling_starts_from_the_noised_row(noising: float) -> None:
    diffusion, start = diffusion_of(), random(4, N_FEATURES, seed=3)
    oracle = Oracle(diffusion, start)
    sample(diffusion, oracle, start=start, noising=noising)
    t = torch.full((4,), round(100 * noising) - 1)
    assert oracle.first is not None
    assert torch.equal(oracle.first, diffusion.add_noise(start, t, random(4, N_FEATURES)))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_full_noising_is_the_same_whatever_the_start(sampler: Sampler) -> None:
    diffusion = diffusion_of()
    plain = diffusion.sample(
        linear,
        random(4, N_CONDITION, seed=9),
        limits=torch.full((N_FEATURES,), math.inf),
        n_steps=10,
        sampler=sampler,
        guidance=1.0,
        generator=torch.Generator().manual_seed(0),
    )
    for start in (None, torch.zeros(4, N_FEATURES), torch.full((4, N_FEATURES), math.nan)):
        assert torch.equal(sample(diffusion, linear, start=start, noising=1.0, sampler=sampler), plain)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_generated_from_noised_rows_depends_on_them(sampler: Sampler) -> None:
    diffusion, start = diffusion_of(), random(4, N_FEATURES, seed=3)
    first, again, other = (
        sample(diffusion, linear, start=rows, noising=0.5, sampler=sampler)
        for rows in (start, start, -start)
    )
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).any()


@pytest.mark.parametrize("noising", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_an_error(noising: float) -> None:
    with pytest.raises(ValueError, match=r"`noising`.* 0 .* 1"):
        diffusion_of().sampling_steps(10, noising=noising)
