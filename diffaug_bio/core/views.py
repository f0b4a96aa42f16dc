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
    distributions (Bahri et al. 2022, SCARF).
    """
    chosen = torch.rand(x.shape, generator=generator, device=x.device) < strength
    rows = torch.randint(len(x), x.shape, generator=generator, device=x.device)
    return torch.where(chosen, x.gather(0, rows), x)


def inner_swap(x: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Permute a share `strength`, at least two, of the entries of each row (Han et al. 2022, CLEAR)."""
    # A single entry cannot be permuted.
    n_swapped = min(x.shape[1], max(2, round(strength * x.shape[1]))) if strength else 0
    order = torch.rand(x.shape, generator=generator, device=x.device).argsort(1)
    chosen = order[:, :n_swapped]
    # Shifted by one place among the chosen, so that each moves.
    return x.scatter(1, chosen, x.gather(1, chosen.roll(1, dims=1)))


def neighbor_mix(x: Tensor, neighbors: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Move rows a random part of the way, at most `strength`, to a neighbour (paper, section 3.3)."""
    share = strength * torch.rand((len(x), 1), generator=generator, device=x.device)
    return torch.lerp(x, neighbors, share)


def neighbor_noise(x: Tensor, first: Tensor, second: Tensor, *, strength: float) -> Tensor:
    """Add `strength * (first - second) / sqrt(2)`, the scaled difference of two of a row's neighbours.

    If neighbours are independent draws around a row, this noise has their covariance: large in directions
    in which similar rows differ, small where they agree. Noise equal in all directions would drown these.
    """
    return x + strength * 2**-0.5 * (first - second)
