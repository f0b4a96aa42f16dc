"""`tl.augment`: new observations of the same meaning, from a fitted generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy import sparse

from diffaug_bio._keys import IMAGE_KEY, IMAGE_SHAPE_KEY, SEQUENCE_KEY
from diffaug_bio._validation import check_seed
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedFeatures, FittedImages, FittedSequences
from diffaug_bio.features._align import match_names
from diffaug_bio.pp import KmerEncoding, decode_tokens
from diffaug_bio.tl._matrix import MatrixChoice, choose_matrix, later_choice

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.estimator import DiffAug

    Floats = NDArray[np.float32]

_ADDED = ("source", "generated")
_MAX_VALUES = 2**28  # of generated features, which are dense: 1 GB


def augment(
    adata: AnnData,
    model: DiffAug | str | PathLike[str],
    *,
    n_views: int = 1,
    var_key: str | None = None,
    random_state: int = 0,
    device: str = "auto",
) -> AnnData:
    """Generate new observations, each of the same meaning as the one that it is made from.

    The generator makes codes under the condition of an observation's embedding. A model of letters turns
    them into sequences, in which what the code does not tell is taken from the source. A model of measured
    features, of counted words or of images turns the change of the code into a change of the features or
    pixels; with a U-Net as its denoiser, a model of images makes all pixels.

    Parameters
    ----------
    adata
        Rows are observations, of the features that the model was fitted on. Not changed.
    model
        A fitted model with a generator, or the folder of one.
    n_views
        Observations to make of each.
    var_key
        As for :func:`diffaug_bio.tl.project`.
    random_state
        Seed of the noise of the first view, one more of each further one.
    device
        Where a model is loaded to.

    Returns
    -------
    `n_views` rows for each of `adata`, the first view of all, then the second; `.obs` as that of the
    source, with its name in `.obs["source"]`, and `.obs["generated"]` true. Sequences are in
    `.obs["sequence"]`, as :func:`diffaug_bio.io.read` gives them; of counted words there are no letters.

    Raises
    ------
    CheckpointError
        If the model folder cannot be used.
    InputError
        If the model has no generator, the data do not fit it, or it was fitted on expression, whose rows
        cannot be turned back into counts yet.

    Examples
    --------
    >>> import diffaug_bio as db
    >>> more = db.tl.augment(promoters, "run", n_views=2)  # doctest: +SKIP
    >>> more.obs["sequence"]  # doctest: +SKIP
    """
    from diffaug_bio.estimator import DiffAug

    if not isinstance(n_views, int | np.integer) or isinstance(n_views, bool) or n_views < 1:
        msg = f"`n_views` has to be a whole number of at least 1, got {n_views!r}."
        raise InputError(msg)
    check_seed(random_state)
    present = [name for name in _ADDED if name in adata.obs]
    if len(present) == 1:  # with both, the data were generated themselves
        msg = f"`.obs` has a column {present[0]!r}, where `augment` writes its own. Rename or drop it."
        raise InputError(msg)
    if not isinstance(model, DiffAug):
        model = DiffAug.load(Path(model), device=device)
    _check_invertible(model)
    choice = later_choice(adata, MatrixChoice(var_key=var_key), model)
    views = [_view(adata, model, choice, seed=(random_state + view) % 2**32) for view in range(n_views)]
    if len(views) == 1:
        return views[0]
    import anndata

    together = anndata.concat(views, uns_merge="same")
    together.var = views[0].var
    return together


def _check_invertible(model: DiffAug) -> None:
    """Refuse a model whose generated rows cannot be turned back into features."""
    features = model.features_
    if not isinstance(features, FittedFeatures):
        return
    remedy = "`DiffAug.generate_rows` gives generated rows as the networks see them."
    if features.state not in {"continuous", "scaled", "representation"}:
        msg = (
            f"The model was fitted on {features.state} values, and generated rows cannot be turned back "
            f"into those yet. {remedy}"
        )
        raise InputError(msg)
    if not features.front_end:
        msg = (
            "The model was fitted without a front end (`front_end = 'none'`), through which generated rows "
            f"would be turned back. {remedy}"
        )
        raise InputError(msg)


def _view(adata: AnnData, model: DiffAug, choice: MatrixChoice, *, seed: int) -> AnnData:
    """Make one observation of each."""
    import anndata

    matrix, names = choose_matrix(adata, choice, model=model)
    if isinstance(model.features_, FittedFeatures) and np.prod(matrix.shape) > _MAX_VALUES:
        msg = (
            f"{matrix.shape[0]} rows of {matrix.shape[1]} generated features do not fit into memory. "
            f"Generate from at most {_MAX_VALUES // matrix.shape[1]} rows at a time."
        )
        raise InputError(msg)
    codes, generated = model.generate_rows(matrix, random_state=seed, feature_names=names)
    # Letters and files of the source are not those of what is generated.
    obs = adata.obs.drop(columns=[SEQUENCE_KEY, IMAGE_KEY], errors="ignore")
    for name, values in zip(_ADDED, (adata.obs_names.astype(str), True), strict=True):
        obs[name] = values
    obs.index = [f"{name}-generated-{seed}" for name in adata.obs_names]
    if isinstance(model.features_, FittedSequences):
        return _sequences(model.decode_rows(generated, matrix, random_state=seed), obs, adata)
    if isinstance(model.features_, FittedImages):
        pixels = model.decode_rows(generated, matrix, random_state=seed)
        shape = np.array(model.features_.image_shape)
        var = adata.var if adata.n_vars == pixels.shape[1] else None  # grey ones become colored
        return anndata.AnnData(X=pixels, obs=obs, var=var, uns={IMAGE_SHAPE_KEY: shape})
    values = _features(model, matrix, names or [], generated - codes)
    result = anndata.AnnData(X=values, obs=obs)
    result.var_names = names
    if (kmers := _word_encoding(adata, choice)) is not None:
        result.X = np.maximum(values, 0)
        result.uns["kmers"] = kmers.to_dict()
    return result


def _word_encoding(adata: AnnData, choice: MatrixChoice) -> KmerEncoding | None:
    """How the features count words, if they do; models of older versions leave it to the data."""
    if choice.kmers is not None or not choice.is_open or "kmers" not in adata.uns:
        return choice.kmers
    return KmerEncoding.from_dict(adata.uns["kmers"], source="`.uns`")


def _sequences(tokens: NDArray[np.generic], obs: pd.DataFrame, adata: AnnData) -> AnnData:
    """Letters and counted words of tokens, beside the annotations of the sources."""
    from diffaug_bio.io import from_sequences

    held = adata.uns.get("kmers")
    kmers = KmerEncoding() if held is None else KmerEncoding.from_dict(held, source="`.uns`")
    letters = decode_tokens(np.asarray(tokens, np.uint8))
    if (n_short := sum(len(one) < max(kmers.k) for one in letters)) > 0:
        msg = f"{n_short} sequences have fewer than {max(kmers.k)} letters, a word. Leave them out."
        raise InputError(msg)
    return from_sequences(letters, names=list(obs.index), obs=obs, kmers=kmers)


def _features(model: DiffAug, matrix: Matrix, names: list[str], change: Floats) -> Floats:
    """Add a change of the code to measured features; what no component holds stays as in the source."""
    features = cast("FittedFeatures", model.features_)
    dense = np.array(matrix.toarray() if sparse.issparse(matrix) else matrix, np.float32)
    # The data may hold the features in another order than the model, or lack some.
    known = [str(name) for name in getattr(model, "feature_names_in_", names)]
    columns = match_names(names, known).columns[features.selected]
    held = columns >= 0
    kept = dense[:, columns[held]]
    kept = np.where(np.isnan(kept), features.medians[held], kept)
    # Components are orthogonal axes over one scale: the inverse is their transpose over its square.
    scale = np.square(features.components).sum(0)
    moved = (change / scale) @ features.components.T * features.std
    dense[:, columns[held]] = kept + moved[:, held]
    return dense
