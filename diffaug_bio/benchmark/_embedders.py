"""From data and a method to an embedding. All share preprocessing, configuration, width and seed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import DiffAugError, InputError
from diffaug_bio.features import FittedFeatures, FittedSequences, fit_features, fit_images, plain_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.benchmark._data import BenchmarkData
    from diffaug_bio.benchmark._methods import Method
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.features import FittedImages
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

    Floats = NDArray[np.float32]


class NotApplicableError(DiffAugError):
    """A method cannot embed these data; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What a method made of data."""

    embedding: Floats
    """Of all rows, whatever rows were fitted. Shape: `(n_obs, width)`."""
    features: FittedFeatures | FittedImages | None
    """The preprocessing of features or pixels that was fitted for it, if any."""
    model: DiffAug | None = None
    """The fitted model, where it is one of ours."""
    matrix: Matrix | None = None
    """What that model embeds: features, or tokens. Shape: `(n_obs, n_vars)`."""


def embed(
    data: BenchmarkData,
    method: Method,
    config: DiffAugConfig,
    *,
    fit_rows: NDArray[np.int64] | None,
    train_rows: NDArray[np.int64],
    seed: int,
) -> Embedded:
    """Fit a method and embed all rows with it.

    Parameters
    ----------
    data
        What to embed.
    method
        How.
    config
        The configuration that all methods share.
    fit_rows
        Rows that preprocessing and method are fitted on; None takes all. No method sees more.
    train_rows
        Rows whose labels the labelled reference may see, and the only ones that it is fitted on.
    seed
        Seed of everything random.

    Raises
    ------
    NotApplicableError
        If the method cannot embed these data.
    """
    config = method.configured(config)
    if method.kind == "config":
        return _fit_config(data, config, fit_rows=fit_rows, seed=seed)
    if method.kind == "same_label":
        return _same_label(data, config, train_rows=train_rows, seed=seed)
    if method.kind == "features" and method.representation == "pca_onehot":
        return _onehot_components(data, config, fit_rows=fit_rows, seed=seed)
    if method.kind == "features":
        return _features(data, method, config, fit_rows=fit_rows, seed=seed)
    if fit_rows is not None:
        msg = "it cannot embed rows that it was not fitted on"
        raise NotApplicableError(msg)
    if method.kind == "harmony":
        return _harmony(data, config, seed=seed)
    return _scvi(data, config, seed=seed)


def preprocess(
    data: BenchmarkData, config: DiffAugConfig, *, fit_rows: NDArray[np.int64] | None, seed: int
) -> FittedFeatures | FittedImages:
    """Fit the preprocessing that all methods share."""
    matrix = data.matrix if fit_rows is None else data.matrix[fit_rows]
    if data.kind == "image":
        height, width, channels = data.image_shape
        return fit_images(matrix, (height, width, channels), config.features, seed=seed)
    return fit_features(matrix, data.declared(config).features, seed=seed)


def _fit_config(
    data: BenchmarkData, config: DiffAugConfig, *, fit_rows: NDArray[np.int64] | None, seed: int
) -> Embedded:
    """DiffAug's own trainer, with whatever configuration."""
    from diffaug_bio.model.estimator import DiffAug

    if config.encoder.kind == "cnn" and data.sequences is None:
        msg = "it needs DNA sequences"
        raise NotApplicableError(msg)
    seen = data.of_letters(fit_rows) if config.encoder.kind == "cnn" else data
    matrix = seen.matrix if fit_rows is None else seen.matrix[fit_rows]
    model = DiffAug(seen.declared(config), random_state=seed, device="cpu", precision="float32")
    model.fit(matrix)
    features = None if isinstance(model.features_, FittedSequences) else model.features_
    return Embedded(
        embedding=model.transform(seen.matrix), features=features, model=model, matrix=seen.matrix
    )


def _features(
    data: BenchmarkData,
    method: Method,
    config: DiffAugConfig,
    *,
    fit_rows: NDArray[np.int64] | None,
    seed: int,
) -> Embedded:
    """Standardised features or pixels, or their principal components."""
    features = preprocess(data, config, fit_rows=fit_rows, seed=seed)
    if method.representation == "front_end" and not features.front_end:
        msg = "the configuration has no front end"
        raise NotApplicableError(msg)
    if method.representation == "raw":
        embedding = features.dense_rows(data.matrix)
    elif method.representation == "front_end":
        embedding = features.project(data.matrix)
    else:
        width = config.encoder.width(data.kind)
        embedding = _components(data, features, width, fit_rows=fit_rows, seed=seed)
    return Embedded(embedding=embedding, features=features)


def _components(
    data: BenchmarkData,
    features: FittedFeatures | FittedImages,
    width: int,
    *,
    fit_rows: NDArray[np.int64] | None,
    seed: int,
) -> Floats:
    """As many principal components as the embedding is wide, or as there can be."""
    matrix = data.matrix if fit_rows is None else data.matrix[fit_rows]
    return plain_components(features, matrix, data.matrix, width=width, seed=seed)


