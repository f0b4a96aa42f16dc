"""`DiffAug`: arrays in, arrays out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

from diffaug_bio._checks import check_seed
from diffaug_bio._keys import CSV_PREFIX
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.config.kinds import decided
from diffaug_bio.core.generated import decoded_rows, embedded, generated_codes, sampling_config
from diffaug_bio.core.runtime import resolve_device
from diffaug_bio.features import FittedFeatures, check_names_in
from diffaug_bio.machine.threads import limited_to, short_work
from diffaug_bio.matrix.validation import check_generator, check_shape
from diffaug_bio.model.batches import batch_numbers
from diffaug_bio.model.fit import fit_matrix
from diffaug_bio.model.folder import load_model, save_model
from diffaug_bio.model.record import put_into, record_of
from diffaug_bio.model.reference import embed_with_novelty, known_reference
from diffaug_bio.model.rows import held_rows, input_of, prepared_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from os import PathLike

    from numpy.typing import NDArray
    from sklearn.utils import Tags

    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.phases import Callback, EpochEnd
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.core.state import TrainState
    from diffaug_bio.mapping import Novelty, Reference
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.folder import ModelRecord


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
    threads
        CPU threads. If left out, `OMP_NUM_THREADS` or `SLURM_CPUS_PER_TASK` say how many; without them
        one, and two while networks train on many rows and no other process needs the cores. The number
        is put back afterwards.

    Attributes
    ----------
    config_ : DiffAugConfig
        The configuration with everything decided that was left to the data.
    features_ : FittedFeatures, FittedSequences or FittedImages
        The fitted preprocessing.
    state_ : TrainState
        The trained networks.
    reference_ : Reference
        Embeddings of up to 5000 training rows; None in models of an earlier version.
    history_ : list of EpochEnd
        Losses of every epoch.
    threads_ : Threads
        Number of CPU threads that the networks trained on, with the reason for it; not in models that were
        read from a folder.
    n_features_in_ : int
        Features of the training matrix.
    feature_names_in_ : ndarray of str
        Their names, where they were given.
    source_ : dict
        Which matrix of an AnnData was fitted, and without the test rows of which split, where `tl.embed`
        did it: later data are read alike.

    References
    ----------
    .. [1] Zang et al. (2024), "DiffAug: Enhance Unsupervised Contrastive Learning [...]", arXiv:2309.07909.

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
        threads: int | None = None,
    ) -> None:
        self.config = config
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.threads = threads

    def fit(
        self,
        X: Matrix,  # noqa: N803 - scikit-learn's name
        y: object = None,
        *,
        feature_names: Sequence[str] | None = None,
        batches: Sequence[str] | None = None,
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
        batches
            Of each row, such as donors or protocols, to be brought together; features only.
        callbacks
            Called with an :class:`~diffaug_bio.core.phases.EpochEnd` after every epoch.

        Raises
        ------
        InputError
            If the matrix cannot be learned from, or device or precision are unknown.
        TrainingError
            If training diverges.
        """
        with self._few_threads():
            fitted = fit_matrix(
                X,
                self.config or DiffAugConfig(),
                feature_names=feature_names,
                seed=self.random_state,
                device=self.device,
                precision=self.precision,
                callbacks=callbacks,
                threads=self.threads,
                batches=batches,
            )
        self.config_, self.features_ = fitted.config, fitted.features
        self.state_: TrainState = fitted.state
        self.reference_: Reference | None = fitted.reference
        self.history_: list[EpochEnd] = fitted.state.history
        self.source_: dict[str, Any] = {}
        self.threads_ = fitted.threads
        self.n_features_in_ = fitted.n_vars
        if fitted.feature_names is not None:
            self.feature_names_in_ = np.asarray(fitted.feature_names, dtype=object)
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
            If the features do not fit, fewer than a fifth of them are there, or an embedding is not finite.
        """
        with self._few_threads():
            return self._embedded(self._prepared(X, feature_names))

    def novelty(
        self,
        X: Matrix,  # noqa: N803 - scikit-learn's name
        *,
        feature_names: Sequence[str] | None = None,
    ) -> Novelty:
        """Score how unlike the training rows other rows are; see :class:`~diffaug_bio.mapping.Novelty`.

        Parameters
        ----------
        X, feature_names
            As for :meth:`transform`.

        Raises
        ------
        NotFittedError, InputError
            As for :meth:`transform`, and for a model of a version that kept no training rows.
        """
        return self.transform_with_novelty(X, feature_names=feature_names)[1]

    def transform_with_novelty(
        self,
        X: Matrix,  # noqa: N803 - scikit-learn's name
        *,
        feature_names: Sequence[str] | None = None,
    ) -> tuple[NDArray[np.float32], Novelty]:
        """Do what :meth:`transform` and :meth:`novelty` do, reading and embedding the rows once."""
        self._check_fitted()
        reference = known_reference(self.reference_)
        with self._few_threads():
            rows = self._prepared(X, feature_names)
            return embed_with_novelty(reference, self.state_, rows, self.config_)

    def generate_rows(
        self,
        X: Matrix,  # noqa: N803 - scikit-learn's name
        *,
        random_state: int = 0,
        feature_names: Sequence[str] | None = None,
        strength: float | None = None,
        guidance: float | None = None,
        batch: str | Sequence[str] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Generate a row of the same meaning from each row, in the space that the generator sees.

        Parameters
        ----------
        X, feature_names
            As for :meth:`transform`.
        random_state
            Seed of the noise.
        strength, guidance
            As for :func:`diffaug_bio.tl.augment`, but both are the training's if left out.
        batch
            Of the fit, for all rows or one each: rows are generated as it would have measured them.

        Returns
        -------
        The preprocessed rows (components; standardised features without a front end; pixels for a U-Net),
        and what was generated from each, `(n_obs, n_codes)` both.

        Raises
        ------
        NotFittedError, InputError
            As for :meth:`transform`, and where the model was fitted without a generator.
        """
        check_seed(random_state)
        with self._few_threads():
            rows = self._prepared(X, feature_names)
            check_generator(exists=self.has_generator)
            config = sampling_config(self.config_, strength=strength, guidance=guidance)
            number = batch_numbers(batch, config, rows.shape[0])
            found = generated_codes(self.state_, rows, config, seed=random_state, batch=number)
        return found[0].cpu().numpy(), found[1].cpu().numpy()

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
        with self._few_threads():
            decoded = decoded_rows(self.state_, codes, rows, seed=random_state)
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
        with self._few_threads():
            return self._embedded(held_rows(self.features_, rows, resolve_device(self.device)))

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Name the embedding's columns, `diffaug_1` and up, for scikit-learn's `set_output`.

        Names that are given are only compared with those of the fit.
        """
        self._check_fitted()
        training_names = getattr(self, "feature_names_in_", None)
        check_names_in(input_features, n_training=self.n_features_in_, training_names=training_names)
        n_latent = decided(self.config_.encoder.n_latent)
        return np.array([f"{CSV_PREFIX}{number}" for number in range(1, n_latent + 1)], dtype=object)

    def save(
        self, folder: str | PathLike[str], *, overwrite: bool = False, model_license: str | None = None
    ) -> None:
        """Write the fitted model to a folder, with a card (`README.md`).

        Parameters
        ----------
        folder, overwrite
            Where to, and whether a model that is there may be replaced, with its card.
        model_license
            Licence of the model for its card, best an SPDX identifier such as `"CC-BY-4.0"`.

        Raises
        ------
        InputError
            If the folder exists and may not be replaced.
        """
        save_model(Path(folder), self.record(), overwrite=overwrite, model_license=model_license)

    @classmethod
    def load(cls, folder: str | PathLike[str], *, device: str = "auto", threads: int | None = None) -> Self:
        """Read a model that :meth:`save` or `diffaug-bio fit` wrote.

        Parameters
        ----------
        folder
            The model folder, or the run folder around it.
        device, threads
            As for the class.

        Raises
        ------
        CheckpointError
            If the folder is missing, incomplete, damaged, or of a newer format.
        """
        record = load_model(Path(folder))
        model = cls(record.config, random_state=record.seed, device=device, threads=threads)
        put_into(model, record, folder)
        return model

    def record(self) -> ModelRecord:
        """Everything that is saved, as plain values and arrays.

        Raises a `NotFittedError` before :meth:`fit`.
        """
        self._check_fitted()
        return record_of(self)

    @property
    def has_generator(self) -> bool:
        """Whether a generator was trained."""
        self._check_fitted()
        return self.config_.train.has_generator

    def _few_threads(self) -> AbstractContextManager[None]:
        """Compute on one thread, or as many as were asked for."""
        return limited_to(short_work(self.threads))

    def _prepared(self, X: Matrix, feature_names: Sequence[str] | None) -> Rows:  # noqa: N803
        """Rows for the networks, checked, with features in the order of the fit."""
        self._check_fitted()
        return prepared_rows(
            self.features_,
            X,
            self.config_,
            feature_names=feature_names,
            training_names=getattr(self, "feature_names_in_", None),
            device=resolve_device(self.device),
        )

    def _embedded(self, rows: Rows) -> NDArray[np.float32]:
        return cast("NDArray[np.float32]", embedded(self.state_.encoder, rows).cpu().numpy())

    def __sklearn_tags__(self) -> Tags:
        """Say what scikit-learn may pass: sparse matrices, and missing values, for which medians stand."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]  # of embeddings, whatever comes in
        return tags

    def _check_fitted(self) -> None:
        if not hasattr(self, "state_"):
            msg = "This DiffAug is not fitted yet. Call `fit` first, or read one with `DiffAug.load`."
            raise NotFittedError(msg)
