"""`tl.project`: embed observations with a model that was fitted before."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from diffaug_bio._keys import OBSM_KEY
from diffaug_bio.choose.matrix import MatrixChoice, choose_matrix, later_choice
from diffaug_bio.mapping import Correction, Novelty, mutual_neighbor_shift
from diffaug_bio.mapping.correct import check_correction
from diffaug_bio.tl._results import write_embedding, write_novelty

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.model.estimator import DiffAug

logger = logging.getLogger(__name__)


class Projection(NamedTuple):
    """What was embedded, and how unlike the training rows it is."""

    choice: MatrixChoice
    novelty: Novelty | None
    """None where it was not asked for, or an earlier version fitted the model."""


def project(
    adata: AnnData,
    model: DiffAug | str | PathLike[str],
    *,
    layer: str | None = None,
    use_rep: str | None = None,
    use_raw: bool = False,
    var_key: str | None = None,
    device: str = "auto",
    novelty: bool = True,
    correct: Correction = "none",
    key_added: str = OBSM_KEY,
    copy: bool = False,
) -> AnnData | None:
    """Embed observations with a fitted model, preprocessed exactly as its training data.

    Features are matched by name: first as they are, then without the versions of Ensembl ids, last without
    regard to case, which is warned of. Missing ones are estimated from the others.

    Scores of novelty say which observations the model does not know, see
    :class:`~diffaug_bio.mapping.Novelty`; they are of the embedding before any correction.

    Parameters
    ----------
    adata
        Rows are observations. Nothing but the fields below is changed.
    model
        A fitted model, or the folder of one.
    layer, use_rep, use_raw
        Which matrix to embed; without any, the one that the model was fitted on.
    var_key
        Column of `.var` (with `use_raw`, of `.raw.var`) that names the features in place of `.var_names`.
        If left out, the column that the model was fitted with is taken where it is there.
    device
        Where a model is loaded to.
    novelty
        Whether to compare with the training rows, too.
    correct
        `"mnn"` moves observations of another donor, protocol or condition towards the training rows by
        mutual nearest neighbors, see :func:`diffaug_bio.mapping.mutual_neighbor_shift`; `"none"` leaves
        them where they are. Not for data whose difference from the training rows is what is studied.
    key_added
        Name in `.obsm` and, without a leading `X_`, in `.uns` and in front of the columns below.
    copy
        Whether to return a changed copy.

    Returns
    -------
    `None`, or the changed copy. Sets the fields that :func:`diffaug_bio.tl.embed` sets, and

    `adata.obs["diffaug_distance"]` : float32
        Distance to the nearest training rows, over what is usual among these: 1 is usual, 2 twice as far.
    `adata.obs["diffaug_denoising"]` : float32
        The denoiser's error over its median in training, where the model has a generator.
    `adata.obs["diffaug_density"]` : float32
        Log of how dense the data are beside the training rows, 0 as usual; NaN below 50 observations.
        Compare it between observations of one call.

    Without novelty, columns of these names are removed: they were about another embedding.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the data do not fit the model, or `correct` is asked of a model that an earlier version fitted.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> db.tl.project(new_cells, "run/model")  # doctest: +SKIP
    """
    from diffaug_bio.model.estimator import DiffAug

    if not isinstance(model, DiffAug):
        model = DiffAug.load(Path(model), device=device)
    adata = adata.copy() if copy else adata
    choice = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    project_choice(adata, model, choice, novelty=novelty, correct=correct, key_added=key_added)
    return adata if copy else None


def project_choice(
    adata: AnnData,
    model: DiffAug,
    choice: MatrixChoice,
    *,
    novelty: bool = True,
    correct: Correction = "none",
    key_added: str = OBSM_KEY,
) -> Projection:
    """Do what :func:`project` does in place, and return which matrix was embedded, and its novelty."""
    from diffaug_bio.model.reference import known_reference

    check_correction(correct)
    target = None if correct == "none" else known_reference(model.reference_).embedding
    choice = later_choice(adata, choice, model)
    matrix, names = choose_matrix(adata, choice, model=model)
    found: Novelty | None = None
    if novelty and model.reference_ is not None:
        embedding, found = model.transform_with_novelty(matrix, feature_names=names)
        _log_novelty(found)
    else:
        embedding = model.transform(matrix, feature_names=names)
    if novelty and found is None:
        logger.warning(
            "The model knows no training rows to compare with, so there is no novelty: an earlier version "
            "fitted it, or they were left out on purpose. Fit it again to have it."
        )
    if target is not None:
        embedding = mutual_neighbor_shift(embedding, target)
    write_embedding(adata, embedding, key_added=key_added, model=model, choice=choice, correct=correct)
    if found is not None:
        write_novelty(adata, found, key_added=key_added)
    return Projection(choice, found)


def _log_novelty(found: Novelty) -> None:
    n_obs = len(found.distance)
    logger.info(
        "%d of %d rows (%.1f %%) are farther from the training rows than 99 %% of these from each other.",
        found.n_far,
        n_obs,
        100 * found.n_far / max(1, n_obs),
    )
