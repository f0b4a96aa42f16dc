"""What an embedding is compared with: principal components of the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.features._images import FittedImages, pixel_sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from diffaug_bio.features._record import Fitted
    from diffaug_bio.matrix.blocks import Matrix


def plain_components(
    features: Fitted,
    fitted: Matrix,
    matrix: Matrix,
    *,
    width: int,
    seed: int,
    known: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Compute principal components of features, of counted words, or of the pixels of images.

    Parameters
    ----------
    features
        Fitted preprocessing.
    fitted
        The rows that it was fitted to, for further components. Shape: `(n_fitted, n_vars)`.
    matrix
        The rows to describe. Shape: `(n_obs, n_vars)`.
    width
        Components, or as many as there can be.
    seed
        Start of the iteration; see :func:`diffaug_bio.features.fit_features`.
    known
        Components of `matrix` that were computed before; taken where they are wide enough.

    Returns
    -------
    Shape: `(n_obs, width)`.
    """
    if not isinstance(features, FittedImages):
        widened = features.widened(fitted, width, seed=seed)
        scores = known if known is not None and widened is features else widened.project(matrix)
        return scores[:, :width]
    pixels = features.pixels
    if pixels.components.shape[1] < width:
        pixels = pixels.widened(pixel_sample(fitted, seed=seed), width, seed=seed)
    return pixels.project(matrix)[:, :width]
