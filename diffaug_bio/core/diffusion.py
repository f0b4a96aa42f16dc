"""Gaussian diffusion: schedules, training loss, DDPM and DDIM samplers.

`noise` and `t` are arguments everywhere, so that every function is deterministic and can be checked
against a reference.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

Schedule = Literal["cosine", "linear"]
Prediction = Literal["noise", "velocity"]
Sampler = Literal["ddim", "ddpm"]


class Denoiser(Protocol):
    """Network that predicts noise or velocity from a noised row, its time step and its condition."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Predict; shapes `(batch, n_features)`, `(batch,)`, `(batch, n_condition)`."""
        ...


def betas(schedule: Schedule, n_steps: int) -> Tensor:
    """Compute the variance of the noise added at each step, float64 `(n_steps,)`.

    `"linear"`: 1e-4 to 2e-2, scaled so that fewer than 1000 steps add as much noise (Ho et al. 2020,
    section 4). `"cosine"`: Nichol & Dhariwal 2021, eq. 17, capped at 0.999.
    """
    if schedule == "linear":
        scale = 1000 / n_steps
        return torch.linspace(scale * 1e-4, min(scale * 2e-2, 0.999), n_steps, dtype=torch.float64)
    steps = torch.arange(n_steps + 1, dtype=torch.float64) / n_steps
    alphas_bar = torch.cos((steps + 0.008) / 1.008 * math.pi / 2).square()
    return (1 - alphas_bar[1:] / alphas_bar[:-1]).clamp_max(0.999)


