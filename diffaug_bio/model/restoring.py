"""From codes back to features: what `tl.augment` and `tl.correct_expression` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.features import FeatureInverse, FittedFeatures, match_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug

_MAX_VALUES = 2**28  # of codes at once, and of all generated features where they are dense: 1 GB
_N_CALIBRATION = 2000  # rows from which it is learned how counts follow from components
_CALIBRATION_VALUES = 2**23  # of those rows at most: 64 MB in float64


def inverse_of(model: DiffAug, names: list[str] | None) -> FeatureInverse | None:
    """Find the way back to features; letters and pixels have their own."""
    if not isinstance(model.features_, FittedFeatures):
        return None
    known = getattr(model, "feature_names_in_", None)
    columns = None
    if names is not None and known is not None:
        # The data may hold the features in another order than the model, or lack some.
        columns = match_names(names, [str(name) for name in known]).columns
    return FeatureInverse.of(model.features_, columns)


def calibration_rows(matrix: Matrix, inverse: FeatureInverse) -> NDArray[np.int64]:
    """Choose rows of all kinds to learn from how counts vary; none where nothing is to be learned."""
    n_obs, n_kept = matrix.shape[0], len(inverse.features.selected)
    if not inverse.is_expression:
        return np.zeros(0, np.int64)
    n_sample = min(n_obs, _N_CALIBRATION, max(1, _CALIBRATION_VALUES // n_kept))
    return np.sort(np.random.default_rng(0).choice(n_obs, n_sample, replace=False))


def check_size(matrix: Matrix, inverse: FeatureInverse, n_rows: Sequence[int]) -> None:
    """Refuse more dense values than a machine is sure to hold: codes of a view, features of all views.

    Parameters
    ----------
    matrix, inverse
        The data, and the way back to its features.
    n_rows
        Rows of each view.

    Raises
    ------
    InputError
        If there are more.
    """
    sizes = [(max(n_rows), inverse.features.n_features)]
    if not inverse.keeps_sparse(matrix):
        sizes.append((sum(n_rows), matrix.shape[1]))
    for number, width in sizes:
        if number * width > _MAX_VALUES:
            msg = (
                f"{number} rows of {width} generated values do not fit into memory. Generate at most "
                f"{_MAX_VALUES // width} in a call: from fewer observations, or fewer views of them."
            )
            raise InputError(msg)
