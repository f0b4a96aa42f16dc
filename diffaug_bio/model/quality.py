"""Scores of the rows that a model generates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio import metrics
from diffaug_bio.matrix.sample import sample_rows
from diffaug_bio.matrix.validation import LazyMatrix
from diffaug_bio.model.codes import components_of, decode_codes, embed_held, generate_codes, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

_MAX_LAZY_ROWS = 2000  # images on the disk that are scored


def score_generated(
    model: DiffAug,
    matrix: Matrix,
    *,
    labels: NDArray[np.str_] | None,
    scored: NDArray[np.bool_] | None,
    feature_names: Sequence[str] | None = None,
    held_out: NDArray[np.int64] | None = None,
    seed: int,
) -> dict[str, float]:
    """Generate a row from each training row of `matrix`, and score the generated rows.

    `scored` is True for rows to score, all if left out; `held_out` numbers rows that the training held
    out for validation, where `matrix` is only part of the training rows. `seed` draws the noise and
    samples.
    """
    from diffaug_bio.core.batches import split_rows

    n_rows = matrix.shape[0]
    fraction = model.config_.train.validation_fraction
    if held_out is None:
        held_out = split_rows(n_rows, fraction, seed=model.random_state)[1].numpy()
    kept = np.arange(n_rows) if scored is None else np.flatnonzero(scored)
    if isinstance(matrix, LazyMatrix):  # or all would be read into memory
        kept = kept[sample_rows(len(kept), _MAX_LAZY_ROWS, seed=seed)]
        labels = None if labels is None else labels[kept]
        held_out = np.flatnonzero(np.isin(kept, held_out))
        matrix, kept = matrix[kept], np.arange(len(kept))
    rows, generated = generate_codes(model, matrix, random_state=seed, feature_names=feature_names)
    if model.config_.features.columns:
        # What is given out has whole levels and blanks, by whose lack codes could be told apart.
        made = model.augment(matrix, missing="keep", random_state=seed, feature_names=feature_names)
        known = components_of(model, prepare(model, made, feature_names))
        generated = generated if known is None else known
    sources = matrix[kept] if model.features_.is_decoded else None

    scale = scale_of(model)
    return metrics.generated_quality(
        rows[kept] * scale,
        generated[kept] * scale,
        embed=latents_of(model, sources, scale=scale, seed=seed),
        held_out=np.flatnonzero(np.isin(kept, held_out)),
        labels=None if labels is None else labels[kept],
        random_state=seed,
    )


def scale_of(model: DiffAug) -> NDArray[np.float32]:
    """Return the factors that make distances between codes those of pixels or components."""
    return model.features_.code_scale(model.config_)


def latents_of(
    model: DiffAug, sources: Matrix | None, *, scale: NDArray[np.float32], seed: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Make the function that embeds codes, divided by `scale`, of letters or pixels with their sources."""

    def embed(codes: NDArray[np.float32]) -> NDArray[np.float32]:
        # A code becomes letters or pixels by changes to its source: of its own code, the source itself.
        return embed_held(model, decode_codes(model, codes / scale, sources, random_state=seed))

    return embed