class GaussianDiffusion(nn.Module):
    """Forward process `q(x_t | x_0)` and its learned reverse (paper, eq. 6 to 9).

    The denoiser's output is the noise, or the velocity `sqrt(abar_t) noise - sqrt(1 - abar_t) x_0`
    (Salimans & Ho 2022, section 4).
    """

    alphas_bar: Tensor

    def __init__(self, *, schedule: Schedule, n_steps: int, prediction: Prediction) -> None:
        super().__init__()
        self.n_steps = n_steps
        self.prediction = prediction
        alphas_bar = torch.cumprod(1 - betas(schedule, n_steps), 0).float()
        # A constant of the configuration, so it is not part of the saved weights.
        self.register_buffer("alphas_bar", alphas_bar, persistent=False)

    def add_noise(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Sample `x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise` (paper, eq. 6).

        `x0` and standard normal `noise` are `(batch, n_features)`; `t`, `(batch,)`, is in `[0, n_steps)`.
        """
        signal, spread = self._scales(t)
        return signal * x0 + spread * noise

    def target(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Compute the right output of the denoiser for `add_noise(x0, t, noise)`; shapes as there."""
        if self.prediction == "noise":
            return noise
        signal, spread = self._scales(t)
        return signal * noise - spread * x0

    def loss(self, denoiser: Denoiser, x0: Tensor, t: Tensor, noise: Tensor, condition: Tensor) -> Tensor:
        """Compute the squared error of the denoiser, averaged over features (paper, eq. 8); `(batch,)`."""
        predicted = denoiser(self.add_noise(x0, t, noise), t, condition)
        return (predicted.float() - self.target(x0, t, noise).float()).square().flatten(1).mean(1)

    def denoise(self, x_t: Tensor, t: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
        """Turn the denoiser's output into the row and the noise that it implies, both float32."""
        signal, spread = self._scales(t)
        x_t, predicted = x_t.float(), predicted.float()
        if self.prediction == "noise":
            return (x_t - spread * predicted) / signal, predicted
        return signal * x_t - spread * predicted, spread * x_t + signal * predicted

    def sample(
        self,
        denoiser: Denoiser,
        condition: Tensor,
        *,
        limits: Tensor,
        n_steps: int,
        sampler: Sampler,
        guidance: float,
        generator: torch.Generator,
        start: Tensor | None = None,
        noising: float = 1.0,
    ) -> Tensor:
        """Generate rows from noise, given conditions; float32 `(batch, n_features)`.

        `"ddpm"` is ancestral sampling (Ho et al. 2020, algorithm 2; paper, eq. 9), `"ddim"` the
        deterministic sampler (Song et al. 2021, eq. 12 with eta = 0). Both run on `n_steps` steps spaced
        evenly over the schedule, ending at step 0 (a single step starts and ends at the noisiest). With
        `guidance` other than 1 the output is `unconditional + guidance * (conditional - unconditional)` (Ho
        & Salimans 2022, eq. 6, with `guidance = 1 + w`), where the unconditional output is that for a
        condition of zeros.

        Every estimate of a row is cut off at `limits`, the largest absolute value of each feature, as
        errors are magnified at the noisiest steps. With `noising` below 1, sampling starts from the rows
        `start` noised to that share of the schedule (Meng et al. 2022, SDEdit, algorithm 1), and takes as
        large a share of the steps.
        """
        shape = (len(condition), len(limits))
        x_t = torch.randn(shape, generator=generator, device=condition.device)
        steps = self.sampling_steps(n_steps, noising=noising)
        if start is not None and noising < 1:
            first = torch.full((len(condition),), steps[0], device=condition.device)
            x_t = self.add_noise(start, first, x_t)
        for index, step in enumerate(steps):
            t = torch.full((len(condition),), step, device=condition.device)
            answer = _guided(denoiser, x_t, t, condition, guidance=guidance)
            x0, noise = self.denoise(x_t, t, answer)
            x0 = x0.clamp(-limits, limits)
            if index + 1 == len(steps):
                return x0
            previous = steps[index + 1]
            if sampler == "ddim":
                x_t = self.ddim_step(x0, noise, previous=previous)
            else:
                fresh = torch.randn(shape, generator=generator, device=condition.device)
                x_t = self.ddpm_step(x_t, x0, fresh, step=step, previous=previous)
        return x_t

    def sampling_steps(self, n_steps: int, *, noising: float = 1.0) -> list[int]:
        """List the steps that a sampler visits, evenly spaced from a share of the schedule to 0.

        Raises ValueError unless the share is above 0 and at most 1, as with undecided settings.
        """
        if not 0 < noising <= 1:
            msg = f"`noising` is a share of the schedule above 0 and at most 1, got {noising!r}."
            raise ValueError(msg)
        first = max(1, round(noising * self.n_steps)) - 1
        n_steps = min(max(1, round(noising * n_steps)), first + 1)
        if n_steps == 1:
            return [first]
        spaced = torch.linspace(first, 0, n_steps, dtype=torch.float64)
        return [int(step) for step in spaced.round()]

    def ddim_step(self, x0: Tensor, noise: Tensor, *, previous: int) -> Tensor:
        """Move to step `previous` without new noise (Song et al. 2021, eq. 12, eta = 0)."""
        alpha_bar = self.alphas_bar[previous]
        return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise

    def ddpm_step(self, x_t: Tensor, x0: Tensor, noise: Tensor, *, step: int, previous: int) -> Tensor:
        """Sample `q(x_previous | x_step, x_0)` (Ho et al. 2020, eq. 6 and 7); steps may be skipped."""
        bar_t, bar_s = self.alphas_bar[step], self.alphas_bar[previous]
        alpha = bar_t / bar_s
        mean = (bar_s.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - bar_s) * x_t) / (1 - bar_t)
        variance = (1 - alpha) * (1 - bar_s) / (1 - bar_t)
        return mean + variance.sqrt() * noise

    def _scales(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weights of signal and noise at each row's step, shaped `(batch, 1)`."""
        alpha_bar = self.alphas_bar[t][:, None]
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()


def _guided(denoiser: Denoiser, x_t: Tensor, t: Tensor, condition: Tensor, *, guidance: float) -> Tensor:
    """Call the denoiser with classifier-free guidance."""
    conditional = denoiser(x_t, t, condition)
    if guidance == 1.0:
        return conditional
    unconditional = denoiser(x_t, t, torch.zeros_like(condition))
    return unconditional + guidance * (conditional - unconditional)
