"""What a model keeps of its training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_REFERENCE_ROWS = 5000
"""Training rows that are kept: 2.5 MB of an embedding 128 wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Training rows that later rows are compared with."""

    embedding: NDArray[np.float32]
    """Shape: `(n_reference, n_latent)`."""
    denoising: NDArray[np.float32] | None
    """The denoiser's error for each; None without a generator. Shape: `(n_reference,)`."""
