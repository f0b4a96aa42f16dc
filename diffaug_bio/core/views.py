"""Hand-made and generated views of a batch, as pure functions with explicit generators."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian(x: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise of standard deviation `strength`; shape `(batch, n_features)`."""
    return x + strength * torch.randn(x.shape, generator=generator, device=x.device)


def feature_mask(x: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Set a share `strength` of all entries to 0, their mean; shape `(batch, n_features)`."""
    return x * (torch.rand(x.shape, generator=generator, device=x.device) >= strength)


def neighbor_mix(x: Tensor, neighbors: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Move rows a random part of the way, at most `strength`, to a neighbor (paper, section 3.3).

    Parameters
    ----------
    x, neighbors
        Rows and one neighbor of each. Shape: `(batch, n_features)`.
    strength
        Largest share of the neighbor.
    generator
        Source of the shares, on the device of `x`.
    """
    share = strength * torch.rand((len(x), 1), generator=generator, device=x.device)
    return torch.lerp(x, neighbors, share)


def neighbor_noise(x: Tensor, first: Tensor, second: Tensor, *, strength: float) -> Tensor:
    """Add `strength * (first - second) / sqrt(2)`, the scaled difference of two of a row's neighbors.

    Where neighbors are independent draws around a row, this is noise with exactly their covariance: wide
    in directions in which like rows differ, narrow in those in which they agree. Equal noise in every
    direction would drown the latter.

    Parameters
    ----------
    x, first, second
        Rows and two neighbors of each, drawn at random. Shape: `(batch, n_features)`.
    strength
        Size of the noise.
    """
    return x + strength * 2**-0.5 * (first - second)


def choose_generated(
    x: Tensor, generated: Tensor, *, fraction: float, generator: torch.Generator
) -> Tensor:
    """Replace each row with probability `fraction` by the row generated from it.

    Parameters
    ----------
    x, generated
        Rows and what was generated from each. Shape: `(batch, n_features)`.
    fraction
        Probability.
    generator
        Source of the choice, on the device of `x`.
    """
    chosen = torch.rand((len(x), 1), generator=generator, device=x.device) < fraction
    return torch.where(chosen, generated, x)
