"""`DiffAug`: arrays in, arrays out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

from diffaug_bio._keys import CSV_PREFIX
from diffaug_bio._records import record_of, restore
from diffaug_bio._rows import (
    fit_rows,
    flatten_images,
    flatten_later,
    held_rows,
    input_of,
    later_rows,
    neighbors_of,
    network_rows,
    scores_of,
)
from diffaug_bio._validation import (
    as_matrix,
    check_generator,
    check_names,
    check_seed,
    check_shape,
    column_names,
)
from diffaug_bio.checkpoint import load_model, save_model
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.core.generation import code_rows, conditions_of, decode, generate
from diffaug_bio.core.runtime import resolve_device, resolve_precision, seeded_generator
from diffaug_bio.core.state import encode
from diffaug_bio.core.trainer import train
from diffaug_bio.features import FittedFeatures, match_columns, used_features

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.checkpoint import ModelRecord
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.phases import Callback, EpochEnd
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.core.state import TrainState


class DiffAug(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Embed rows with an encoder whose positives a conditional diffusion model generates [1]_.

    Parameters
    ----------
    config
        The whole configuration; the default preset if left out.
    random_state
        Seed of everything random. The same seed gives the same bits on the same number of threads, and
        the global random states of numpy and torch are left alone.
    device
        `"auto"` (CUDA, else MPS, else CPU), `"cpu"`, `"cuda"`, `"cuda:N"` or `"mps"`.
    precision
        Of matrix products in training: `"auto"`, `"float32"` or `"bfloat16"`. Losses and embeddings
        are float32.

    Attributes
    ----------
    config_ : DiffAugConfig
        The configuration with everything decided that was left to the data.
    features_ : FittedFeatures, FittedSequences or FittedImages
        The fitted preprocessing.
    state_ : TrainState
        The trained networks.
    history_ : list of EpochEnd
        Losses of every epoch.
    n_features_in_ : int
        Features of the training matrix.
    feature_names_in_ : ndarray of str
        Their names, where they were given.
    source_ : dict
        Which matrix of an AnnData was fitted, and without the test rows of which split, where `tl.embed`
        did it: later data are read alike.

    References
    ----------
    .. [1] Zang et al. (2024), "DiffAug: Enhance Unsupervised Contrastive Learning with
       Domain-Knowledge-Free Diffusion-based Data Augmentation", ICML, arXiv:2309.07909.

    Examples
    --------
    >>> import numpy as np
    >>> from diffaug_bio import DiffAug, DiffAugConfig
    >>> X = np.random.default_rng(0).normal(size=(60, 20))
    >>> model = DiffAug(DiffAugConfig.preset("quick"), device="cpu").fit(X)
    >>> model.transform(X).shape
    (60, 128)
    """

    def __init__(
        self,
        config: DiffAugConfig | None = None,
        *,
        random_state: int = 0,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.config = config
        self.random_state = random_state
        self.device = device
        self.precision = precision

    def fit(
        self,
        X: Matrix,  # noqa: N803 - scikit-learn's name
        y: None = None,
        *,
        feature_names: Sequence[str] | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit preprocessing, encoder and generator.

        Parameters
        ----------
        X
            Dense or sparse; never changed. Shape: `(n_obs, n_vars)`. Or images, bytes of shape
            `(n_obs, height, width)` or `(n_obs, height, width, channels)`.
        y
            Ignored: labels are never used.
        feature_names
            Names of the columns, by which later data are matched; those of a data frame are known.
        callbacks
            Called with an :class:`~diffaug_bio.core.phases.EpochEnd` after every epoch.

        Raises
        ------
        InputError
            If the matrix cannot be learned from, or device or precision are unknown.
        TrainingError
            If training diverges.
        """
        config = self.config or DiffAugConfig()
        check_seed(self.random_state)
        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device)
        feature_names = column_names(X) if feature_names is None else feature_names
        X, config = flatten_images(X, config)  # noqa: N806
        matrix = as_matrix(X)
        check_names(feature_names, matrix)
        features, config = fit_rows(matrix, config, seed=self.random_state, feature_names=feature_names)
        scores = scores_of(features, matrix, config)
        self.config_ = config
        self.state_: TrainState = train(
            network_rows(features, matrix, scores, device),
            config,
            input_of(features, config),
            neighbors=neighbors_of(scores, config, seed=self.random_state, device=device),
            seed=self.random_state,
            precision=precision,
            callbacks=callbacks,
        )
        self.features_ = features
        self.source_: dict[str, Any] = {}
        self.history_: list[EpochEnd] = self.state_.history
        self.n_features_in_ = matrix.shape[1]
        if feature_names is not None:
            self.feature_names_in_ = np.asarray(feature_names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def transform(
        self,
        X: Matrix,  # noqa: N803 - scikit-learn's name
        *,
        feature_names: Sequence[str] | None = None,
    ) -> NDArray[np.float32]:
        """Embed rows with the fitted preprocessing and encoder.

        Parameters
        ----------
        X
            Dense or sparse. Shape: `(n_obs, n_vars)`, the features of the fit in the same order, or any
            that `feature_names` tells apart.
        feature_names
            Names of the columns. They are put in the order of the fit. Missing ones are estimated from
            the others (without a front end they count as the training mean); more than a fifth missing
            of those that the model uses is warned of.

        Returns
        -------
        Embeddings. Shape: `(n_obs, n_latent)`.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        InputError
            If the features do not fit, or fewer than a fifth of them are there.
        """
        rows = self._prepared(X, feature_names)
        encoder = self.state_.encoder.to(rows.device)
        return cast("NDArray[np.float32]", encode(encoder, rows).cpu().numpy())

    def generate_rows(
        self,
        X: Matrix,  # noqa: N803 - scikit-learn's name
        *,
        random_state: int = 0,
        feature_names: Sequence[str] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Generate a row of the same meaning from each row, in the space that the generator sees.

        Parameters
        ----------
        X, feature_names
            As for :meth:`transform`.
        random_state
            Seed of the noise.

        Returns
        -------
        The preprocessed rows (principal components, or standardised features without a front end; of
        sequences always components, of images those of pixels, or scaled pixels for a U-Net), and what was
        generated from each. Shape of both: `(n_obs, n_codes)`.

        Raises
        ------
        NotFittedError, InputError
            As for :meth:`transform`, and where the model was fitted without a generator.
        """
        check_seed(random_state)
        rows = self._prepared(X, feature_names)
        check_generator(exists=self.has_generator)
        state = self.state_.to(rows.device)
        codes = code_rows(state, rows)
        generated = generate(
            state,
            codes,
            conditions_of(state, rows, self.config_),
            self.config_,
            generator=seeded_generator(random_state, rows.device, "generate_rows"),
            condition_stream=seeded_generator(random_state, rows.device, "conditions"),
        )
        originals = codes.take(torch.arange(rows.shape[0], device=rows.device))
        return originals.cpu().numpy(), generated.cpu().numpy()

    def decode_rows(
        self,
        codes: NDArray[np.float32],
        X: Matrix,  # noqa: N803 - scikit-learn's name
        *,
        random_state: int = 0,
    ) -> NDArray[np.generic]:
        """Turn generated codes into rows for the encoder: letters, pixels, or the features themselves.

        Parameters
        ----------
        codes
            As :meth:`generate_rows` gives them. Shape: `(n_obs, n_codes)`.
        X
            What they were generated from, as for :meth:`transform`.
        random_state
            Seed of the letters.

        Returns
        -------
        Shape: `(n_obs, features_.n_features)`; tokens, pixels as bytes, or float32.
        """
        self._check_fitted()
        if isinstance(self.features_, FittedFeatures):
            return codes
        check_generator(exists=self.has_generator)
        rows = self._prepared(X, None)
        n_codes = input_of(self.features_, self.config_).n_codes
        check_shape(codes, (rows.shape[0], n_codes), what="codes")
        generator = seeded_generator(random_state, rows.device, "letters")
        held = torch.from_numpy(np.ascontiguousarray(codes, np.float32)).to(rows.device)
        decoded = decode(self.state_.to(rows.device), held, rows, generator=generator)
        return cast("NDArray[np.generic]", decoded.cpu().numpy())

    def encode_rows(self, rows: NDArray[np.generic]) -> NDArray[np.float32]:
        """Embed rows that are preprocessed already, as :meth:`decode_rows` gives them.

        Parameters
        ----------
        rows
            Shape: `(n_obs, features_.n_features)`.

        Returns
        -------
        Embeddings. Shape: `(n_obs, n_latent)`.
        """
        self._check_fitted()
        device = resolve_device(self.device)
        held = held_rows(self.features_, rows, device)
        encoder = self.state_.encoder.to(device)
        return cast("NDArray[np.float32]", encode(encoder, held).cpu().numpy())

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the embedding's columns, `diffaug_1` and up, for scikit-learn's `set_output`."""
        self._check_fitted()
        n_latent = self.config_.encoder.n_latent
        return np.array([f"{CSV_PREFIX}{number}" for number in range(1, n_latent + 1)], dtype=object)

    def save(self, folder: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the fitted model to a folder, without any pickle.

        Parameters
        ----------
        folder
            Where to.
        overwrite
            Whether a model that is there may be replaced.

        Raises
        ------
        InputError
            If the folder exists and may not be replaced.
        """
        save_model(Path(folder), self.record(), overwrite=overwrite)

    @classmethod
    def load(cls, folder: str | PathLike[str], *, device: str = "auto") -> Self:
        """Read a model that :meth:`save` or `diffaug-bio fit` wrote.

        Parameters
        ----------
        folder
            The model folder, or the run folder around it.
        device
            As for the class.

        Raises
        ------
        CheckpointError
            If the folder is missing, incomplete, damaged, or of a newer format.
        """
        record = load_model(Path(folder))
        model = cls(record.config, random_state=record.seed, device=device)
        model.config_ = record.config
        model.features_, model.state_ = restore(record, folder)
        model.history_ = model.state_.history
        model.n_features_in_, model.source_ = model.features_.n_vars, dict(record.source)
        if record.feature_names is not None:
            model.feature_names_in_ = np.asarray(record.feature_names, dtype=object)
        return model

    def record(self) -> ModelRecord:
        """Everything that is saved, as plain values and arrays.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        """
        self._check_fitted()
        return record_of(self)

    @property
    def has_generator(self) -> bool:
        """Whether a generator was trained."""
        self._check_fitted()
        return self.config_.train.has_generator

    def _prepared(self, X: Matrix, feature_names: Sequence[str] | None) -> Rows:  # noqa: N803
        """Rows for the networks, checked, with features in the order of the fit."""
        self._check_fitted()
        feature_names = column_names(X) if feature_names is None else feature_names
        matrix = as_matrix(flatten_later(X, self.config_))
        check_names(feature_names, matrix)
        columns = match_columns(
            matrix.shape[1],
            feature_names,
            n_training=self.n_features_in_,
            training_names=getattr(self, "feature_names_in_", None),
            used=used_features(self.features_),
            are_estimated=getattr(self.features_, "estimates_missing", False),
        )
        return later_rows(
            self.features_,
            matrix,
            columns,
            device=resolve_device(self.device),
            feature_names=feature_names,
            detected=self.config_.features.input_state == "auto",
        )

    def _check_fitted(self) -> None:
        if not hasattr(self, "state_"):
            msg = "This DiffAug is not fitted yet. Call `fit` first, or read one with `DiffAug.load`."
            raise NotFittedError(msg)
