"""Matching features of new data with those of the training data by name."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._validation import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_MIN_SHARE, _GOOD_SHARE = 0.2, 0.8  # of the training features that new data have to hold


def match_columns(
    n_columns: int,
    names: Sequence[str] | None,
    *,
    n_training: int,
    training_names: Sequence[str] | None,
) -> NDArray[np.int64] | None:
    """Find where each training feature stands in new data, by name where both have names.

    Parameters
    ----------
    n_columns, names
        Features of the new data.
    n_training, training_names
        Features of the fit.

    Returns
    -------
    As :func:`align_features`, or None where all stand as in the fit.

    Raises
    ------
    InputError
        If there are more or fewer, and no names to tell them by, or too few of them.
    """
    if names is None or training_names is None:
        if n_columns != n_training:
            msg = (
                f"X has {n_columns} features, but DiffAug is expecting {n_training} features as input, "
                "those of the fit. Pass the same features, or names to match them by."
            )
            raise InputError(msg)
        return None
    return None if list(names) == list(training_names) else align_features(names, training_names)


def check_names_in(
    names: Sequence[str] | None, *, n_training: int, training_names: Sequence[str] | None
) -> None:
    """Refuse names of input features that are not those of a fit; worded as scikit-learn words it.

    Parameters
    ----------
    names
        What `get_feature_names_out` was given.
    n_training, training_names
        Features of the fit; None where they had no names.

    Raises
    ------
    InputError
        If there are more or fewer, or others.
    """
    if names is None:
        return
    if training_names is not None and list(names) != list(training_names):
        msg = "input_features is not equal to feature_names_in_, those of the fit. Leave them out."
        raise InputError(msg)
    if len(names) != n_training:
        msg = (
            f"input_features should have length equal to number of features ({n_training}), got "
            f"{len(names)}. Leave them out."
        )
        raise InputError(msg)


def align_features(names: Sequence[str], training_names: Sequence[str]) -> NDArray[np.int64]:
    """Find each training feature among the features of new data.

    Parameters
    ----------
    names
        Features of the new data.
    training_names
        Features of the fit.

    Returns
    -------
    Column numbers, -1 where a feature is missing. Shape: `(len(training_names),)`.

    Raises
    ------
    InputError
        If fewer than a fifth of the training features are there.
    """
    position = {name: column for column, name in enumerate(names)}
    columns = np.array([position.get(name, -1) for name in training_names], dtype=np.int64)
    share = float((columns >= 0).mean())
    missing = [name for name, column in zip(training_names, columns, strict=True) if column < 0]
    if share < _MIN_SHARE:
        msg = (
            f"Only {share:.0%} of the model's {len(columns)} features are in the data, which is too few "
            f"to embed it. The model knows {shorten(training_names[:3])}, the data hold "
            f"{shorten(names[:3])}: do the kinds of names agree?"
        )
        raise InputError(msg)
    level = logging.INFO if share >= _GOOD_SHARE else logging.WARNING
    logger.log(level, "%.1f %% of the model's %d features are in the data.", 100 * share, len(columns))
    if missing:
        logger.log(level, "Missing ones count as the training mean: %s.", shorten(missing))
    return columns
