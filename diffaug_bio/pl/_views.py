"""Cosine similarity of rows and views of them, in latent space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.metrics.generated import cosines, view_cosines
from diffaug_bio.model.codes import embed_held, generate_codes
from diffaug_bio.model.quality import latents_of, scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug


def view_similarities(
    model: DiffAug, matrix: Matrix, *, feature_names: Sequence[str] | None, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Compare rows in memory with rows generated from them and with hand-made views, in latent space.

    Returns arrays `(n_obs,)` by the names that :func:`diffaug_bio.tl.evaluate_generated` gives to their
    means: `cosine_generated`, `cosine_mixup`, `cosine_feature_swap`; for images also `cosine_crop`, for
    sequences `cosine_mutation`.
    """
    rows, generated = generate_codes(model, matrix, random_state=seed, feature_names=feature_names)
    sources = matrix if model.features_.is_decoded else None
    scale = scale_of(model)
    embed = latents_of(model, sources, scale=scale, seed=seed)
    rng = np.random.default_rng(seed)
    similar = view_cosines(rows * scale, generated * scale, embed, rng=rng)
    view = model.features_.hand_made(matrix, seed=seed)
    if view is None:
        return similar
    name, changed = view
    latent = np.asarray(model.transform(matrix, feature_names=feature_names), np.float64)
    center = latent.mean(0)
    return {**similar, name: cosines(latent - center, embed_held(model, changed) - center)}
