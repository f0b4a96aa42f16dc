"""`tl.augment`: new observations from a fitted generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio._checks import check_anndata, check_seed
from diffaug_bio._keys import COLUMNS_KEY, IMAGE_KEY, IMAGE_SHAPE_KEY, SEQUENCE_KEY
from diffaug_bio.choose.columns import coded_columns
from diffaug_bio.choose.matrix import choose_matrix, later_choice
from diffaug_bio.choose.sources import Sources, choose_sources
from diffaug_bio.choose.targets import choose_targets
from diffaug_bio.errors import InputError
from diffaug_bio.features import check_missing
from diffaug_bio.model.source import MatrixChoice
from diffaug_bio.pp import KmerEncoding, decode_tokens

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.features import Missing
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

_ADDED = ("source", "generated")


def augment(
    adata: AnnData,
    model: DiffAug | str | PathLike[str],
    *,
    n_views: int | None = None,
    groupby: str | None = None,
    target: int | None = None,
    strength: float | None = None,
    guidance: float | None = None,
    batch: str | None = None,
    missing: Missing = "fill",
    var_key: str | None = None,
    random_state: int = 0,
    device: str = "auto",
) -> AnnData:
    """Generate new observations, each similar in meaning to the observation that it is made from.

    The diffusion model starts from the noised code of an observation (its principal components, letters or
    pixels), and removes the noise under the condition of the observation's embedding. The change of the
    code is turned back into the values that the model was fitted on:

    - counts are thinned and added to as their rates change, and some are drawn anew: they stay whole
      numbers, and each observation keeps about the total of its source (with `totals = "kept"` in the fit,
      the total changes with the components);
    - logged or normalised expression stays 0 or more; measured features, counted words and pixels change as
      their components change (a U-Net makes all pixels);
    - values of a table stay within the range of the training rows, whole columns whole, and each column of
      categories has one of its levels;
    - letters are drawn; where the code does not determine a letter, the source's is taken.

    Values that no component describes, such as genes that the model left out, stay as in the source.

    Parameters
    ----------
    adata
        Rows are observations, with the features that the model was fitted on. Not changed. The noise of
        counts is learned from them: pass all observations with `groupby`, rather than a few of one class.
    model
        A fitted model with a generator, or the folder of one.
    n_views
        Number of observations to generate from each; 1 if left out.
    groupby
        Column of `.obs` with classes to balance: a class with fewer than `target` observations gets as many
        as it lacks, generated from its observations in turn. In place of `n_views`.
    target
        Size that classes are brought up to; the median size of the classes if left out.
    strength
        Share of the noise schedule to which codes are noised, and share of counts that are drawn anew,
        above 0 and at most 1; 1 generates from noise and the embedding alone. If left out, that of the
        training (`generator.noising`), at most 0.5; :func:`diffaug_bio.tl.evaluate_generated`, which judges
        the training, has no such limit.
    guidance
        Weight of classifier-free guidance, by default that of the model's configuration: above 1
        exaggerates the embedding's condition.
    batch
        Batch to generate all observations in, for models that were fitted with `batch_key`; by default the
        batch of each, where `.obs` names one that the model knows.
    missing
        Values that a source row of a table lacks: `"fill"` generates them, so that rows are complete;
        `"keep"` leaves them missing, so that generated rows lack what real rows lack.
    var_key
        Column of `.var` with feature names, as in :func:`diffaug_bio.tl.project`.
    random_state
        Seed of the first view, one more for each further view.
    device
        Device that a model is loaded to.

    Returns
    -------
    The generated observations only: the first view of all sources, then the second, or class by class.
    `.obs` is that of the source, with its name in `.obs["source"]`, and True in `.obs["generated"]`. `.X`
    is like the matrix that the model was fitted on, even if that is a layer. Sequences are in
    `.obs["sequence"]`, unless words were counted.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the model has no generator, the data do not fit it, or a setting is out of range.

    Examples
    --------
    >>> import anndata, diffaug_bio as db
    >>> more = db.tl.augment(cells, "run", groupby="cell_type", target=200)  # doctest: +SKIP
    >>> balanced = anndata.concat([cells, more])  # doctest: +SKIP
    """
    from diffaug_bio.core.generated import sampling_settings
    from diffaug_bio.model.given import model_of
    from diffaug_bio.model.sampling import generate_views

    check_anndata(adata)
    check_seed(random_state)
    sampling_settings(strength=strength, guidance=guidance)  # before a model is read
    check_missing(missing)
    present = [name for name in _ADDED if name in adata.obs]
    if len(present) == 1:  # with both, the data were generated themselves
        msg = f"`.obs` has a column {present[0]!r}, where `augment` writes its own. Rename or drop it."
        raise InputError(msg)
    parts = choose_sources(
        adata.obs,
        n_views=n_views,
        groupby=groupby,
        target=target,
        seed=random_state,
        row_bytes=_row_bytes(adata),
    )
    model = model_of(model, device=device)
    targets = choose_targets(adata, model, batch)
    choice = later_choice(adata, MatrixChoice(var_key=var_key), model)
    matrix, names = choose_matrix(adata, choice, model=model)
    made = generate_views(
        model,
        matrix,
        names,
        parts=[part.rows for part in parts],
        targets=targets,
        strength=strength,
        guidance=guidance,
        missing=missing,
        seed=random_state,
    )
    views = []
    for number, part in enumerate(parts):
        obs = _annotations(adata, part, (random_state + number) % 2**32)
        views.append(_annotated(made[number], names, adata, obs, choice=choice, model=model))
        made[number] = None  # held by the AnnData, where it may have become another matrix
    if len(views) == 1:
        return views[0]
    import anndata

    together = anndata.concat(views, uns_merge="same")
    together.var = views[0].var
    return together


def _row_bytes(adata: AnnData) -> float:
    """Estimate the bytes of an observation's values, in the input and when generated."""
    n_stored: int | None = getattr(adata.X, "nnz", None)
    return 4.0 * int(adata.n_vars) if n_stored is None else 8.0 * n_stored / max(1, int(adata.n_obs))


