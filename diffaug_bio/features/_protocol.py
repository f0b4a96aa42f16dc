"""Fitted preprocessing of any kind of data: its protocol, and the class that suits a matrix."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, cast

from diffaug_bio.config.kinds import KINDS, declared_kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig, InputState
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.features._inverse import FeatureInverse
    from diffaug_bio.features.records import ArrayRule
    from diffaug_bio.matrix.blocks import Matrix

    Columns = NDArray[np.int64] | None
    Floats = NDArray[np.float32]


class Record(NamedTuple):
    """Fitted preprocessing as a model folder holds it."""

    plain: dict[str, Any]
    """Numbers and names; `state` is one of them."""
    arrays: dict[str, NDArray[np.generic]]
    """Arrays by dotted name, beside those of the networks."""


class Fitted(Protocol):
    """Preprocessing of one kind of data, with everything learned from the training rows."""

    @property
    def state(self) -> InputState:
        """State of the training matrix."""

    @property
    def n_vars(self) -> int:
        """Columns of the training matrix."""

    @property
    def n_features(self) -> int:
        """Width of the rows that the encoder sees."""

    @property
    def front_end(self) -> bool:
        """True if there are principal components."""

    @property
    def used(self) -> NDArray[np.int64] | None:
        """Numbers of the columns that are kept; None for all."""

    @property
    def estimates_missing(self) -> bool:
        """True if features that later data lack are estimated from the others."""

    @property
    def unites_batches(self) -> bool:
        """True if batches can be brought together by principal components of the rows."""

    @property
    def is_decoded(self) -> bool:
        """True if the model turns generated codes into rows by changing their sources."""

    @classmethod
    def fit(
        cls, matrix: Matrix, config: DiffAugConfig, *, seed: int, feature_names: Sequence[str] | None
    ) -> tuple[Self, DiffAugConfig]:
        """Learn the preprocessing, and decide the settings that are left to the data."""

    def project(self, matrix: Matrix, columns: Columns = None) -> Floats:
        """Compute principal components; shape `(n_obs, n_components)`."""

    def dense_rows(self, block: Matrix, columns: Columns = None) -> Floats:
        """Preprocess a few rows without principal components."""

    def scores(self, matrix: Matrix, *, for_neighbors: bool) -> Floats | None:
        """Compute components of the training rows if they are the rows, or neighbours are found by them."""

    def check_later(
        self, matrix: Matrix, columns: Columns, *, feature_names: Sequence[str] | None, is_detected: bool
    ) -> None:
        """Refuse, or warn of, later data unlike those of the fit."""

    def rows(
        self, matrix: Matrix, device: torch.device, *, columns: Columns = None, scores: Floats | None = None
    ) -> Rows:
        """Hold preprocessed rows on a device, or make them batch by batch.

        `columns` holds the column of each training feature in the matrix, or -1; `scores` are those of
        :meth:`scores`, if known.
        """

    def held(self, rows: NDArray[np.generic], device: torch.device) -> Rows:
        """Hold rows that are preprocessed already. Shape: `(n_obs, n_features)`."""

    def inputs(self, config: DiffAugConfig) -> Input:
        """Describe a row to the networks, with the front ends that run in the inner loop."""

    def code_scale(self, config: DiffAugConfig) -> Floats:
        """Factors that make distances between codes those of what the codes stand for."""

    def inverse(self, columns: Columns) -> FeatureInverse | None:
        """Find the way from codes back to features; None if the model decodes them itself."""

    def hand_made(self, matrix: Matrix, *, seed: int) -> tuple[str, NDArray[np.generic]] | None:
        """Make the usual view of rows by hand, with its name; None of features."""

    def baseline(
        self, fitted: Matrix, matrix: Matrix, *, width: int, seed: int, known: Floats | None = None
    ) -> Floats:
        """Compute plain principal components, which embeddings are compared with; shape `(n_obs, width)`.

        `fitted` are the rows of the fit, `known` components of `matrix` that were computed before.
        """

    def record(self) -> Record:
        """Split into plain values and arrays."""

    @classmethod
    def check_record(cls, plain: Mapping[str, Any], config: DiffAugConfig, where: str) -> int:
        """Check plain values against the settings, else raise `Damage`; return the number of columns."""

    @classmethod
    def rules(cls, plain: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, ArrayRule]:
        """List the rules of the arrays, given plain values that are right."""

    @classmethod
    def from_record(cls, plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild what :meth:`record` split; other arrays may be among them."""


def fit_preprocessing(
    matrix: Matrix, config: DiffAugConfig, *, seed: int, feature_names: Sequence[str] | None = None
) -> tuple[Fitted, DiffAugConfig]:
    """Fit the preprocessing that suits a matrix, and decide the settings that are left to the data.

    The matrix holds features, or tokens or pixels if the settings say so. Raises an `InputError` if
    nothing can be learned from it, or it does not suit the encoder.
    """
    kind = declared_kind(config.features.input_state, config.encoder.kind)
    found = _class_named(KINDS[kind or "expression"].preprocessing)
    return found.fit(matrix, config, seed=seed, feature_names=feature_names)


def fitted_class(state: InputState) -> type[Fitted]:
    """Find the class of the preprocessing of a state."""
    return _class_named(kind_of(state).preprocessing)


def from_record(plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Fitted:
    """Rebuild preprocessing from a record that was checked; other arrays may be among its own."""
    return fitted_class(plain["state"]).from_record(plain, arrays)


def _class_named(name: str) -> type[Fitted]:
    module, _, found = name.rpartition(".")
    return cast("type[Fitted]", getattr(import_module(f"diffaug_bio.features.{module}"), found))
