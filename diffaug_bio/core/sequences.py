"""Sequences as tensors: k-mers at several resolutions, views, and decoding of codes.

Tokens are those of `diffaug_bio.pp.encode_tokens`: A, C, G, T from 0 to 3, 4 for another letter, and 5 past
the end of a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

N_BASES = 4
OTHER = 4  # any letter but the four bases
END = 5  # past the end of a sequence

Levels = Sequence[tuple[int, int]]  # word length k and number of position bins, for each resolution


def lengths(tokens: Tensor) -> Tensor:
    """Count the letters of each sequence; shapes `(batch, length)` to `(batch, 1)`."""
    return (tokens != END).sum(1, keepdim=True)


def one_hot(tokens: Tensor) -> Tensor:
    """Encode bases as four numbers, other tokens as zeros; `(batch, length)` to `(batch, length, 4)`."""
    return (tokens[..., None] == torch.arange(N_BASES, device=tokens.device)).float()


def spectra(tokens: Tensor, levels: Levels) -> Tensor:
    """Count k-mers at several resolutions, as shares of those in a bin; `(batch, sum of n_bins * 4**k)`.

    Same numbers as those of `diffaug_bio.pp.KmerEncoding`, one level after the other, but computed on the
    device in every step, so that views may change bases.
    """
    letters, n_letters = tokens.long(), lengths(tokens)
    return torch.cat([_shares(letters, n_letters, k, n_bins) for k, n_bins in levels], 1)


def _shares(letters: Tensor, n_letters: Tensor, k: int, n_bins: int) -> Tensor:
    """Count the k-mers of one level; a k-mer belongs to the bin in which it starts."""
    batch, length = letters.shape
    if length < k:
        return torch.zeros((batch, n_bins * N_BASES**k), device=letters.device)
    starts = length - k + 1
    numbers = torch.zeros((batch, starts), dtype=torch.long, device=letters.device)
    is_word = torch.ones_like(numbers, dtype=torch.bool)
    for offset in range(k):
        letter = letters[:, offset : offset + starts]
        numbers = numbers * N_BASES + letter
        is_word &= letter < N_BASES
    place = torch.arange(starts, device=letters.device)
    bins = (place * n_bins // (n_letters - k + 1).clamp_min(1)).clamp_max(n_bins - 1)
    n_columns = n_bins * N_BASES**k
    # All that are not k-mers go into an extra column, which is dropped.
    columns = torch.where(is_word, bins * N_BASES**k + numbers, n_columns)
    counts = torch.zeros((batch, n_columns + 1), device=letters.device)
    counts.scatter_add_(1, columns, torch.ones_like(columns, dtype=counts.dtype))
    by_bin = counts[:, :-1].reshape(batch, n_bins, -1)
    return (by_bin / by_bin.sum(2, keepdim=True).clamp_min(1)).flatten(1)


class SpectralFrontEnd(nn.Module):
    """Principal components of k-mers at several resolutions: a fixed linear map of :func:`spectra`.

    `weight`, `(n_columns, n_components)`, and `bias`, `(n_components,)`, include centring and scaling.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, levels: Levels, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.levels = tuple((int(k), int(n_bins)) for k, n_bins in levels)
        # Saved with the preprocessing, not with the networks.
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    @property
    def n_components(self) -> int:
        """Width of the output."""
        return self.weight.shape[1]

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens to components; shapes `(batch, length)` to `(batch, n_components)`."""
        # In bfloat16, fixed features would lose digits.
        with torch.autocast(tokens.device.type, enabled=False):
            return torch.addmm(self.bias, spectra(tokens, self.levels), self.weight)


class SequenceDecoder(nn.Module):
    """Map from codes to logits of the four bases at every position: one hidden layer."""

    def __init__(self, n_codes: int, length: int, *, width: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(n_codes, width), nn.SiLU(), nn.Linear(width, N_BASES * length)
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Compute logits; shapes `(batch, n_codes)` to `(batch, length, 4)`."""
        out: Tensor = self.network(codes)
        return out.reshape(len(codes), -1, N_BASES)


def recombine(tokens: Tensor, before: Tensor, after: Tensor, *, generator: torch.Generator) -> Tensor:
    """Change as few bases as possible, so that draws from one distribution become draws from another.

    Couples the two distributions, `(batch, length, 4)`, at every position maximally: a base `a` is kept
    with probability `min(1, after(a) / before(a))`, and else drawn from the positive part of
    `after - before`. If the bases were drawn from `before`, the result is drawn from `after`; equal
    distributions change nothing, so that detail which the code does not hold is taken from the source.
    Letters other than the four bases and positions past the end stay.
    """
    draws = torch.rand((2, *tokens.shape), generator=generator, device=tokens.device)
    base = tokens.long().clamp_max(N_BASES - 1)[..., None]
    old, new = before.gather(2, base)[..., 0], after.gather(2, base)[..., 0]
    # The second comparison keeps bases with probability 0 (in float32) before and after.
    kept = (draws[0] * old < new) | (old <= new) | (tokens >= N_BASES)
    gained = (after - before).clamp_min(0).cumsum(2)
    other = (gained <= draws[1, ..., None] * gained[..., -1:]).sum(2).clamp_max(N_BASES - 1)
    return torch.where(kept, tokens, other.to(tokens.dtype))


def mutation(tokens: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Substitute a share `strength` of the bases by one of the other three; shape `(batch, length)`."""
    drawn = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    chosen = (drawn < strength) & (tokens < N_BASES)
    step = torch.randint(1, N_BASES, tokens.shape, generator=generator, device=tokens.device)
    return torch.where(chosen, (tokens + step.to(tokens.dtype)) % N_BASES, tokens)


def base_mask(tokens: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Replace a share `strength` of the bases by N; shape `(batch, length)`."""
    drawn = torch.rand(tokens.shape, generator=generator, device=tokens.device)
    return tokens.masked_fill((drawn < strength) & (tokens < N_BASES), OTHER)


def shift(tokens: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Move sequences by at most a share `strength` of their length to either side, filled up with N."""
    n_letters = lengths(tokens)
    drawn = 2 * torch.rand((len(tokens), 1), generator=generator, device=tokens.device) - 1
    place = torch.arange(tokens.shape[1], device=tokens.device)
    source = place + (drawn * strength * n_letters).round().long()
    inside = (source >= 0) & (source < n_letters)
    moved = tokens.gather(1, source.clamp(0, tokens.shape[1] - 1))
    moved = torch.where(inside, moved, OTHER)
    return torch.where(place < n_letters, moved, END).to(tokens.dtype)


def reverse_complement(tokens: Tensor) -> Tensor:
    """Read the other strand; shape `(batch, length)`."""
    n_letters = lengths(tokens)
    place = torch.arange(tokens.shape[1], device=tokens.device)
    turned = tokens.gather(1, (n_letters - 1 - place).clamp_min(0))
    turned = torch.where(turned < N_BASES, N_BASES - 1 - turned, turned)
    return torch.where(place < n_letters, turned, END).to(tokens.dtype)


def either_strand(tokens: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Read a share `strength` of the sequences from the other strand; shape `(batch, length)`."""
    chosen = torch.rand((len(tokens), 1), generator=generator, device=tokens.device) < strength
    return torch.where(chosen, reverse_complement(tokens), tokens)