def _annotations(adata: AnnData, part: Sources, seed: int) -> pd.DataFrame:
    """Copy the annotations of the sources, with new names of observations."""
    names = adata.obs_names[part.rows].astype(str)
    # Generated rows have other letters and no files.
    obs: pd.DataFrame = adata.obs.drop(columns=[SEQUENCE_KEY, IMAGE_KEY], errors="ignore")
    obs = obs.iloc[part.rows].copy()
    for name, values in zip(_ADDED, (names, True), strict=True):
        obs[name] = values
    # Where a class grows, one call makes several of a source; else each view has a seed of its own.
    numbers = (seed + part.views - part.views[0]) % 2**32
    obs.index = [f"{name}-generated-{number}" for name, number in zip(names, numbers, strict=True)]
    return obs


def _annotated(
    values: Matrix,
    names: list[str] | None,
    adata: AnnData,
    obs: pd.DataFrame,
    *,
    choice: MatrixChoice,
    model: DiffAug,
) -> AnnData:
    """Put generated values beside the annotations of their sources; keep `.var` of the same features."""
    import anndata

    if model.features_.state == "sequence":
        return _sequences(values, obs, adata)
    if model.features_.state == "image":
        var = adata.var if adata.n_vars == values.shape[1] else None  # grey ones become colored
        uns = {IMAGE_SHAPE_KEY: np.array(model.config_.features.image_shape)}
        return anndata.AnnData(X=values, obs=obs, var=var, uns=uns)
    kmers = _word_encoding(adata, choice)
    if kmers is not None and not sparse.issparse(values):
        values = np.maximum(values, 0)  # shares of words
    result = anndata.AnnData(X=values, obs=obs)
    result.var_names = names
    var = adata.raw.var if choice.use_raw else adata.var
    if names == list(var.index):
        result.var = var
    if kmers is not None:
        result.uns["kmers"] = kmers.to_dict()
    if coded := coded_columns(adata, names or [], model=model):
        result.uns[COLUMNS_KEY] = coded.to_text()
    return result


def _word_encoding(adata: AnnData, choice: MatrixChoice) -> KmerEncoding | None:
    """Find how the features count words, if they do."""
    if choice.kmers is not None or not choice.is_open or "kmers" not in adata.uns:
        return choice.kmers
    return KmerEncoding.from_dict(adata.uns["kmers"], source="`.uns`")


def _sequences(tokens: NDArray[np.generic], obs: pd.DataFrame, adata: AnnData) -> AnnData:
    """Put letters, and words counted in them, beside the annotations of the sources."""
    from diffaug_bio.io import from_sequences

    held = adata.uns.get("kmers")
    kmers = KmerEncoding() if held is None else KmerEncoding.from_dict(held, source="`.uns`")
    letters = decode_tokens(np.asarray(tokens, np.uint8))
    if (n_short := sum(len(one) < max(kmers.k) for one in letters)) > 0:
        msg = f"{n_short} sequences have fewer than {max(kmers.k)} letters, a word. Leave them out."
        raise InputError(msg)
    return from_sequences(letters, names=list(obs.index), obs=obs, kmers=kmers)
