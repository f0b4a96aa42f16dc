"""`tl.augment`: new observations of the same meaning, from a fitted generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio._checks import check_seed
from diffaug_bio._keys import IMAGE_KEY, IMAGE_SHAPE_KEY, SEQUENCE_KEY
from diffaug_bio.choose.matrix import MatrixChoice, choose_matrix, later_choice
from diffaug_bio.choose.sources import Sources, choose_sources
from diffaug_bio.choose.targets import choose_targets
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedImages
from diffaug_bio.model.restoring import calibration_rows, check_size, inverse_of
from diffaug_bio.model.sampling import Sampling, picked
from diffaug_bio.pp import KmerEncoding, decode_tokens

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

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
    var_key: str | None = None,
    random_state: int = 0,
    device: str = "auto",
) -> AnnData:
    """Generate new observations, each of the same meaning as the one that it is made from.

    The generator makes codes under the condition of an observation's embedding, from its own code with
    noise on it. The change of the code is turned back into what the model was fitted on:

    - counts are thinned and added to as their rates change, and some are drawn anew: they stay whole
      numbers, and each observation keeps about the total that its source has
      (with `totals = "kept"` in the fit, it changes with the components);
    - logged or normalised expression stays 0 or more; measured features and counted words change by what
      the components changed, and pixels by what those of images did (a U-Net makes all pixels);
    - letters are drawn, and what the code does not tell is taken from the source.

    What no component holds, such as genes that the model left out, stays as in the source.

    Parameters
    ----------
    adata
        Rows are observations, of the features that the model was fitted on. Not changed. How counts vary
        is learned from them: pass all, and name the classes in `groupby`, rather than a few rows of one.
    model
        A fitted model with a generator, or the folder of one.
    n_views
        Observations to make of each; 1 if left out.
    groupby
        Column of `.obs` with classes to balance: those with fewer than `target` observations get as many as
        they lack, each observation of the class a source about equally often. In place of `n_views`.
    target
        Size that classes are brought up to; the median size of the classes if left out.
    strength
        How far to go, above 0 to 1: the share of the noise schedule to which codes are noised, and the
        share of counts that are drawn anew. At 1 all comes from noise and the condition. If left out, what
        the model was trained with (`generator.noising`), at most 0.5; `DiffAug.generate_rows` and
        :func:`diffaug_bio.tl.evaluate_generated`, which judge the training, know no such limit.
    guidance
        Classifier-free guidance: above 1 exaggerates what the embedding says. If left out, that of the
        model's configuration.
    batch
        Of the fit's, for models that were fitted with `batch_key`: each observation is made as that batch
        would have measured it. If left out, as its own batch did, where `.obs` says which that is and the
        model knows it.
    var_key
        As for :func:`diffaug_bio.tl.project`.
    random_state
        Seed of the noise of the first view, one more of each further one.
    device
        Where a model is loaded to.

    Returns
    -------
    The generated observations only, the first view of all sources, then the second, or class by class;
    `.obs` as that of the source, with its name in `.obs["source"]`, and `.obs["generated"]` true. `.X` is
    like the matrix that the model was fitted on, also where that is a layer. Sequences are in
    `.obs["sequence"]`, as :func:`diffaug_bio.io.read` gives them; of counted words there are no letters.

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
    from diffaug_bio.model.estimator import DiffAug

    if adata.n_obs == 0:  # which can be embedded, as no rows, but are no sources
        msg = "The data have no rows to generate from. Look whether a filter before left none."
        raise InputError(msg)
    check_seed(random_state)
    sampling_settings(strength=strength, guidance=guidance)  # before a model is read
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
    if not isinstance(model, DiffAug):
        model = DiffAug.load(Path(model), device=device)
    targets = choose_targets(adata, model, batch)
    choice = later_choice(adata, MatrixChoice(var_key=var_key), model)
    matrix, names = choose_matrix(adata, choice, model=model)
    inverse = inverse_of(model, names)
    sample = np.zeros(0, np.int64)
    if inverse is not None:
        check_size(matrix, inverse, [len(part.rows) for part in parts])
        sample = calibration_rows(matrix, inverse)
    numbers = np.unique(np.concatenate([sample, *(part.rows for part in parts)]))
    sampling = Sampling.of(
        model,
        matrix,
        names,
        numbers=numbers,
        strength=strength,
        guidance=guidance,
        targets=targets,
    )
    if inverse is not None and len(sample):
        # Whatever the seed of the views: what they are drawn from is one and the same. In their own
        # batches, since what is generated in another is to differ from what was measured.
        inverse = inverse.calibrated(matrix[sample], *sampling.generate(sample, seed=0))
    views = []
    for number, part in enumerate(parts):
        sources = picked(matrix, part.rows)
        seed = (random_state + number) % 2**32
        obs = _annotations(adata, part, seed)
        if inverse is None:
            views.append(_decoded(sources, part, sampling, adata, obs, seed=seed))
        else:
            codes, generated = sampling.generate_there(part.rows, seed=seed)
            noise = np.random.default_rng([seed, 1])
            values = inverse.apply(sources, codes, generated, redraw=sampling.strength, generator=noise)
            views.append(_features(values, names, adata, obs, choice=choice))
    if len(views) == 1:
        return views[0]
    import anndata

    together = anndata.concat(views, uns_merge="same")
    together.var = views[0].var
    return together


def _row_bytes(adata: AnnData) -> float:
    """Memory that the values of an observation take, about; what is made of it takes as much."""
    n_stored: int | None = getattr(adata.X, "nnz", None)
    return 4.0 * int(adata.n_vars) if n_stored is None else 8.0 * n_stored / int(adata.n_obs)


def _annotations(adata: AnnData, part: Sources, seed: int) -> pd.DataFrame:
    """Copy annotations of the sources, under names of their own."""
    names = adata.obs_names[part.rows].astype(str)
    # Letters and files of the source are not those of what is generated.
    obs: pd.DataFrame = adata.obs.drop(columns=[SEQUENCE_KEY, IMAGE_KEY], errors="ignore")
    obs = obs.iloc[part.rows].copy()
    for name, values in zip(_ADDED, (names, True), strict=True):
        obs[name] = values
    # Where a class grows, one call makes several of a source; else each view has a seed of its own.
    numbers = (seed + part.views - part.views[0]) % 2**32
    obs.index = [f"{name}-generated-{number}" for name, number in zip(names, numbers, strict=True)]
    return obs


def _features(
    values: Matrix, names: list[str] | None, adata: AnnData, obs: pd.DataFrame, *, choice: MatrixChoice
) -> AnnData:
    """Features beside the annotations of the sources; `.var` is kept where it tells of the same ones."""
    import anndata

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
    return result


def _decoded(
    sources: Matrix, part: Sources, sampling: Sampling, adata: AnnData, obs: pd.DataFrame, *, seed: int
) -> AnnData:
    """Letters or pixels, which the model itself makes of codes, beside the annotations of the sources."""
    import anndata

    _, generated = sampling.generate(part.rows, seed=seed)
    decoded = sampling.model.decode_rows(generated, sources, random_state=seed)
    features = sampling.model.features_
    if not isinstance(features, FittedImages):
        return _sequences(decoded, obs, adata)
    var = adata.var if adata.n_vars == decoded.shape[1] else None  # grey ones become colored
    uns = {IMAGE_SHAPE_KEY: np.array(features.image_shape)}
    return anndata.AnnData(X=decoded, obs=obs, var=var, uns=uns)


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
