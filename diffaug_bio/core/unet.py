"""Denoiser of images: a U-Net with the call signature of the perceptron."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.core.generator import time_embedding
from diffaug_bio.core.image_encoders import group_norm
from diffaug_bio.core.images import as_images, as_rows

if TYPE_CHECKING:
    from diffaug_bio.core.images import ImageShape

_MOST_HALVINGS = 2
_LEAST_SIDE = 7  # pixels after halving, such as images of 28 pixels halved twice
_MOST_POSITIONS = 256  # with attention: 16 x 16 pixels (Ho et al. 2020, appendix B)
_HEAD_WIDTH = 64  # channels of an attention head (Dhariwal & Nichol 2021, section 3)


class UNetDenoiser(nn.Module):
    """Residual convolutions at up to three resolutions, with skip connections (Ho et al. 2020, app. B).

    Each of `n_blocks` blocks at a resolution, on the way down and again on the way up, is modulated by time
    and condition (adaptive group normalisation, Dhariwal & Nichol 2021, section 3.1); zeros stand for no
    condition. Images are halved, and channels doubled from `width`, at most twice, as long as the shorter
    side keeps 7 pixels. The lowest resolution has attention if it has at most 256 positions. Sides that do
    not halve evenly are padded with zeros, the mean. A new denoiser returns zeros.
    """

    def __init__(self, shape: ImageShape, n_condition: int, *, width: int, n_blocks: int) -> None:
        super().__init__()
        self.shape = shape
        n_halvings = _n_halvings(shape)
        self.padded_to = 2**n_halvings
        self.time_width = width + width % 2
        n_context = 4 * width
        self.embed_time = nn.Linear(self.time_width, n_context)
        self.embed_condition = nn.Linear(n_condition, n_context)
        self.mix = nn.Linear(n_context, n_context)
        self.stem = nn.Conv2d(shape.channels, width, 3, padding=1)
        widths = [width * 2**level for level in range(n_halvings)]
        self.down = nn.ModuleList(_Down(n, n_context, n_blocks=n_blocks) for n in widths)
        n_positions = math.prod(-(-side // self.padded_to) for side in (shape.height, shape.width))
        self.lowest = _Lowest(
            width * self.padded_to, n_context, n_blocks=n_blocks, attends=n_positions <= _MOST_POSITIONS
        )
        self.up = nn.ModuleList(_Up(n, n_context, n_blocks=n_blocks) for n in reversed(widths))
        self.norm = group_norm(width)
        self.head = nn.Conv2d(width, shape.channels, 3, padding=1)
        _silence(self.head)

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Predict; shapes `(batch, n_values)`, `(batch,)`, `(batch, n_condition)` to the first."""
        time = self.embed_time(time_embedding(t, self.time_width))
        context = nn.functional.silu(self.mix(nn.functional.silu(time + self.embed_condition(condition))))
        hidden = self.stem(self._padded(as_images(x_t, self.shape)))
        across = []
        for down in self.down:
            hidden, outputs = down(hidden, context)
            across.append(outputs)
        hidden = self.lowest(hidden, context)
        for up in self.up:
            hidden = up(hidden, across.pop(), context)
        out = self.head(nn.functional.silu(self.norm(hidden)))
        return as_rows(out[:, :, : self.shape.height, : self.shape.width])

    def _padded(self, images: Tensor) -> Tensor:
        """Pad with zeros below and to the right, so that sides halve evenly."""
        below, right = (-side % self.padded_to for side in (self.shape.height, self.shape.width))
        return nn.functional.pad(images, (0, right, 0, below)) if below or right else images


