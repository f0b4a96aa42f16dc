"""Training rows that a model keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_REFERENCE_ROWS = 5000
"""Largest number of training rows that a model keeps: 2.5 MB of an embedding 128 wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Training rows that new rows are compared with."""

    embedding: NDArray[np.float32]
    """Embedding of the rows. Shape: `(n_reference, n_latent)`."""
    denoising: NDArray[np.float32] | None
    """Error of the diffusion model for each row; None without one. Shape: `(n_reference,)`."""
