"""`tl.project`: embed observations with a model that was fitted before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._keys import OBSM_KEY
from diffaug_bio.tl._matrix import MatrixChoice, choose_matrix, later_choice, write_embedding

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.estimator import DiffAug


def project(
    adata: AnnData,
    model: DiffAug | str | PathLike[str],
    *,
    layer: str | None = None,
    use_rep: str | None = None,
    use_raw: bool = False,
    var_key: str | None = None,
    device: str = "auto",
    key_added: str = OBSM_KEY,
    copy: bool = False,
) -> AnnData | None:
    """Embed observations with a fitted model, preprocessed exactly as its training data.

    Features are matched by name: first as they are, then without the versions of Ensembl ids, last without
    regard to case, which is warned of. Missing ones are estimated from the others.

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
    key_added
        Name in `.obsm` and, without a leading `X_`, in `.uns`.
    copy
        Whether to return a changed copy.

    Returns
    -------
    `None`, or the changed copy. Sets the fields that :func:`diffaug_bio.tl.embed` sets.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the data do not fit the model.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> db.tl.project(new_cells, "run/model")  # doctest: +SKIP
    """
    from diffaug_bio.estimator import DiffAug

    if not isinstance(model, DiffAug):
        model = DiffAug.load(Path(model), device=device)
    adata = adata.copy() if copy else adata
    choice = MatrixChoice(layer=layer, use_rep=use_rep, use_raw=use_raw, var_key=var_key)
    project_choice(adata, model, choice, key_added=key_added)
    return adata if copy else None


def project_choice(
    adata: AnnData, model: DiffAug, choice: MatrixChoice, *, key_added: str = OBSM_KEY
) -> MatrixChoice:
    """Do what :func:`project` does in place, and return which matrix was embedded."""
    choice = later_choice(adata, choice, model)
    matrix, names = choose_matrix(adata, choice, model=model)
    embedding = model.transform(matrix, feature_names=names)
    write_embedding(adata, embedding, key_added=key_added, model=model, choice=choice)
    return choice
