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
