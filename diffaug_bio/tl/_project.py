"""`tl.project`: embed observations with a model that was fitted before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._checks import check_anndata
from diffaug_bio._keys import OBSM_KEY
from diffaug_bio.choose.fitting import project_adata
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.mapping import Correction
    from diffaug_bio.model.estimator import DiffAug


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
    regard to case, which is warned of. Missing features are estimated from the others.

    Scores of novelty (:class:`~diffaug_bio.mapping.Novelty`) say which observations the model does not
    know; they describe the embedding before any correction.

    Parameters
    ----------
    adata
        Rows are observations. Nothing but the fields below is changed.
    model
        A fitted model, or the folder of one.
    layer, use_rep, use_raw
        The matrix to embed; without any, the one that the model was fitted on.
    var_key
        Column of `.var` (with `use_raw`, of `.raw.var`) with feature names, in place of `.var_names`; by
        default the one that the model was fitted with, where it is there.
    device
        Device that a model is loaded to.
    novelty
        If True, compare the observations with the training rows, too.
    correct
        `"mnn"` moves observations of another donor, protocol or condition towards the training rows by
        mutual nearest neighbours, see :func:`diffaug_bio.mapping.mutual_neighbor_shift`; `"none"` leaves
        them where they are. Do not use it where the difference from the training rows is what is studied.
    key_added
        Name in `.obsm` and, without a leading `X_`, in `.uns` and in front of the columns below.
    copy
        If True, return a changed copy.

    Returns
    -------
    `None`, or the changed copy. Sets the fields that :func:`diffaug_bio.tl.embed` sets, and

    `adata.obs["diffaug_distance"]` : float32
        Distance to the nearest training rows, over the usual distance among these: 2 is twice as far.
    `adata.obs["diffaug_denoising"]` : float32
        Error of the diffusion model over its median in training, where the model has a generator.
    `adata.obs["diffaug_density"]` : float32
        Log density of the data relative to the training rows, 0 if equal; NaN below 50 observations.
        Compare it between observations of one call.

    Without novelty, columns of these names are removed, since they describe another embedding.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the data do not fit the model, or the model kept no training rows to correct towards.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> db.tl.project(new_cells, "run/model")  # doctest: +SKIP
    """
    from diffaug_bio.model.given import model_of

    check_anndata(adata)
    choice = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    model = model_of(model, device=device)
    adata = adata.copy() if copy else adata
    project_adata(model, adata, choice, novelty=novelty, correct=correct, key_added=key_added)
    return adata if copy else None
