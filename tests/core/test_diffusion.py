"""Schedules and samplers against diffusers, and properties that need no reference."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from diffaug_bio.core.diffusion import (
    Denoiser,
    GaussianDiffusion,
    Prediction,
    Sampler,
    Schedule,
    betas,
)

SCHEDULES = get_args(Schedule)
PREDICTIONS = get_args(Prediction)
SAMPLERS = get_args(Sampler)
N_FEATURES, N_CONDITION = 5, 3


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def reference(
    kind: Any,  # classes of diffusers are not typed
    schedule: Schedule,
    n_steps: int,
    prediction: Prediction,
    **options: object,
) -> Any:
    """Make a scheduler of diffusers that has our betas and cuts nothing off."""
    return kind(
        num_train_timesteps=n_steps,
        trained_betas=betas(schedule, n_steps).float().numpy(),
        clip_sample=False,
        prediction_type={"noise": "epsilon", "velocity": "v_prediction"}[prediction],
        **options,
    )


class LinearDenoiser:
    """A fixed linear map of row, step and condition; lists the conditions it was shown."""

    def __init__(self) -> None:
        self.row = 0.3 * random(N_FEATURES, N_FEATURES, seed=1)
        self.condition = 0.3 * random(N_CONDITION, N_FEATURES, seed=2)
        self.conditions: list[Tensor] = []

    def __call__(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        self.conditions.append(condition)
        return x_t @ self.row + condition @ self.condition + 1e-3 * t[:, None]


class Oracle:
    """Knows the clean rows, and answers as a perfect denoiser would."""

    def __init__(self, diffusion: GaussianDiffusion, x0: Tensor) -> None:
        self.diffusion, self.x0 = diffusion, x0

    def __call__(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        alpha_bar = self.diffusion.alphas_bar[t][:, None]
        noise = (x_t - alpha_bar.sqrt() * self.x0) / (1 - alpha_bar).sqrt()
        return self.diffusion.target(self.x0, t, noise)


def sample(
    diffusion: GaussianDiffusion,
    denoiser: Denoiser,
    condition: Tensor,
    *,
    n_steps: int = 10,
    sampler: Sampler = "ddim",
    guidance: float = 1.0,
    seed: int = 0,
    limit: float = math.inf,
) -> Tensor:
    return diffusion.sample(
        denoiser,
        condition,
        limits=torch.full((N_FEATURES,), limit),
        n_steps=n_steps,
        sampler=sampler,
        guidance=guidance,
        generator=torch.Generator().manual_seed(seed),
    )


def test_linear_betas_of_1000_steps_are_those_of_ho_et_al() -> None:
    expected = torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64)
    torch.testing.assert_close(betas("linear", 1000), expected, rtol=0, atol=0)


def test_linear_betas_of_fewer_steps_are_scaled_and_stay_below_one() -> None:
    expected = torch.linspace(1e-3, 0.2, 100, dtype=torch.float64)
    torch.testing.assert_close(betas("linear", 100), expected)
    assert float(betas("linear", 2).max()) < 1


@pytest.mark.parametrize("n_steps", [50, 1000], ids="steps-{}".format)
def test_cosine_betas_equal_those_of_diffusers(n_steps: int) -> None:
    kind: Any = DDPMScheduler
    scheduler = kind(num_train_timesteps=n_steps, beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(betas("cosine", n_steps).float(), scheduler.betas)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("n_steps", [20, 100, 1000], ids="steps-{}".format)
def test_every_schedule_keeps_little_signal_at_its_end(schedule: Schedule, n_steps: int) -> None:
    kept = torch.cumprod(1 - betas(schedule, n_steps), 0)
    assert bool((kept.diff() < 0).all())
    assert float(kept[-1]) < 1e-4


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_noised_rows_and_targets_equal_those_of_diffusers(
    schedule: Schedule, prediction: Prediction
) -> None:
    diffusion = GaussianDiffusion(schedule=schedule, n_steps=1000, prediction=prediction)
    scheduler = reference(DDPMScheduler, schedule, 1000, prediction)
    t = torch.tensor([0, 1, 250, 500, 998, 999])
    x0, noise = random(6, N_FEATURES), random(6, N_FEATURES, seed=1)
    target = noise if prediction == "noise" else scheduler.get_velocity(x0, noise, t)
    # diffusers multiplies 1000 float32 factors, which rounds the sixth digit.
    torch.testing.assert_close(
        diffusion.add_noise(x0, t, noise), scheduler.add_noise(x0, noise, t), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(diffusion.target(x0, t, noise), target, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_ddim_trajectory_equals_that_of_diffusers(schedule: Schedule, prediction: Prediction) -> None:
    diffusion = GaussianDiffusion(schedule=schedule, n_steps=46, prediction=prediction)
    condition = random(4, N_CONDITION)
    ours = sample(diffusion, LinearDenoiser(), condition, n_steps=10)

    scheduler = reference(DDIMScheduler, schedule, 46, prediction, set_alpha_to_one=True)
    # diffusers moves by num_train_timesteps // num_inference_steps; our ten steps stand five apart.
    scheduler.num_inference_steps = 9
    denoiser = LinearDenoiser()
    x_t = random(4, N_FEATURES)
    for step in range(45, -1, -5):
        predicted = denoiser(x_t, torch.full((4,), step), condition)
        x_t = scheduler.step(predicted, step, x_t, eta=0.0).prev_sample
    assert diffusion.sampling_steps(10) == list(range(45, -1, -5))
    # The first step divides by a signal of 0.01 and less, which makes rows large and their digits rough.
    torch.testing.assert_close(ours, x_t, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_ddpm_steps_equal_those_of_diffusers(schedule: Schedule, prediction: Prediction) -> None:
    n_steps = 50
    diffusion = GaussianDiffusion(schedule=schedule, n_steps=n_steps, prediction=prediction)
    scheduler = reference(DDPMScheduler, schedule, n_steps, prediction, variance_type="fixed_small")
    x_t, predicted = random(4, N_FEATURES), random(4, N_FEATURES, seed=1)
    for step in range(n_steps - 2, 0, -6):
        x0, _ = diffusion.denoise(x_t, torch.full((4,), step), predicted)
        ours = diffusion.ddpm_step(x_t, x0, random(4, N_FEATURES, seed=2), step=step, previous=step - 1)
        theirs = scheduler.step(predicted, step, x_t, generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(x0, theirs.pred_original_sample, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours, theirs.prev_sample, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ddpm_trajectory_over_all_steps_equals_that_of_diffusers(schedule: Schedule) -> None:
    n_steps = 50
    diffusion = GaussianDiffusion(schedule=schedule, n_steps=n_steps, prediction="velocity")
    condition = random(4, N_CONDITION)
    ours = sample(diffusion, LinearDenoiser(), condition, n_steps=n_steps, sampler="ddpm")

    scheduler = reference(DDPMScheduler, schedule, n_steps, "velocity", variance_type="fixed_small")
    generator = torch.Generator().manual_seed(0)
    denoiser = LinearDenoiser()
    x_t = torch.randn((4, N_FEATURES), generator=generator)
    for step in range(n_steps - 1, -1, -1):
        predicted = denoiser(x_t, torch.full((4,), step), condition)
        x_t = scheduler.step(predicted, step, x_t, generator=generator).prev_sample
    # Fifty steps of float32 rounding.
    torch.testing.assert_close(ours, x_t, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_return_the_rows_that_an_oracle_knows(
    schedule: Schedule, prediction: Prediction, sampler: Sampler
) -> None:
    diffusion = GaussianDiffusion(schedule=schedule, n_steps=100, prediction=prediction)
    x0 = random(4, N_FEATURES, seed=3)
    found = sample(diffusion, Oracle(diffusion, x0), torch.zeros(4, N_CONDITION), sampler=sampler)
    torch.testing.assert_close(found, x0, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_denoise_inverts_add_noise(prediction: Prediction) -> None:
    diffusion = GaussianDiffusion(schedule="linear", n_steps=100, prediction=prediction)
    x0, noise, t = random(4, N_FEATURES), random(4, N_FEATURES, seed=1), torch.tensor([1, 20, 60, 80])
    found = diffusion.denoise(diffusion.add_noise(x0, t, noise), t, diffusion.target(x0, t, noise))
    torch.testing.assert_close(found[0], x0, rtol=1e-3, atol=1e-4)  # step 80 keeps a signal of 0.03
    torch.testing.assert_close(found[1], noise, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_first_step_barely_changes_rows_and_the_last_leaves_noise(schedule: Schedule) -> None:
    diffusion = GaussianDiffusion(schedule=schedule, n_steps=1000, prediction="noise")
    x0, noise = 3.0 + 2.0 * random(2000, N_FEATURES), random(2000, N_FEATURES, seed=1)
    first = diffusion.add_noise(x0, torch.zeros(2000, dtype=torch.long), noise)
    last = diffusion.add_noise(x0, torch.full((2000,), 999), noise)
    # The noise of step 0 has a standard deviation of at most 0.01.
    assert float((first - x0).abs().max()) < 0.06
    # 10 000 draws: their variance is within 0.05 of 1 at over three standard errors.
    assert float(last.var()) == pytest.approx(1.0, abs=0.05)
    assert float(last.mean()) == pytest.approx(0.0, abs=0.06)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_loss_of_an_oracle_is_zero_and_of_another_answer_its_squared_error(prediction: Prediction) -> None:
    diffusion = GaussianDiffusion(schedule="linear", n_steps=100, prediction=prediction)
    x0, noise, t = random(4, N_FEATURES), random(4, N_FEATURES, seed=1), torch.tensor([1, 20, 60, 99])
    condition = torch.zeros(4, N_CONDITION)
    oracle = diffusion.loss(Oracle(diffusion, x0), x0, t, noise, condition)
    # Noise is recovered by a division by 0.01 at step 1, hence errors of 1e-5, squared.
    assert float(oracle.max()) < 1e-7
    found = diffusion.loss(LinearDenoiser(), x0, t, noise, condition)
    answer = LinearDenoiser()(diffusion.add_noise(x0, t, noise), t, condition)
    assert found.shape == (4,)
    torch.testing.assert_close(found, (answer - diffusion.target(x0, t, noise)).square().mean(1))


def test_guidance_of_one_calls_the_denoiser_once_a_step() -> None:
    diffusion = GaussianDiffusion(schedule="cosine", n_steps=50, prediction="velocity")
    denoiser, condition = LinearDenoiser(), random(4, N_CONDITION)
    sample(diffusion, denoiser, condition, n_steps=10, guidance=1.0)
    assert len(denoiser.conditions) == 10
    assert all(bool((shown == condition).all()) for shown in denoiser.conditions)


@pytest.mark.parametrize("guidance", [0.0, 2.0], ids="guidance-{}".format)
def test_guidance_mixes_conditional_and_unconditional_answers(guidance: float) -> None:
    diffusion = GaussianDiffusion(schedule="cosine", n_steps=50, prediction="velocity")
    condition = random(4, N_CONDITION)
    guided, plain = LinearDenoiser(), LinearDenoiser()

    def mixed(x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        unconditional = plain(x_t, t, torch.zeros_like(condition))
        return unconditional + guidance * (plain(x_t, t, condition) - unconditional)

    found = sample(diffusion, guided, condition, n_steps=10, guidance=guidance)
    torch.testing.assert_close(found, sample(diffusion, mixed, condition, n_steps=10))
    assert len(guided.conditions) == 20
    assert sum(not bool(shown.any()) for shown in guided.conditions) == 10


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_seed_fixes_the_bits_of_generated_rows(sampler: Sampler) -> None:
    diffusion = GaussianDiffusion(schedule="cosine", n_steps=50, prediction="velocity")
    condition = random(4, N_CONDITION)
    first, again, other = (
        sample(diffusion, LinearDenoiser(), condition, sampler=sampler, seed=seed) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).all(1).any()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data(), schedule_length=st.integers(1, 1000))
def test_sampling_steps_fall_from_the_noisiest_to_zero(data: st.DataObject, schedule_length: int) -> None:
    diffusion = GaussianDiffusion(schedule="linear", n_steps=schedule_length, prediction="noise")
    steps = diffusion.sampling_steps(data.draw(st.integers(1, schedule_length)))
    assert steps[0] == schedule_length - 1
    assert len(steps) == 1 or steps[-1] == 0
    assert all(before > after for before, after in pairwise(steps))


def test_one_sampling_step_returns_the_row_that_the_first_answer_implies() -> None:
    diffusion = GaussianDiffusion(schedule="cosine", n_steps=50, prediction="velocity")
    condition = random(4, N_CONDITION)
    x_t, t = random(4, N_FEATURES), torch.full((4,), 49)
    expected, _ = diffusion.denoise(x_t, t, LinearDenoiser()(x_t, t, condition))
    assert torch.equal(sample(diffusion, LinearDenoiser(), condition, n_steps=1), expected)


def test_schedule_is_no_part_of_the_saved_weights() -> None:
    assert not GaussianDiffusion(schedule="cosine", n_steps=50, prediction="noise").state_dict()
