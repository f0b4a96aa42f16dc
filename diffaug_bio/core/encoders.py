"""Encoders and the projector: networks from a row to its embedding, and on to the loss."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffaug_bio.config import EncoderConfig

_SLOPE = 0.1  # of LeakyReLU, as published


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers, each but the last followed by LeakyReLU and batch normalisation (paper, app. B).

    Parameters
    ----------
    widths
        Widths of input, hidden layers and output.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths[:-1]):
        layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(_SLOPE), nn.BatchNorm1d(n_out)]
    layers.append(nn.Linear(widths[-2], widths[-1]))
    return nn.Sequential(*layers)


class MLPEncoder(nn.Module):
    """Multilayer perceptron, with a linear path beside it if asked for.

    Parameters
    ----------
    n_features
        Width of a row.
    config
        Hidden widths, width of the embedding, linear path.
    """

    def __init__(self, n_features: int, config: EncoderConfig) -> None:
        super().__init__()
        self.network = mlp([n_features, *config.hidden, config.n_latent])
        self.linear = nn.Linear(n_features, config.n_latent) if config.linear_path else None

    def forward(self, x: Tensor) -> Tensor:
        """Embed rows; shapes `(batch, n_features)` to `(batch, n_latent)`."""
        y: Tensor = self.network(x)
        return y if self.linear is None else y + self.linear(x)


class Projector(nn.Module):
    """The head whose output the loss compares; users get what goes into it.

    Parameters
    ----------
    config
        Width of the embedding, hidden widths and width of the projection.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.network = mlp([config.n_latent, *config.projector_hidden, config.n_projection])

    def forward(self, y: Tensor) -> Tensor:
        """Project embeddings; shapes `(batch, n_latent)` to `(batch, n_projection)`."""
        z: Tensor = self.network(y)
        return z
