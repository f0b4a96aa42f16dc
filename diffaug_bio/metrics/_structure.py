"""Preservation of the geometry of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._checks import check_seed
from diffaug_bio.matrix.sample import sample_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_NEIGHBORS = 15
_MAX_ROWS = 2000  # memory grows with their square


def trustworthiness(
    reference: NDArray[np.float32], embedding: NDArray[np.float32], *, random_state: int = 0
) -> float:
    """Score whether neighbours in the embedding are neighbours in the input, too.

    Parameters
    ----------
    reference
        Rows before the embedding. Shape: `(n_obs, n_vars)`.
    embedding
        Embedding of the same rows. Shape: `(n_obs, n_latent)`.
    random_state
        Seed of the sample of at most 2000 rows.

    Returns
    -------
    Trustworthiness (Venna & Kaski 2001, ICANN, 485-491) from 0 to 1, for 15 neighbours, or fewer than half
    of the rows.
    """
    from sklearn.manifold import trustworthiness as score

    check_seed(random_state)
    rows = sample_rows(len(embedding), _MAX_ROWS, seed=random_state)
    n_neighbors = max(1, min(_MAX_NEIGHBORS, (len(rows) - 1) // 2))
    return float(score(reference[rows], embedding[rows], n_neighbors=n_neighbors))
