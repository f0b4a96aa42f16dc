"""Choosing in which batch each row is to be generated."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._keys import BATCH_ENTRY
from diffaug_bio._wording import shorten
from diffaug_bio.choose.batches import batch_columns, batches_of
from diffaug_bio.errors import InputError
from diffaug_bio.model.batches import Targets

if TYPE_CHECKING:
    from anndata import AnnData

    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)


def choose_targets(adata: AnnData, model: DiffAug, batch: str | None) -> Targets:
    """Find the batch of each row, and the batch to generate it in: `batch`, or its own if that is None.

    The batches of rows are in the columns of `.obs` that the model was fitted with, where these are there.
    Raises InputError if the model knows no batch of this name.
    """
    names = model.config_.batches.names
    if batch is not None and batch not in names:
        known = f"It was fitted on {shorten(names)}."
        if not names:
            known = "It was fitted without batches: fit it with `batch_key` (`--batch-key`)."
        msg = f"The model knows no batch {batch!r}. {known}"
        raise InputError(msg)
    own = _own(adata, model, names)
    if names and (n_unknown := own.count(None)):
        logger.info(
            "%d of %d rows have no batch that the model was fitted on%s.",
            n_unknown,
            adata.n_obs,
            "" if batch is not None else ", and are generated in no batch",
        )
    return Targets(own, own if batch is None else [batch] * adata.n_obs)


def _own(adata: AnnData, model: DiffAug, names: tuple[str, ...]) -> list[str | None]:
    """Find the batch of each row, or None where columns do not say it or the model does not know it."""
    columns = batch_columns(adata, model.source_.get(BATCH_ENTRY) or [])
    if not names or not columns or not set(columns) <= set(adata.obs):
        return [None] * adata.n_obs
    known = adata.obs[columns].notna().all(axis=1).to_numpy()
    own: list[str | None] = [None] * adata.n_obs
    for row, name in zip(np.flatnonzero(known), batches_of(adata[known], columns), strict=True):
        own[row] = str(name) if name in names else None
    return own
