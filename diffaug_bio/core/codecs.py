"""What the generator works on: a row's code, and the way back from a code to a row."""

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
_UNKNOWN = 255  # no base: neither a letter to learn nor one to keep
_PIXEL_MEAN, _PIXEL_STD = 0.5, 0.25  # of any images, about


class Codec(Protocol):
    """Rows to codes and back."""

    def encode(self, x: Tensor) -> Tensor:
        """Code of rows; shapes `(batch, n_features)` to `(batch, n_codes)`, float32."""
        ...

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Rows of codes that were generated from `source`, in the type in which they are kept.

        Shape: `(batch, n_features)`.
        """
        ...

    def rows(self, kept: Tensor) -> Rows:
        """Rows for the encoder, of what :meth:`decode` gave."""
        ...


class FeatureCodec(nn.Module):
    """Of features, which are their own code."""

    def encode(self, x: Tensor) -> Tensor:
        """Return the rows themselves."""
        return x

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Return the codes themselves."""
        return codes

    def rows(self, kept: Tensor) -> Rows:
        """Rows as they are kept."""
        return DenseRows(kept)


class SequenceCodec(nn.Module):
    """Of sequences: components of the front end, and a decoder to the odds of the four bases.

    Parameters
    ----------
    front_end
        From tokens to the code.
    length
        Positions of a sequence.
    """

    def __init__(self, front_end: SpectralFrontEnd, length: int) -> None:
        super().__init__()
        self.front_end = front_end
        self.decoder = SequenceDecoder(front_end.n_components, length, width=_DECODER_WIDTH)

    def encode(self, x: Tensor) -> Tensor:
        """Components of tokens; shapes `(batch, length)` to `(batch, n_components)`."""
        codes: Tensor = self.front_end(x)
        return codes

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Change the letters of the source whose odds the new code changes; see :func:`recombine`."""
        before, after = (self.decoder(code).float().softmax(2) for code in (self.front_end(source), codes))
        return recombine(source, before, after, generator=generator)

    def rows(self, kept: Tensor) -> Rows:
        """Rows as they are kept: tokens."""
        return DenseRows(kept)

    def loss(self, x: Tensor, codes: Tensor) -> Tensor:
        """Cross-entropy of the bases of tokens given their codes, a scalar.

        Parameters
        ----------
        x
            Tokens. Shape: `(batch, length)`.
        codes
            What :meth:`encode` gives for them. Shape: `(batch, n_components)`.
        """
        logits = self.decoder(codes).float()  # (batch, length, 4)
        bases = torch.where(x < N_BASES, x, _UNKNOWN).long()
        return nn.functional.cross_entropy(logits.flatten(0, 1), bases.flatten(), ignore_index=_UNKNOWN)


class ComponentCodec(nn.Module):
    """Of images: principal components of their pixels.

    What components do not hold, fine detail, stays as in the source.

    Parameters
    ----------
    mean
        Of pixels in [0, 1]. Shape: `(n_values,)`.
    axes
        Orthogonal directions of any lengths. Shape: `(n_values, n_components)`.
    """

    mean: Tensor
    axes: Tensor
    inverse: Tensor

    def __init__(self, mean: Tensor, axes: Tensor) -> None:
        super().__init__()
        # Saved with the preprocessing, of which they are a part.
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("axes", axes, persistent=False)
        # An axis along which nothing varied may be all zeros, and stays that.
        lengths = axes.square().sum(0).clamp_min(_LEAST_LENGTH)
        self.register_buffer("inverse", (axes / lengths).T.contiguous(), persistent=False)

    def encode(self, x: Tensor) -> Tensor:
        """Components of pixels; shapes `(batch, n_values)` to `(batch, n_components)`."""
        with torch.autocast(x.device.type, enabled=False):
            return (x - self.mean) @ self.axes

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Add to the source what its components change by; bytes."""
        with torch.autocast(source.device.type, enabled=False):
            return as_bytes(source + (codes - self.encode(source)) @ self.inverse)

    def rows(self, kept: Tensor) -> Rows:
        """Rows of pixels in [0, 1]."""
        return PixelRows(DenseRows(kept))


class PixelCodec(nn.Module):
    """Of images for a generator that sees pixels: the pixels themselves, centred and scaled."""

    def encode(self, x: Tensor) -> Tensor:
        """Centre and scale pixels in [0, 1]; shape `(batch, n_values)`."""
        return (x - _PIXEL_MEAN) / _PIXEL_STD

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Give the pixels that were generated, as bytes; nothing of the source is kept."""
        return as_bytes(codes * _PIXEL_STD + _PIXEL_MEAN)

    def rows(self, kept: Tensor) -> Rows:
        """Rows of pixels in [0, 1]."""
        return PixelRows(DenseRows(kept))


def as_bytes(pixels: Tensor) -> Tensor:
    """Round pixels in [0, 1] to bytes, which take a quarter of the memory; shape as given."""
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


def coded(codec: Codec, rows: Rows) -> Rows | None:
    """Codes of rows that are not worth keeping, since they are computed as fast as read; else None."""
    if isinstance(codec, FeatureCodec):
        return rows
    return CodedRows(codec.encode, rows, rows.shape[1]) if isinstance(codec, PixelCodec) else None
