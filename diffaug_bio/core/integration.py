"""Batches in training: similar rows of different batches are positives of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffaug_bio.config import BatchConfig

_UNKNOWN = -1
_SCALE = 2.0  # of a batch's code, beside conditions of variance 1


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of the training rows, and their matches in other batches."""

    config: BatchConfig
    number: Tensor
    """Number of each row's batch `(n_rows,)`."""
    partners: Tensor
    """Matching rows in other batches, the row itself if it has none `(n_rows, n_partners)`."""
    confidence: Tensor
    """Confidence, from 0 to 1, that a row has matches `(n_rows,)`."""
    shift: Tensor
    """Batch shift: mean difference from the row to its matches `(n_rows, n_features)`."""

    def draw(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one of the matches of each row; shapes `(batch,)` to `(batch,)`."""
        n_partners = self.partners.shape[1]
        column = torch.randint(n_partners, (len(indices),), generator=generator, device=indices.device)
        return self.partners[indices, column]

    def targets(self, generator: torch.Generator) -> Tensor:
        """Draw the batch to generate each row in, that of one of its matches; `(n_rows,)`."""
        every = torch.arange(len(self.number), device=self.number.device)
        return self.number[self.draw(every, generator)]


def batch_codes(number: Tensor | None, config: BatchConfig, n_rows: int, device: torch.device) -> Tensor:
    """Code each row's batch for the generator, `(n_rows, n_batches)`; zeros stand for no batch.

    `number`, `(n_rows,)`, is -1 for a row without a batch, or None for no batches at all.
    """
    codes = torch.zeros((n_rows, len(config.names)), device=device)
    if number is None or not config.names:
        return codes
    # Arithmetic instead of choosing rows, which would make the host wait for the device.
    scale = _SCALE * (number != _UNKNOWN).float()
    return codes.scatter(1, number.clamp_min(0)[:, None], scale[:, None])


def shift_penalty(encoder: nn.Module, x: Tensor, shift: Tensor, confidence: Tensor) -> Tensor:
    """Penalise a change of the embedding by the batch shift; a scalar.

    `mean(confidence * |f(x + shift) - f(x)|^2) / V`, where `x` are views of rows, `f` is the encoder, `V`
    the variance of embeddings, summed over their columns, and `confidence`, `(batch,)`, that of
    :class:`Batches`. The shift is an average over a neighbourhood, so that the two rows differ by their
    batch only, and differences between similar rows are kept.
    """
    here, there = encoder(torch.cat([x, x + shift])).float().chunk(2)
    spread = here.detach().var(0).sum().clamp_min(1e-6)
    penalty: Tensor = (confidence * (there - here).square().sum(1)).mean() / spread
    return penalty
