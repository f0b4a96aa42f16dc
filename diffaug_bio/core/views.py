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


def feature_swap(x: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Replace a share `strength` of all entries by those of other rows of the batch.

    Each entry comes from a row of its own, so that replaced entries follow the features' marginal
    distributions (Bahri et al. 2022, SCARF). Shape: `(batch, n_features)`.
    """
    chosen = torch.rand(x.shape, generator=generator, device=x.device) < strength
    rows = torch.randint(len(x), x.shape, generator=generator, device=x.device)
    return torch.where(chosen, x.gather(0, rows), x)


def inner_swap(x: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Permute a share `strength` of the entries of each row among themselves (Han et al. 2022, CLEAR).

    At least two entries move. Shape: `(batch, n_features)`.
    """
    # A single entry cannot be permuted.
    n_swapped = min(x.shape[1], max(2, round(strength * x.shape[1]))) if strength else 0
    order = torch.rand(x.shape, generator=generator, device=x.device).argsort(1)
    chosen = order[:, :n_swapped]
    # Shifted by one place among the chosen, so that each moves.
    return x.scatter(1, chosen, x.gather(1, chosen.roll(1, dims=1)))


def neighbor_mix(x: Tensor, neighbors: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Move rows a random part of the way, at most `strength`, to a neighbour (paper, section 3.3).

    Parameters
    ----------
    x, neighbors
        Rows and one nearest neighbour of each. Shape: `(batch, n_features)`.
    strength
        Largest share of the neighbour.
    generator
        Random numbers for the shares, on the device of `x`.
    """
    share = strength * torch.rand((len(x), 1), generator=generator, device=x.device)
    return torch.lerp(x, neighbors, share)


def neighbor_noise(x: Tensor, first: Tensor, second: Tensor, *, strength: float) -> Tensor:
    """Add `strength * (first - second) / sqrt(2)`, the scaled difference of two of a row's neighbours.

    If neighbours are independent draws around a row, this noise has their covariance: large in directions
    in which similar rows differ, small where they agree. Equal noise in all directions would drown the
    latter.

    Parameters
    ----------
    x, first, second
        Rows and two nearest neighbours of each, drawn at random. Shape: `(batch, n_features)`.
    strength
        Size of the noise.
    """
    return x + strength * 2**-0.5 * (first - second)
