"""`tl.correct_expression`: the expression of cells as another batch would have measured them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_count, check_seed
from diffaug_bio.choose.matrix import MatrixChoice, choose_matrix, later_choice
from diffaug_bio.choose.targets import choose_targets
from diffaug_bio.errors import InputError
from diffaug_bio.model.restoring import calibration_rows, check_size, inverse_of
from diffaug_bio.model.sampling import N_DRAWS, Sampling

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
    n_draws: int = N_DRAWS,
    key_added: str = _LAYER,
    random_state: int = 0,
    device: str = "auto",
) -> None:
    """Write a layer with the expression of each row as one batch would have measured it.

    The generator makes a code of each row in its own batch and in the other, from the same noise. What
    parts the two, averaged over draws, is added to the row's own code, and the change is turned back into
    features as :func:`augment` does: counts are thinned and added to, and stay counts. Rows of that batch
    stay as they are, and so do features that the model left out, and about the total of each row (with
    `totals = "kept"` in the fit, it changes with the batch).

    This is an estimate for pictures, markers and methods that take no batch. **It is no data**: do not
    test for differential expression on it. Tests would take what the model believes for what was
    measured; give them the counts, with the batch as a covariate. What is in one batch only has no
    measured counterpart: what is written for it is a guess.

    Parameters
    ----------
    adata
        Rows are observations, of the features that the model was fitted on. How counts vary is learned
        from them: pass all. Their batches are in the columns that the model was fitted with (`batch_key`);
        a row of none that it knows starts from what the generator makes in no batch.
    model
        A model that was fitted with batches and a generator, or the folder of one.
    batch
        As which batch all rows are to be.
    n_draws
        Of noise, over which the change is averaged.
    key_added
        Name in `.layers`.
    random_state
        Seed of noise.
    device
        Where a model is loaded to.

    Returns
    -------
    Nothing. Sets:

    `adata.layers[key_added]` : like the matrix that the model was fitted on
        float32, sparse where that is expression and sparse.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the model knows no such batch or has no generator, the data do not fit it or are no matrix as
        wide as `.X`, or more dense values come out than a machine is sure to hold.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> db.tl.correct_expression(cells, "run", batch="donor1")  # doctest: +SKIP
    >>> cells.layers["diffaug_corrected"]  # doctest: +SKIP
    """
    from diffaug_bio.model.estimator import DiffAug

    check_seed(random_state)
    check_count("n_draws", n_draws, most=10_000)
    if not isinstance(model, DiffAug):
        model = DiffAug.load(Path(model), device=device)
    targets = choose_targets(adata, model, batch)
    choice = later_choice(adata, MatrixChoice(), model)
    if choice.use_rep is not None or choice.use_raw:
        where = "`.raw`" if choice.use_raw else f"`.obsm[{choice.use_rep!r}]`"
        msg = f"The model was fitted on {where}, which is no layer. Fit one on `.X` or a layer."
        raise InputError(msg)
    matrix, names = choose_matrix(adata, choice, model=model)
    if (inverse := inverse_of(model, names)) is None or adata.n_obs == 0:
        msg = "There is no expression to correct: no rows, or no features."
        raise InputError(msg)
    check_size(matrix, inverse, [adata.n_obs])
    every = np.arange(adata.n_obs)
    sampling = Sampling.of(
        model,
        matrix,
        names,
        numbers=every,
        strength=None,
        guidance=None,
        targets=targets,
    )
    codes, moved = sampling.move(every, n_draws=n_draws, seed=random_state)
    if len(sample := calibration_rows(matrix, inverse)):
        inverse = inverse.calibrated(matrix[sample], codes[sample], codes[sample])
    noise = np.random.default_rng([random_state, 1])
    adata.layers[key_added] = inverse.apply(matrix, codes, moved, redraw=0.0, generator=noise)
