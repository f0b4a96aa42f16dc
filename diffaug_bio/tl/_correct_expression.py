"""`tl.correct_expression`: the expression of cells as another batch would have measured them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._checks import check_anndata, check_count, check_seed
from diffaug_bio.choose.matrix import choose_matrix, later_choice
from diffaug_bio.choose.targets import choose_targets
from diffaug_bio.errors import InputError
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.model.estimator import DiffAug

_LAYER = "diffaug_corrected"


def correct_expression(
    adata: AnnData,
    model: DiffAug | str | PathLike[str],
    *,
    batch: str,
    n_draws: int = 4,
    key_added: str = _LAYER,
    random_state: int = 0,
    device: str = "auto",
) -> None:
    """Write a layer with the expression of each cell as one batch would have measured it.

    The diffusion model generates each row in its own batch and in the chosen batch, from the same noise.
    The difference, averaged over draws, is added to the row's principal components, and the change is
    turned back into features as :func:`augment` does: counts stay counts. Rows of the chosen batch and
    features that the model left out stay as they are, and each row keeps about its total (with
    `totals = "kept"` in the fit, the total changes with the batch).

    The layer is an estimate for figures, markers and methods that take no batch. **It is not data**: test
    for differential expression on the counts, with the batch as a covariate, since a test would take the
    estimate for a measurement. For cell types that are in one batch only, the layer is a guess.

    Parameters
    ----------
    adata
        Rows are observations, with the features that the model was fitted on. The noise of counts is
        learned from them: pass all. Their batches are in the columns that the model was fitted with
        (`batch_key`); a row of an unknown batch is compared with rows generated in no batch.
    model
        A model that was fitted with batches and a generator, or the folder of one.
    batch
        Batch to bring all rows to.
    n_draws
        Number of draws of noise over which the difference is averaged.
    key_added
        Name in `.layers`.
    random_state
        Seed of the noise.
    device
        Device that a model is loaded to.

    Returns
    -------
    `None`. Sets:

    `adata.layers[key_added]` : like the matrix that the model was fitted on
        float32, sparse where that is expression and sparse.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the model knows no such batch or has no generator, the data do not fit it, the matrix is not as
        wide as `.X`, or the result would be more dense values than a machine is sure to hold.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> db.tl.correct_expression(cells, "run", batch="donor1")  # doctest: +SKIP
    >>> cells.layers["diffaug_corrected"]  # doctest: +SKIP
    """
    from diffaug_bio.model.given import model_of
    from diffaug_bio.model.sampling import move_to_batch

    check_anndata(adata)
    check_seed(random_state)
    check_count("n_draws", n_draws, most=10_000)
    model = model_of(model, device=device)
    targets = choose_targets(adata, model, batch)
    choice = later_choice(adata, MatrixChoice(), model)
    if choice.use_rep is not None or choice.use_raw:
        where = "`.raw`" if choice.use_raw else f"`.obsm[{choice.use_rep!r}]`"
        msg = f"The model was fitted on {where}, which is no layer. Fit one on `.X` or a layer."
        raise InputError(msg)
    matrix, names = choose_matrix(adata, choice, model=model)
    adata.layers[key_added] = move_to_batch(
        model, matrix, names, targets=targets, n_draws=n_draws, seed=random_state
    )
