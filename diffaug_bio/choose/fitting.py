"""Embedding an AnnData, by a fit or with a fitted model; results go into `.obsm`, `.obs` and `.uns`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from diffaug_bio._checks import check_anndata
from diffaug_bio._keys import BATCH_ENTRY, OBSM_KEY, SPLIT_ENTRY
from diffaug_bio.choose.batches import batches_of
from diffaug_bio.choose.matrix import choose_matrix, declare, later_choice, resolve_choice
from diffaug_bio.choose.results import write_embedding, write_novelty
from diffaug_bio.choose.split import choose_split, rows_to_fit
from diffaug_bio.mapping import mutual_neighbor_shift
from diffaug_bio.mapping.correct import check_correction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.core.phases import Callback
    from diffaug_bio.mapping import Correction, Novelty
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.model.source import MatrixChoice

logger = logging.getLogger(__name__)


class Projection(NamedTuple):
    """Matrix that was embedded, and novelty of its rows: None if not asked for, or no training rows."""

    choice: MatrixChoice
    novelty: Novelty | None


def fit_adata(
    model: DiffAug,
    adata: AnnData,
    choice: MatrixChoice,
    *,
    split_key: str | None,
    batch_key: str | Sequence[str] | None,
    callbacks: Sequence[Callback],
    key_added: str,
) -> NDArray[np.float32] | None:
    """Fit a model to the rows of an AnnData outside its test split, and write the embedding of all rows.

    Without a split, rows are checked and preprocessed once for both. The model's configuration gets what
    the data declare. Returns principal components, `(n_obs, n_components)`, if the networks see these.
    """
    from diffaug_bio.config import resolve_config
    from diffaug_bio.model.codes import components_of, embed, few_threads, prepare
    from diffaug_bio.model.fit import learn

    check_anndata(adata)
    config = resolve_config(model.config)
    split = choose_split(adata, split_key)
    fitted = rows_to_fit(adata, split)
    batches = None if batch_key is None else batches_of(fitted, batch_key).tolist()
    choice = resolve_choice(fitted, choice, config)
    matrix, names = choose_matrix(fitted, choice)
    model.config = declare(config, fitted, choice)
    with few_threads(model):
        rows = learn(model, matrix, feature_names=names, batches=batches, callbacks=callbacks)
        if split is not None:
            matrix, names = choose_matrix(adata, choice, model=model)
            rows = prepare(model, matrix, names)
        embedding = embed(model, rows)
    model.source_ = {**choice.to_dict(), SPLIT_ENTRY: split_key}
    if batch_key is not None:
        model.source_[BATCH_ENTRY] = batch_key if isinstance(batch_key, str) else ",".join(batch_key)
    write_embedding(adata, embedding, key_added=key_added, model=model, choice=choice)
    return components_of(model, rows)


def project_adata(
    model: DiffAug,
    adata: AnnData,
    choice: MatrixChoice,
    *,
    novelty: bool = True,
    correct: Correction = "none",
    key_added: str = OBSM_KEY,
) -> Projection:
    """Embed an AnnData with a fitted model, in place; see :func:`diffaug_bio.tl.project`."""
    from diffaug_bio.model.reference import known_reference

    check_anndata(adata)
    check_correction(correct)
    target = None if correct == "none" else known_reference(model.reference_).embedding
    choice = later_choice(adata, choice, model)
    matrix, names = choose_matrix(adata, choice, model=model)
    found: Novelty | None = None
    if novelty and model.reference_ is not None:
        embedding, found = model.transform_with_novelty(matrix, feature_names=names)
        logger.info(
            "%d of %d rows (%.1f %%) look unlike the training data: farther from them than 99 %% of the "
            "training rows are from their neighbours.",
            found.n_far,
            adata.n_obs,
            100 * found.n_far / max(1, adata.n_obs),
        )
    else:
        embedding = model.transform(matrix, feature_names=names)
    if novelty and found is None:
        logger.warning(
            "No novelty: the model holds no training rows to compare with. Fit it again to have scores."
        )
    if target is not None:
        embedding = mutual_neighbor_shift(embedding, target)
    write_embedding(adata, embedding, key_added=key_added, model=model, choice=choice, correct=correct)
    if found is not None:
        write_novelty(adata, found, key_added=key_added)
    return Projection(choice, found)
