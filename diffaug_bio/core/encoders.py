"""Encoders, from a row to its embedding, and the projector, from an embedding to the loss."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diffaug_bio.config.kinds import decided
from diffaug_bio.core.sequences import END, N_BASES, one_hot, reverse_complement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffaug_bio.config import EncoderConfig
    from diffaug_bio.core.patches import PatchFrontEnd
    from diffaug_bio.core.sequences import SpectralFrontEnd

_SLOPE = 0.1  # LeakyReLU, as published
_MOMENTUM, _EPSILON = 0.1, 1e-5  # the defaults of torch's batch normalisation


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Make linear layers, all but the last with LeakyReLU and batch normalisation (paper, app. B).

    `widths` are those of input, hidden layers and output.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths[:-1]):
        layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(_SLOPE), nn.BatchNorm1d(n_out)]
    layers.append(nn.Linear(widths[-2], widths[-1]))
    return nn.Sequential(*layers)


class TotalVariance(nn.Module):
    """Scale all columns by one number, so that their variances have the sum `total`.

    Training uses the batch's sum and keeps a moving average for later, as batch normalisation does column
    by column (Ioffe & Szegedy 2015). One number for all columns keeps the geometry.
    """

    running: Tensor

    def __init__(self, total: float) -> None:
        super().__init__()
        self.total = total
        self.register_buffer("running", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Scale; shapes `(batch, width)` to the same."""
        found = self.running
        if self.training:
            found = x.float().var(0).sum()
            self.running.lerp_(found.detach(), _MOMENTUM)
        return x * (self.total / (found + _EPSILON)).sqrt().to(x.dtype)


class MLPEncoder(nn.Module):
    """Multilayer perceptron, with a linear path beside it if configured."""

    def __init__(self, n_features: int, config: EncoderConfig) -> None:
        super().__init__()
        self.n_kept = config.n_kept(n_features)
        n_learned = decided(config.n_latent) - self.n_kept
        self.network = mlp([n_features, *config.hidden, n_learned])
        self.linear = None if config.linear_path == "none" else nn.Linear(n_features, n_learned)
        self.total_variance = TotalVariance(n_features) if self.n_kept else None

    def forward(self, x: Tensor, further: Tensor | None = None) -> Tensor:
        """Embed rows: the kept components, then the learned columns; `(batch, n_latent)`.

        `further`, the output of another network, is added to the learned columns.
        """
        y: Tensor = self.network(x)
        if self.linear is not None:
            y = y + self.linear(x)
        if further is not None:
            y = y + further
        if self.total_variance is None:
            return y
        return torch.cat([x[:, : self.n_kept].to(y.dtype), self.total_variance(y)], 1)