def _onehot_components(
    data: BenchmarkData, config: DiffAugConfig, *, fit_rows: NDArray[np.int64] | None, seed: int
) -> Embedded:
    """Principal components of one-hot sequences."""
    from diffaug_bio.pp import encode_onehot

    if data.sequences is None:
        msg = "it needs DNA sequences"
        raise NotApplicableError(msg)
    try:
        matrix, _ = encode_onehot(list(data.sequences))
    except InputError as error:
        raise NotApplicableError(str(error)) from error
    letters = replace(data, matrix=matrix, input_state="continuous")
    found = preprocess(letters, config, fit_rows=fit_rows, seed=seed)
    embedding = _components(letters, found, config.encoder.width(data.kind), fit_rows=fit_rows, seed=seed)
    features = preprocess(data, config, fit_rows=fit_rows, seed=seed)
    return Embedded(embedding=embedding, features=features)


def _same_label(
    data: BenchmarkData, config: DiffAugConfig, *, train_rows: NDArray[np.int64], seed: int
) -> Embedded:
    """Train on mixtures with rows of the same label: what labels would buy (training rows only)."""
    import torch

    from diffaug_bio.config.kinds import data_kind
    from diffaug_bio.core.state import encode
    from diffaug_bio.core.trainer import train
    from diffaug_bio.model.rows import input_of, network_rows

    features = preprocess(data, config, fit_rows=train_rows, seed=seed)
    matrix, device = data.matrix, torch.device("cpu")
    scores = features.project(matrix) if isinstance(features, FittedFeatures) else None
    settings = {"train": {"generated_views": "none", "warmup_view": "neighbor_mix", "view_strength": 1.0}}
    try:
        config = config.replace(**settings).for_kind(data_kind(features.state))
    except InputError as error:  # the shared encoder or denoiser is for another kind of data
        raise NotApplicableError(str(error).removesuffix(".")) from error
    labels = np.where(data.scored, data.labels, "")[train_rows]
    partners = _partners(labels, config.train.n_neighbors, seed=seed)
    state = train(
        network_rows(features, matrix[train_rows], None if scores is None else scores[train_rows], device),
        config,
        input_of(features, config),
        neighbors=torch.from_numpy(partners),
        seed=seed,
        precision=torch.float32,
    )
    rows = network_rows(features, matrix, scores, device)
    embedding = np.asarray(encode(state.encoder, rows).numpy(), np.float32)
    return Embedded(embedding=embedding, features=features)


def _partners(labels: NDArray[np.str_], n_partners: int, *, seed: int) -> NDArray[np.int64]:
    """Row numbers of rows with the same label, drawn for each row; itself where it has no label."""
    rng = np.random.default_rng(seed)
    partners = np.repeat(np.arange(len(labels))[:, None], n_partners, axis=1)
    for label in np.unique(labels[labels != ""]):
        members = np.flatnonzero(labels == label)
        partners[members] = rng.choice(members, size=(len(members), n_partners))
    return partners


def _harmony(data: BenchmarkData, config: DiffAugConfig, *, seed: int) -> Embedded:
    """Correct principal components for the batch (Korsunsky et al. 2019)."""
    import harmonypy
    import pandas as pd

    if data.batches is None:
        msg = "it needs batches"
        raise NotApplicableError(msg)
    features = preprocess(data, config, fit_rows=None, seed=seed)
    scores = _components(data, features, config.encoder.width(data.kind), fit_rows=None, seed=seed)
    frame = pd.DataFrame({"batch": data.batches})
    corrected = harmonypy.run_harmony(scores, frame, ["batch"], random_state=seed, verbose=False)
    return Embedded(embedding=np.asarray(corrected.Z_corr, np.float32), features=features)


def _scvi(data: BenchmarkData, config: DiffAugConfig, *, seed: int) -> Embedded:
    """Fit scVI with its defaults, but for the width, to the counts of the kept features."""
    import anndata
    import scvi

    features = preprocess(data, config, fit_rows=None, seed=seed)
    if not isinstance(features, FittedFeatures) or features.state != "counts":
        msg = f"it needs counts, and these are {features.state} values"
        raise NotApplicableError(msg)
    logging.getLogger("scvi").setLevel(logging.ERROR)
    scvi.settings.seed = seed
    adata = anndata.AnnData(X=data.matrix[:, features.selected].copy())
    if data.batches is not None:
        adata.obs["batch"] = data.batches
    scvi.model.SCVI.setup_anndata(adata, batch_key=None if data.batches is None else "batch")
    model = scvi.model.SCVI(adata, n_latent=config.encoder.width(data.kind))
    model.train(accelerator="cpu", enable_progress_bar=False)
    embedding = np.asarray(model.get_latent_representation(), np.float32)
    return Embedded(embedding=embedding, features=features)
