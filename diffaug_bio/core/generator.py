"""Conditional denoiser: predicts noise or velocity from a noised row, its step and its condition."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.config.kinds import decided

if TYPE_CHECKING:
    from diffaug_bio.config import GeneratorConfig


def time_embedding(t: Tensor, width: int) -> Tensor:
    """Embed diffusion steps as sines and cosines, of even `width` (Vaswani et al. 2017, section 3.5)."""
    half = torch.arange(width // 2, device=t.device, dtype=torch.float32)
    frequencies = torch.exp(-math.log(10_000.0) * half / (width // 2))
    angles = t[:, None].float() * frequencies[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class _Block(nn.Module):
    """Residual layer whose normalised input is scaled and shifted by time and condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)
        # A block starts as the identity, so that deep stacks train from the first step.
        nn.init.zeros_(self.contract.weight)
        nn.init.zeros_(self.contract.bias)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """Transform `hidden`; shapes `(batch, width)` each."""
        scale, shift = self.modulation(context).chunk(2, dim=1)
        inner = self.norm(hidden) * (1 + scale) + shift
        out: Tensor = hidden + self.contract(nn.functional.silu(self.expand(inner)))
        return out


class MLPDenoiser(nn.Module):
    """Residual perceptron, modulated by time and condition (adaptive layer norm, Peebles & Xie 2023).

    Zeros, the mean of standardised embeddings, stand for no condition; in training they replace some.
    """

    def __init__(self, n_features: int, n_condition: int, config: GeneratorConfig) -> None:
        super().__init__()
        width = decided(config.width)
        self.time_width = min(width + width % 2, 128)
        self.embed_time = nn.Linear(self.time_width, width)
        self.embed_condition = nn.Linear(n_condition, width)
        self.embed_row = nn.Linear(n_features, width)
        self.mix = nn.Linear(width, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(config.n_blocks))
        self.head = nn.Linear(width, n_features)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Predict; shapes `(batch, n_features)`, `(batch,)`, `(batch, n_condition)` to the first."""
        time = self.embed_time(time_embedding(t, self.time_width))
        context = nn.functional.silu(self.mix(nn.functional.silu(time + self.embed_condition(condition))))
        hidden = self.embed_row(x_t)
        for block in self.blocks:
            hidden = block(hidden, context)
        out: Tensor = self.head(nn.functional.silu(hidden))
        return out
