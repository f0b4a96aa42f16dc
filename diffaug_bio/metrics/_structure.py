"""How much of the geometry of the input an embedding keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.matrix.sample import sample_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_NEIGHBORS = 15
_MAX_ROWS = 2000  # memory grows with their square


def trustworthiness(
    reference: NDArray[np.float32], embedding: NDArray[np.float32], *, random_state: int = 0
) -> float:
    """Trust that neighbors in the embedding deserve [1]_: whether they are near in the input too.

    Parameters
    ----------
    reference
        Rows before the embedding. Shape: `(n_obs, n_vars)`.
    embedding
        The same rows. Shape: `(n_obs, n_latent)`.
    random_state
        Seed of the (at most 2000) rows that are looked at.

    Returns
    -------
    From 0 to 1, of 15 neighbors, or of fewer than half of the rows.

    References
    ----------
    .. [1] Venna & Kaski (2001), ICANN, 485-491.
    """
    from sklearn.manifold import trustworthiness as score

    rows = sample_rows(len(embedding), _MAX_ROWS, seed=random_state)
    n_neighbors = max(1, min(_MAX_NEIGHBORS, (len(rows) - 1) // 2))
    return float(score(reference[rows], embedding[rows], n_neighbors=n_neighbors))