class CNNEncoder(nn.Module):
    """Encoder of sequences: a perceptron on the spectral front end, and convolutions beside it.

    The learned columns start as the front end itself: the linear path is the identity, and the last layers
    are zero.
    """

    def __init__(self, front_end: SpectralFrontEnd, config: EncoderConfig) -> None:
        super().__init__()
        self.front_end = front_end
        self.spectral = MLPEncoder(front_end.n_components, config)
        self.convolutions = Convolutions(decided(config.n_latent) - self.spectral.n_kept)
        self.strand_symmetric = config.strand_symmetric
        _start_as_front_end(self.spectral, self.convolutions.head)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed tokens; shapes `(batch, length)` to `(batch, n_latent)`."""
        y = self._one_strand(tokens)
        if self.strand_symmetric:
            y = (y + self._one_strand(reverse_complement(tokens))) / 2
        return y

    def _one_strand(self, tokens: Tensor) -> Tensor:
        y: Tensor = self.spectral(self.front_end(tokens), self.convolutions(tokens))
        return y


class PatchEncoder(nn.Module):
    """Encoder of images: a perceptron on the front end of patches; starts as :class:`CNNEncoder` does."""

    def __init__(self, front_end: PatchFrontEnd, config: EncoderConfig) -> None:
        super().__init__()
        self.front_end = front_end
        self.perceptron = MLPEncoder(front_end.n_components, config)
        _start_as_front_end(self.perceptron)

    def forward(self, rows: Tensor) -> Tensor:
        """Embed pixels in [0, 1]; shapes `(batch, n_values)` to `(batch, n_latent)`."""
        y: Tensor = self.perceptron(self.front_end(rows))
        return y


def _start_as_front_end(perceptron: MLPEncoder, *others: nn.Linear) -> None:
    """Make the linear path, if there is one, the identity and the last layers zero."""
    if perceptron.linear is None:
        return
    nn.init.eye_(perceptron.linear.weight)
    nn.init.zeros_(perceptron.linear.bias)
    for layer in (perceptron.network[-1], *others):
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


class Convolutions(nn.Module):
    """Stem, dilated residual blocks, and pooling over the bases that are present.

    A filter of the stem spans `span` letters: odd, so that it has a middle, and more than 4, so that
    filters overlap. Each block has twice the dilation of the one before. Responses are averaged apart in
    `n_segments` parts of a sequence, so that where one stands counts.
    """

    _STRIDE = 4  # bases from one filter response to the next; filters overlap

    def __init__(
        self, n_out: int, *, n_channels: int = 32, span: int = 9, n_blocks: int = 2, n_segments: int = 8
    ) -> None:
        super().__init__()
        self.n_segments = n_segments
        self.stem = nn.Conv1d(N_BASES, n_channels, span, stride=self._STRIDE, padding=span // 2)
        self.blocks = nn.ModuleList(_DilatedBlock(n_channels, 2**n) for n in range(n_blocks))
        n_pooled = n_channels * (n_segments + 1)
        self.norm = nn.BatchNorm1d(n_pooled)
        self.head = nn.Linear(n_pooled, n_out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed tokens; shapes `(batch, length)` to `(batch, n_out)`."""
        present = (tokens[:, None, :: self._STRIDE] != END).float()  # (batch, 1, length / 4)
        hidden = nn.functional.silu(self.stem(one_hot(tokens).transpose(1, 2))) * present
        for block in self.blocks:
            hidden = block(hidden, present)
        y: Tensor = self.head(self.norm(self._pooled(hidden, present)))
        return y

    def _pooled(self, hidden: Tensor, present: Tensor) -> Tensor:
        """Pool: mean of each segment, maximum of all; to `(batch, (n_segments + 1) * n_channels)`."""
        place = torch.arange(hidden.shape[2], device=hidden.device)
        segment = (place * self.n_segments // present.sum(2).clamp_min(1)).long()  # (batch, length / 4)
        every = torch.arange(self.n_segments, device=hidden.device)
        belongs = (segment[..., None] == every) * present.transpose(1, 2)  # (batch, length / 4, n_segments)
        means = hidden @ belongs.to(hidden.dtype) / belongs.sum(1, keepdim=True).clamp_min(1)
        largest = hidden.float().masked_fill(present == 0, -torch.inf).amax(2)
        largest = largest.masked_fill(present.amax(2) == 0, 0.0)  # an empty sequence
        return torch.cat([means.flatten(1), largest], 1)


class _DilatedBlock(nn.Module):
    """Residual convolution, normalised over channels, so that padding has no effect."""

    def __init__(self, n_channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.wide = nn.Conv1d(n_channels, n_channels, 5, padding=2 * dilation, dilation=dilation)
        self.mix = nn.Conv1d(n_channels, n_channels, 1)

    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        """Convolve; shapes `(batch, n_channels, length)` and `(batch, 1, length)`, 1 at bases."""
        inner = self.norm(hidden.transpose(1, 2)).transpose(1, 2) * present
        out: Tensor = (hidden + self.mix(nn.functional.silu(self.wide(inner)))) * present
        return out


class Projector(nn.Module):
    """Head whose output the loss compares; the embedding is its input.

    The first `n_kept` columns, principal components that training does not change, are left out. Without a
    configured width of the projection, the learned columns are compared as they are.
    """

    def __init__(self, config: EncoderConfig, n_kept: int = 0) -> None:
        super().__init__()
        self.n_kept = n_kept
        widths = [decided(config.n_latent) - n_kept, *config.projector_hidden, config.n_projection]
        self.network = mlp(widths) if config.n_projection else nn.Identity()

    def forward(self, y: Tensor) -> Tensor:
        """Project embeddings; shapes `(batch, n_latent)` to `(batch, n_compared)`."""
        z: Tensor = self.network(y[:, self.n_kept :])
        return z
