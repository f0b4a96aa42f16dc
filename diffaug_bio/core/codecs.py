"""What the generator works on: a row's code, and the way back from a code to a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from diffaug_bio.core.sequences import N_BASES, SequenceDecoder, recombine

if TYPE_CHECKING:
    from diffaug_bio.core.sequences import SpectralFrontEnd

_DECODER_WIDTH = 512
_UNKNOWN = 255  # no base: neither a letter to learn nor one to keep


class Codec(Protocol):
    """Rows to codes and back."""

    def encode(self, x: Tensor) -> Tensor:
        """Code of rows; shapes `(batch, n_features)` to `(batch, n_codes)`, float32."""
        ...

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Rows of codes that were generated from `source`; shape `(batch, n_features)`."""
        ...


class FeatureCodec(nn.Module):
    """Of features, which are their own code."""

    def encode(self, x: Tensor) -> Tensor:
        """Return the rows themselves."""
        return x

    def decode(self, codes: Tensor, *, source: Tensor, generator: torch.Generator) -> Tensor:
        """Return the codes themselves."""
        return codes


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
