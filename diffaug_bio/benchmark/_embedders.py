"""Embeddings of a method. All methods share preprocessing, configuration, width and seed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.config import DiffAugConfig
from diffaug_bio.config.kinds import STATES, data_kind, reads_letters
from diffaug_bio.errors import DiffAugError, InputError
from diffaug_bio.features import fit_preprocessing
from diffaug_bio.metrics.splits import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from diffaug_bio.benchmark._data import BenchmarkData
    from diffaug_bio.benchmark._methods import Kind, Method
    from diffaug_bio.features import Fitted
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

    Floats = NDArray[np.float32]


class NotApplicableError(DiffAugError):
    """A method cannot embed these data; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Embedding of a data set by a method."""

    embedding: Floats
    """Embedding of all rows, fitted or not. Shape: `(n_obs, width)`."""
    features: Fitted | None
    """Fitted preprocessing, if any."""
    model: DiffAug | None = None
    matrix: Matrix | None = None
    """Input of that model, if the method is one of ours: features, or tokens. Shape: `(n_obs, n_vars)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """Arguments of :func:`embed`, with the configuration of the method."""

    data: BenchmarkData
    config: DiffAugConfig
    fit_rows: NDArray[np.int64] | None
    train_rows: NDArray[np.int64]
    seed: int

    def preprocess(self) -> Fitted:
        """Fit the shared preprocessing."""
        return preprocess(self.data, self.config, fit_rows=self.fit_rows, seed=self.seed)

    def components(self, features: Fitted, *, width: int) -> Floats:
        """Return principal components, as many as the embedding is wide or as there can be."""
        fitted = _of_rows(self.data.matrix, self.fit_rows)
        return features.baseline(fitted, self.data.matrix, width=width, seed=self.seed)


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

    Preprocessing and method are fitted on `fit_rows` (None takes all); the labelled reference is fitted on
    `train_rows`, and sees their labels. Raises :class:`NotApplicableError` where the method cannot embed
    these data.
    """
    if fit_rows is not None and method.kind in {"harmony", "scvi"}:
        msg = "it cannot embed rows that it was not fitted on"
        raise NotApplicableError(msg)
    config = method.configured(config)
    task = _Task(data=data, config=config, fit_rows=fit_rows, train_rows=train_rows, seed=seed)
    return _EMBEDDERS[method.kind](task)


def preprocess(
    data: BenchmarkData, config: DiffAugConfig, *, fit_rows: NDArray[np.int64] | None, seed: int
) -> Fitted:
    """Fit the preprocessing that all methods share."""
    matrix = _of_rows(data.matrix, fit_rows)
    config = DiffAugConfig(features=data.declared(config).features)  # the networks may not suit the data
    return fit_preprocessing(matrix, config, seed=seed, feature_names=data.feature_names)[0]


def _of_rows(matrix: Matrix, rows: NDArray[np.int64] | None) -> Matrix:
    return matrix if rows is None else matrix[rows]


def _diffaug(task: _Task) -> Embedded:
    """Fit a DiffAug model with the configuration of the method."""
    from diffaug_bio.model.estimator import DiffAug

    data, reads = task.data, reads_letters(task.config.encoder.kind)
    if reads and data.sequences is None:
        msg = "it needs DNA sequences"
        raise NotApplicableError(msg)
    data = data.of_letters(task.fit_rows) if reads else data
    config = data.declared(task.config)
    model = DiffAug(config, random_state=task.seed, device="cpu", precision="float32")
    model.fit(_of_rows(data.matrix, task.fit_rows), feature_names=data.feature_names)
    features = None if reads else model.features_
    embedding = model.transform(data.matrix)
    return Embedded(embedding=embedding, features=features, model=model, matrix=data.matrix)


def _raw(task: _Task) -> Embedded:
    """Take standardised features or pixels."""
    features = task.preprocess()
    return Embedded(embedding=features.dense_rows(task.data.matrix), features=features)


def _front_end(task: _Task) -> Embedded:
    """Take the input of the networks."""
    features = task.preprocess()
    if not features.front_end:
        msg = "the configuration has no front end"
        raise NotApplicableError(msg)
    return Embedded(embedding=features.project(task.data.matrix), features=features)


def _pca(task: _Task) -> Embedded:
    """Compute principal components of standardised features or pixels."""
    features = task.preprocess()
    width = task.config.encoder.width(task.data.kind)
    return Embedded(embedding=task.components(features, width=width), features=features)


def _pca_onehot(task: _Task) -> Embedded:
    """Compute principal components of one-hot encoded sequences."""
    from diffaug_bio.pp import encode_onehot

    if task.data.sequences is None:
        msg = "it needs DNA sequences"
        raise NotApplicableError(msg)
    try:
        matrix, _ = encode_onehot(list(task.data.sequences))
    except InputError as error:
        raise NotApplicableError(str(error)) from error
    letters = replace(task, data=replace(task.data, matrix=matrix, input_state="continuous"))
    width = task.config.encoder.width(task.data.kind)
    embedding = letters.components(letters.preprocess(), width=width)
    return Embedded(embedding=embedding, features=task.preprocess())


def _same_label(task: _Task) -> Embedded:
    """Train on mixtures of rows with the same label, to show the gain by labels (training rows only)."""
    import torch

    from diffaug_bio.core.state import encode
    from diffaug_bio.core.trainer import train

    data, train_rows, matrix = task.data, task.train_rows, task.data.matrix
    if holds_numbers(data.labels):
        msg = "it needs classes, and the label is a number"
        raise NotApplicableError(msg)
    features = replace(task, fit_rows=train_rows).preprocess()
    device = torch.device("cpu")
    scores = features.scores(matrix, for_neighbors=False)
    settings = {"train": {"generated_views": "none", "warmup_view": "neighbor_mix", "view_strength": 1.0}}
    try:
        config = task.config.replace(**settings).for_kind(data_kind(features.state))
    except InputError as error:  # the shared encoder or denoiser is for another kind of data
        raise NotApplicableError(str(error).removesuffix(".")) from error
    labels = np.where(data.scored, data.labels.astype(np.str_), "")[train_rows]
    partners = _partners(labels, config.train.n_neighbors, seed=task.seed)
    state = train(
        features.rows(matrix[train_rows], device, scores=None if scores is None else scores[train_rows]),
        config,
        features.inputs(config),
        neighbors=torch.from_numpy(partners),
        seed=task.seed,
        precision=torch.float32,
    )
    rows = features.rows(matrix, device, scores=scores)
    embedding = np.asarray(encode(state.encoder, rows).numpy(), np.float32)
    return Embedded(embedding=embedding, features=features)


def _partners(labels: NDArray[np.str_], n_partners: int, *, seed: int) -> NDArray[np.int64]:
    """Draw rows with the same label for each row; a row without a label gets itself."""
    rng = np.random.default_rng(seed)
    partners = np.repeat(np.arange(len(labels))[:, None], n_partners, axis=1)
    for label in np.unique(labels[labels != ""]):
        members = np.flatnonzero(labels == label)
        partners[members] = rng.choice(members, size=(len(members), n_partners))
    return partners


def _harmony(task: _Task) -> Embedded:
    """Correct principal components for batches with Harmony (Korsunsky et al. 2019)."""
    import harmonypy
    import pandas as pd

    if task.data.batches is None:
        msg = "it needs batches"
        raise NotApplicableError(msg)
    components = _pca(task)
    frame = pd.DataFrame({"batch": task.data.batches})
    corrected = harmonypy.run_harmony(
        components.embedding, frame, ["batch"], random_state=task.seed, verbose=False
    )
    return replace(components, embedding=np.asarray(corrected.Z_corr, np.float32))


def _scvi(task: _Task) -> Embedded:
    """Fit scVI, with its defaults but for the width, to the counts of the kept features."""
    import anndata
    import scvi

    features, batches = task.preprocess(), task.data.batches
    if not STATES[features.state].is_counted:
        msg = f"it needs counts, and these are {features.state} values"
        raise NotApplicableError(msg)
    logging.getLogger("scvi").setLevel(logging.ERROR)
    scvi.settings.seed = task.seed
    adata = anndata.AnnData(X=task.data.matrix[:, features.used].copy())
    if batches is not None:
        adata.obs["batch"] = batches
    scvi.model.SCVI.setup_anndata(adata, batch_key=None if batches is None else "batch")
    model = scvi.model.SCVI(adata, n_latent=task.config.encoder.width(task.data.kind))
    model.train(accelerator="cpu", enable_progress_bar=False)
    embedding = np.asarray(model.get_latent_representation(), np.float32)
    return Embedded(embedding=embedding, features=features)


_EMBEDDERS: dict[Kind, Callable[[_Task], Embedded]] = {
    "config": _diffaug,
    "front_end": _front_end,
    "harmony": _harmony,
    "pca": _pca,
    "pca_onehot": _pca_onehot,
    "raw": _raw,
    "same_label": _same_label,
    "scvi": _scvi,
}
