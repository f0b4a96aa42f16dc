"""Batches in training: rows of one kind from different batches are each other's positives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffaug_bio.config import BatchConfig

_UNKNOWN = -1
_SCALE = 2.0  # of the code of a batch, beside conditions of variance 1


@dataclass(frozen=True, slots=True)
class Batches:
    """Which batch each training row is of, and what it has in others."""

    config: BatchConfig
    number: Tensor
    """Of each row's batch `(n_rows,)`."""
    partners: Tensor
    """Rows of its kind in other batches, its own number where it has none `(n_rows, n_partners)`."""
    confidence: Tensor
    """That it has any, from 0 to 1 `(n_rows,)`."""
    shift: Tensor
    """From the row to where its like lies in other batches `(n_rows, n_features)`."""

    def draw(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one of the partners of each row; shapes `(batch,)` to `(batch,)`."""
        n_partners = self.partners.shape[1]
        column = torch.randint(n_partners, (len(indices),), generator=generator, device=indices.device)
        return self.partners[indices, column]

    def targets(self, generator: torch.Generator) -> Tensor:
        """Draw a batch for each row to be generated in, that of one of its partners; `(n_rows,)`."""
        every = torch.arange(len(self.number), device=self.number.device)
        return self.number[self.draw(every, generator)]


def batch_codes(number: Tensor | None, config: BatchConfig, n_rows: int, device: torch.device) -> Tensor:
    """Say to the generator which batch is meant; zeros say none.

    Parameters
    ----------
    number
        Number of the batch of each row, or -1; none at all if left out. Shape: `(n_rows,)`.
    config
        Names the batches.
    n_rows, device
        Of the rows.

    Returns
    -------
    Shape: `(n_rows, n_batches)`, of which there are 0 in fits without batches.
    """
    codes = torch.zeros((n_rows, len(config.names)), device=device)
    if number is None or not config.names:
        return codes
    # By arithmetic rather than by choosing rows, whose number a device would have to tell the host.
    scale = _SCALE * (number != _UNKNOWN).float()
    return codes.scatter(1, number.clamp_min(0)[:, None], scale[:, None])


def shift_penalty(encoder: nn.Module, x: Tensor, shift: Tensor, confidence: Tensor) -> Tensor:
    """Measure what a shift of the batch changes in the embedding.

    `mean(confidence * |f(x + shift) - f(x)|^2) / V`, where `V` is the variance of embeddings, summed over
    their columns. The shift is an average over a neighborhood, so that nothing but the batch parts the two
    rows, and what tells rows of a kind apart is not pulled together.

    Parameters
    ----------
    encoder
        The encoder `f`.
    x, shift
        Views of rows, and what parts them from their like in other batches. Shape: `(batch, n_features)`.
    confidence
        That there are any. Shape: `(batch,)`.

    Returns
    -------
    A scalar.
    """
    here, there = encoder(torch.cat([x, x + shift])).float().chunk(2)
    spread = here.detach().var(0).sum().clamp_min(1e-6)
    penalty: Tensor = (confidence * (there - here).square().sum(1)).mean() / spread
    return penalty