class _Down(nn.Module):
    """Blocks of one resolution, then half of it with twice the channels."""

    def __init__(self, n_channels: int, n_context: int, *, n_blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(n_channels, n_channels, n_context) for _ in range(n_blocks))
        self.resize = nn.Conv2d(n_channels, 2 * n_channels, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor, context: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the half, `(batch, 2 * n_channels, height / 2, width / 2)`, and each block's output."""
        outputs = []
        for block in self.blocks:
            hidden = block(hidden, context)
            outputs.append(hidden)
        return self.resize(hidden), outputs


class _Up(nn.Module):
    """Return to a resolution from its half, with blocks that also take the outputs on the way down."""

    def __init__(self, n_channels: int, n_context: int, *, n_blocks: int) -> None:
        super().__init__()
        self.resize = nn.Conv2d(2 * n_channels, n_channels, 3, padding=1)
        self.blocks = nn.ModuleList(_Block(2 * n_channels, n_channels, n_context) for _ in range(n_blocks))

    def forward(self, hidden: Tensor, outputs: list[Tensor], context: Tensor) -> Tensor:
        """Return `(batch, n_channels, height, width)` from the half and the outputs of full size."""
        hidden = self.resize(nn.functional.interpolate(hidden, scale_factor=2.0, mode="nearest"))
        for block, output in zip(self.blocks, reversed(outputs), strict=True):
            hidden = block(torch.cat([hidden, output], 1), context)
        return hidden


class _Lowest(nn.Module):
    """Blocks of the lowest resolution, with attention between them."""

    def __init__(self, n_channels: int, n_context: int, *, n_blocks: int, attends: bool) -> None:
        super().__init__()
        self.before, self.after = (
            nn.ModuleList(_Block(n_channels, n_channels, n_context) for _ in range(n_blocks))
            for _ in range(2)
        )
        self.attention = _Attention(n_channels) if attends else nn.Identity()

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """Transform `hidden`; shapes `(batch, n_channels, height, width)` and `(batch, n_context)`."""
        for block in self.before:
            hidden = block(hidden, context)
        hidden = self.attention(hidden)
        for block in self.after:
            hidden = block(hidden, context)
        return hidden


class _Block(nn.Module):
    """Two convolutions, the second modulated by time and condition, and a path around them."""

    def __init__(self, n_in: int, n_out: int, n_context: int) -> None:
        super().__init__()
        self.first_norm = group_norm(n_in)
        self.first = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.modulation = nn.Linear(n_context, 2 * n_out)
        self.second_norm = group_norm(n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1)
        _silence(self.second)
        self.around = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, hidden: Tensor, context: Tensor) -> Tensor:
        """Convolve; shapes `(batch, n_in, ...)` and `(batch, n_context)` to `(batch, n_out, ...)`."""
        inner = self.first(nn.functional.silu(self.first_norm(hidden)))
        scale, shift = self.modulation(context)[:, :, None, None].chunk(2, dim=1)
        inner = self.second_norm(inner) * (1 + scale) + shift
        out: Tensor = self.around(hidden) + self.second(nn.functional.silu(inner))
        return out


class _Attention(nn.Module):
    """Attention of every position to all others (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.n_heads = math.gcd(n_channels, max(1, n_channels // _HEAD_WIDTH))
        self.norm = group_norm(n_channels)
        self.ask = nn.Linear(n_channels, 3 * n_channels)
        self.answer = nn.Linear(n_channels, n_channels)
        _silence(self.answer)

    def forward(self, hidden: Tensor) -> Tensor:
        """Transform `hidden`; shape `(batch, n_channels, height, width)`."""
        positions = self.norm(hidden).permute(0, 2, 3, 1)  # (batch, height, width, n_channels)
        heads = self.ask(positions).flatten(1, 2).unflatten(2, (3, self.n_heads, -1))
        seen = nn.functional.scaled_dot_product_attention(*heads.permute(2, 0, 3, 1, 4))
        answers = self.answer(seen.transpose(1, 2).reshape(positions.shape))
        out: Tensor = hidden + answers.permute(0, 3, 1, 2)
        return out


def _n_halvings(shape: ImageShape) -> int:
    """Count how often an image is halved."""
    side = min(shape.height, shape.width)
    return sum(-(-side // 2**n) >= _LEAST_SIDE for n in range(1, _MOST_HALVINGS + 1))


def _silence(layer: nn.Module) -> None:
    """Set a layer to zero, so that the path that it ends starts as zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
