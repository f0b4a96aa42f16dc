"""Codes of rows, on which the generator works, and the way back from a code to a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from diffaug_bio.core.batches import CodedRows, DenseRows, PixelRows
from diffaug_bio.core.sequences import N_BASES, SequenceDecoder, recombine

if TYPE_CHECKING:
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.sequences import SpectralFrontEnd

_DECODER_WIDTH = 512
_LEAST_LENGTH = 1e-30  # squared
_UNKNOWN = 255  # not one of the four bases; ignored by the loss
_PIXEL_MEAN, _PIXEL_STD = 0.5, 0.25  # about right for most images


class Codec(Protocol):
    """Map from rows to codes and back."""

    def encode(self, x: Tensor) -> Tensor:
        """Encode rows; shapes `(batch, n_features)` to `(batch, n_codes)`, float32."""
        ...

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Decode codes generated from `source` to `(batch, n_features)`, in the type kept in memory."""
        ...

    def rows(self, kept: Tensor) -> Rows:
        """Make rows for the encoder from decoded ones."""
        ...


class FeatureCodec(nn.Module):
    """Codec of features, which are their own codes."""

    def encode(self, x: Tensor) -> Tensor:
        """Return the rows themselves."""
        return x

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Return the codes themselves."""
        return codes

    def rows(self, kept: Tensor) -> Rows:
        """Make rows of features."""
        return DenseRows(kept)


class SequenceCodec(nn.Module):
    """Codec of sequences: components of the front end, and a decoder to probabilities of the bases."""

    def __init__(self, front_end: SpectralFrontEnd, length: int) -> None:
        super().__init__()
        self.front_end = front_end
        self.decoder = SequenceDecoder(front_end.n_components, length, width=_DECODER_WIDTH)

    def encode(self, x: Tensor) -> Tensor:
        """Map tokens to components; shapes `(batch, length)` to `(batch, n_components)`."""
        codes: Tensor = self.front_end(x)
        return codes

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Change bases of the source whose probabilities the new code changes; see :func:`recombine`."""
        before, after = (self.decoder(code).float().softmax(2) for code in (self.front_end(source), codes))
        return recombine(source, before, after, generator=generator)

    def rows(self, kept: Tensor) -> Rows:
        """Make rows of tokens."""
        return DenseRows(kept)

    def loss(self, x: Tensor, codes: Tensor) -> Tensor:
        """Compute the cross-entropy of the bases of tokens given their codes, a scalar."""
        logits = self.decoder(codes).float()  # (batch, length, 4)
        bases = torch.where(x < N_BASES, x, _UNKNOWN).long()
        return nn.functional.cross_entropy(logits.flatten(0, 1), bases.flatten(), ignore_index=_UNKNOWN)


class ComponentCodec(nn.Module):
    """Codec of images: principal components of their pixels.

    Fine detail, which the components do not hold, stays as in the source. `mean`, `(n_values,)`, is that of
    pixels in [0, 1]; `axes`, `(n_values, n_components)`, are orthogonal and of any length.
    """

    mean: Tensor
    axes: Tensor
    inverse: Tensor

    def __init__(self, mean: Tensor, axes: Tensor) -> None:
        super().__init__()
        # Saved with the preprocessing, not with the networks.
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("axes", axes, persistent=False)
        # An axis without variance may be all zeros, and stays so.
        lengths = axes.square().sum(0).clamp_min(_LEAST_LENGTH)
        self.register_buffer("inverse", (axes / lengths).T.contiguous(), persistent=False)

    def encode(self, x: Tensor) -> Tensor:
        """Project pixels onto the components; shapes `(batch, n_values)` to `(batch, n_components)`."""
        with torch.autocast(x.device.type, enabled=False):
            return (x - self.mean) @ self.axes

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Add the change of the components to the source; returns bytes."""
        with torch.autocast(source.device.type, enabled=False):
            return as_bytes(source + (codes - self.encode(source)) @ self.inverse)

    def rows(self, kept: Tensor) -> Rows:
        """Make rows of pixels in [0, 1]."""
        return PixelRows(DenseRows(kept))


class PixelCodec(nn.Module):
    """Codec of images for a generator of pixels: the pixels themselves, centred and scaled."""

    def encode(self, x: Tensor) -> Tensor:
        """Centre and scale pixels in [0, 1]; shape `(batch, n_values)`."""
        return (x - _PIXEL_MEAN) / _PIXEL_STD

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Return the generated pixels as bytes; nothing of the source is kept."""
        return as_bytes(codes * _PIXEL_STD + _PIXEL_MEAN)

    def rows(self, kept: Tensor) -> Rows:
        """Make rows of pixels in [0, 1]."""
        return PixelRows(DenseRows(kept))


def as_bytes(pixels: Tensor) -> Tensor:
    """Round pixels in [0, 1] to bytes, a quarter of the memory; shape as given."""
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


def coded(codec: Codec, rows: Rows) -> Rows | None:
    """Make codes that are computed as fast as read, and so not kept in memory; None for all others."""
    if isinstance(codec, FeatureCodec):
        return rows
    return CodedRows(codec.encode, rows, rows.shape[1]) if isinstance(codec, PixelCodec) else None
