"""Fitted preprocessing of features: counts, other expression, measured values, counted words."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from diffaug_bio.config.kinds import STATES
from diffaug_bio.errors import InputError
from diffaug_bio.features._axes import widened
from diffaug_bio.features._fit import learned
from diffaug_bio.features._inverse import FeatureInverse
from diffaug_bio.features._standardised import PLAIN_FIELDS, Standardised
from diffaug_bio.features.records import CONFIG, check_equal, check_fields, refuse_unless
from diffaug_bio.matrix.state import check_like_training, state_of
from diffaug_bio.matrix.summary import summarise
from diffaug_bio.matrix.validation import LazyMatrix, check_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig, FeatureConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.inputs import Input
    from diffaug_bio.matrix.blocks import Matrix

    Columns = NDArray[np.int64] | None
    Floats = NDArray[np.float32]

logger = logging.getLogger(__name__)

_TELLING_ROWS, _MOST_UNLIKE = 20, 3.0  # from so many rows on, by such a factor, totals are another depth


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedFeatures(Standardised):
    """Preprocessing of features with everything learned from the training rows."""

    @property
    def used(self) -> NDArray[np.int64]:
        """Numbers of the kept features."""
        return self.selected

    @property
    def estimates_missing(self) -> bool:
        """True if features that later data lack are estimated from the others."""
        return self.front_end

    @property
    def unites_batches(self) -> bool:
        """True if there are principal components."""
        return self.front_end

    @property
    def is_decoded(self) -> bool:
        """Return False: a code is a row."""
        return False

    @classmethod
    def fit(
        cls, matrix: Matrix, config: DiffAugConfig, *, seed: int, feature_names: Sequence[str] | None
    ) -> tuple[Self, DiffAugConfig]:
        """Learn the preprocessing, and decide the settings that are left to the data."""
        if isinstance(matrix, LazyMatrix):
            msg = "Rows that stay on the disk are images, and `input_state` says something else."
            raise InputError(msg)
        features = learned(cls, matrix, config.features, seed=seed, feature_names=feature_names)
        config = config.for_kind(STATES[features.state].kind)
        if STATES[features.state].is_counted:
            decided = replace(config.features, target_sum=features.target_sum)
        else:
            decided = replace(config.features, totals="normalized")
        if decided.columns:
            decided = replace(decided, input_state=features.state)
        return features, replace(config, features=decided)

    def scores(self, matrix: Matrix, *, for_neighbors: bool) -> Floats | None:
        """Compute principal components, unless the networks see features and no view has neighbours."""
        return self.project(matrix) if self.front_end or for_neighbors else None

    def check_later(
        self, matrix: Matrix, columns: Columns, *, feature_names: Sequence[str] | None, is_detected: bool
    ) -> None:
        """Refuse values that the state cannot hold; warn of another state, and of other totals."""
        summary = summarise(matrix, feature_names=feature_names)
        check_like_training(matrix, summary, state=self.state, detected=is_detected)
        if self.target_sum is not None or matrix.shape[0] < _TELLING_ROWS:
            return
        if not summary.is_integer and state_of(matrix, summary) != self.state:
            return
        usual, found = self.expected, np.asarray(matrix.sum(0, dtype=np.float64)).ravel() / matrix.shape[0]
        if columns is not None:
            usual, found = usual[columns >= 0], found[columns[columns >= 0]]
        expected, mean = float(usual.sum(dtype=np.float64)), float(found.sum())
        if not expected / _MOST_UNLIKE <= mean <= expected * _MOST_UNLIKE:
            logger.warning(
                "Warning: these rows hold %.3g counts on average, those of the fit %.3g, and the model "
                "keeps totals: to it, rows of another depth are other rows. If depth is technical, fit "
                'without `totals = "kept"`.',
                mean,
                expected,
            )

    def rows(
        self, matrix: Matrix, device: torch.device, *, columns: Columns = None, scores: Floats | None = None
    ) -> Rows:
        """Hold components on the device, or make standardised features batch by batch."""
        import torch

        from diffaug_bio.core.batches import DenseRows, HostRows

        if self.front_end:
            held = self.project(matrix, columns) if scores is None else scores
            return DenseRows(torch.from_numpy(held).to(device))

        def read(indices: NDArray[np.int64]) -> Floats:
            return self.dense_rows(matrix[indices], columns)

        return HostRows(read, (matrix.shape[0], self.n_features), device)

    def held(self, rows: NDArray[np.generic], device: torch.device) -> Rows:
        """Hold components, or standardised features. Shape: `(n_obs, n_features)`."""
        import torch

        from diffaug_bio.core.batches import DenseRows

        known = np.ascontiguousarray(rows, np.float32)
        check_shape(known, (len(known), self.n_features), what="rows")
        return DenseRows(torch.from_numpy(known).to(device))

    def inputs(self, config: DiffAugConfig) -> Input:
        """Describe a row to the networks."""
        from diffaug_bio.core.inputs import FeatureInput

        return FeatureInput(self.n_features)

    def code_scale(self, config: DiffAugConfig) -> Floats:
        """Return 1: codes are rows."""
        return np.ones(1, np.float32)

    def inverse(self, columns: Columns) -> FeatureInverse:
        """Find the way from components back to features."""
        return FeatureInverse.of(self, columns)

    def hand_made(self, matrix: Matrix, *, seed: int) -> None:
        """Return None: features that are swapped are a view of codes."""
        return

    def baseline(
        self, fitted: Matrix, matrix: Matrix, *, width: int, seed: int, known: Floats | None = None
    ) -> Floats:
        """Compute principal components of the features."""
        wider = widened(self, fitted, width, seed=seed)
        scores = known if known is not None and wider is self else wider.project(matrix)
        return scores[:, :width]

    @classmethod
    def check_record(cls, plain: Mapping[str, Any], config: DiffAugConfig, where: str) -> int:
        """Check the plain values against the settings, and return the number of features."""
        check_fields(plain, PLAIN_FIELDS, CONFIG, where)
        settings, state = config.features, STATES[plain["state"]]
        keeps = state.is_counted and settings.totals == "kept"
        refuse_unless(
            keeps == (plain["target_sum"] is None),
            f"`{where}.target_sum` is {plain['target_sum']}, with totals {settings.totals!r}",
        )
        expected = {
            "front_end": settings.front_end == "pca",
            "max_value": settings.max_value if state.is_standardised else None,
        }
        if state.is_counted:
            expected["target_sum"] = settings.target_sum
        check_equal(plain, expected, where)
        return int(plain["n_vars"])


def fit_features(
    matrix: Matrix, config: FeatureConfig, *, seed: int, feature_names: Sequence[str] | None = None
) -> FittedFeatures:
    """Learn the preprocessing of a matrix of features `(n_obs, n_vars)`; names are for messages.

    `seed` starts the iteration for matrices of more than 4096 rows and kept features. Raises an
    `InputError` if the matrix is too small, infinite, constant, without values in a column, or not as
    declared.
    """
    return learned(FittedFeatures, matrix, config, seed=seed, feature_names=feature_names)
