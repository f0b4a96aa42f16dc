"""Training rows that a model keeps, and the comparison of later rows with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from diffaug_bio.core.batches import PickedRows
from diffaug_bio.core.finite import finite_rows
from diffaug_bio.core.generated import embedded, encode_with_errors
from diffaug_bio.core.runtime import seeded_generator
from diffaug_bio.errors import InputError
from diffaug_bio.mapping import Reference, compare
from diffaug_bio.mapping.reference import MOST_REFERENCE_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.state import TrainState
    from diffaug_bio.mapping import Novelty

_EMBEDDING, _DENOISING = "reference.embedding", "reference.denoising"


def make_reference(state: TrainState, rows: Rows, config: DiffAugConfig, *, seed: int) -> Reference:
    """Draw training rows, with an own random stream, and keep their embedding and denoising errors."""
    generator = seeded_generator(seed, torch.device("cpu"), "reference")
    drawn = torch.randperm(rows.shape[0], generator=generator)[:MOST_REFERENCE_ROWS].sort().values
    picked = PickedRows(rows, drawn.to(rows.device))
    embedding, denoising = _encoded(state, picked, config)
    return Reference(embedding=embedding, denoising=denoising)


def embed_with_novelty(
    reference: Reference, state: TrainState, rows: Rows, config: DiffAugConfig
) -> tuple[NDArray[np.float32], Novelty]:
    """Embed later rows, and score how much they differ from the training rows.

    An `InputError` if an embedding or a score is not finite; a density that was not compared is NaN.
    """
    embedding, denoising = _encoded(state, rows, config)
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
        found = compare(embedding, reference, denoising=denoising)
    for scores in (found.distance, found.denoising):
        if scores is not None:
            finite_rows(torch.from_numpy(scores), what="novelty")
    return embedding, found


def known_reference(reference: Reference | None) -> Reference:
    """Return the training rows that a model kept, or refuse a model that kept none."""
    if reference is None:
        msg = (
            "This model holds no training rows to compare with or to correct towards. It can embed; fit it "
            "again for novelty and correction."
        )
        raise InputError(msg)
    return reference


def reference_arrays(reference: Reference | None) -> dict[str, NDArray[np.float32]]:
    """Give the arrays for a model folder by name."""
    if reference is None:
        return {}
    arrays = {_EMBEDDING: reference.embedding}
    return arrays if reference.denoising is None else {**arrays, _DENOISING: reference.denoising}


def reference_from(arrays: Mapping[str, NDArray[np.generic]]) -> Reference | None:
    """Rebuild a reference from the arrays of a model folder; None if it was left out."""
    if _EMBEDDING not in arrays:
        return None
    denoising = arrays[_DENOISING].astype(np.float32) if _DENOISING in arrays else None
    return Reference(embedding=arrays[_EMBEDDING].astype(np.float32), denoising=denoising)


def _encoded(
    state: TrainState, rows: Rows, config: DiffAugConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Embed rows, and compute errors of the denoiser if there is one."""
    if not config.train.has_generator:
        return embedded(state.encoder, rows).cpu().numpy(), None
    embedding, errors = encode_with_errors(state, rows, config)
    return embedding.cpu().numpy(), errors.cpu().numpy()
