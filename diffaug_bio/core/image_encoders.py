"""Encoders of images: a small convolutional network for CPUs, and the ResNet-18 of the literature.

Both take rows of values in [0, 1] and centre them. Every layer keeps images channels_last; weights stay
contiguous, as files of weights require.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.core.images import as_images

if TYPE_CHECKING:
    from diffaug_bio.core.images import ImageShape

_LARGE = 96  # pixels a side from which a ResNet halves images twice before its first block


def group_norm(n_channels: int) -> nn.GroupNorm:
    """Normalise each image in at most 32 groups of at least 4 channels (Wu & He 2018)."""
    # Alone in its group, a channel would lose its mean, which describes the image as a whole.
    return nn.GroupNorm(math.gcd(32, n_channels // 4, n_channels), n_channels)


class ConvNet(nn.Module):
    """Convolutions at three resolutions, for small images and CPUs.

    Images are halved three times, and channels doubled from `n_channels` each time but the first. Groups of
    channels are normalised within an image, so that an embedding does not depend on other rows of the
    batch. The embedding is made of the means and maxima over the last resolution.
    """

    def __init__(self, shape: ImageShape, *, n_latent: int, n_channels: int = 32) -> None:
        super().__init__()
        self.shape = shape
        self.stages = nn.Sequential(
            _stage(shape.channels, n_channels, kernel_size=5),
            _stage(n_channels, 2 * n_channels, kernel_size=3),
            _stage(2 * n_channels, 4 * n_channels, kernel_size=3),
        )
        self.head = nn.Linear(2 * 4 * n_channels, n_latent)

    def forward(self, x: Tensor) -> Tensor:
        """Embed rows; shapes `(batch, n_values)` to `(batch, n_latent)`."""
        hidden = self.stages(_centred(x, self.shape))
        y: Tensor = self.head(torch.cat([hidden.mean((2, 3)), hidden.amax((2, 3))], 1))
        return y


def _stage(n_in: int, n_out: int, *, kernel_size: int) -> nn.Sequential:
    """Make layers that halve images and convolve once more."""
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel_size, stride=2, padding=kernel_size // 2, bias=False),
        group_norm(n_out),
        nn.SiLU(),
        nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
        group_norm(n_out),
        nn.SiLU(),
    )


class ResNet18(nn.Module):
    """Residual network of 18 layers (He et al. 2016, table 1).

    Images of at least 96 pixels a side start with a convolution of 7 x 7 and a maximum pool, each of stride
    2, as published; smaller ones with a convolution of 3 x 3 and stride 1 (Chen et al. 2020, SimCLR,
    appendix B.9).
    """

    def __init__(self, shape: ImageShape, n_latent: int) -> None:
        super().__init__()
        self.shape = shape
        is_large = min(shape.height, shape.width) >= _LARGE
        self.stem = _large_stem(shape.channels) if is_large else _small_stem(shape.channels)
        self.blocks = nn.Sequential(
            *(_ResidualBlock(64, 64) for _ in range(2)),
            *(_ResidualBlock(n_in, n_out) for n_out in (128, 256, 512) for n_in in (n_out // 2, n_out)),
        )
        self.head = nn.Linear(512, n_latent)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al. 2015, as in the published network
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Embed rows; shapes `(batch, n_values)` to `(batch, n_latent)`."""
        hidden = self.blocks(self.stem(_centred(x, self.shape)))
        y: Tensor = self.head(hidden.mean((2, 3)))
        return y


def _small_stem(n_in: int) -> nn.Sequential:
    """Make a first layer that keeps the resolution."""
    return nn.Sequential(nn.Conv2d(n_in, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())


def _large_stem(n_in: int) -> nn.Sequential:
    """Make first layers that halve images twice."""
    return nn.Sequential(
        nn.Conv2d(n_in, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


class _ResidualBlock(nn.Module):
    """Two convolutions and a path around them; images are halved where channels double."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        stride = n_out // n_in
        self.inner = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.around: nn.Module = nn.Identity()
        if n_in != n_out:
            self.around = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, hidden: Tensor) -> Tensor:
        """Convolve; to `(batch, n_out, height / stride, width / stride)`."""
        return nn.functional.relu(self.inner(hidden) + self.around(hidden))


def _centred(rows: Tensor, shape: ImageShape) -> Tensor:
    """Make images of about unit variance from rows; to `(batch, channels, height, width)`."""
    return (as_images(rows, shape) - 0.5) / 0.25
