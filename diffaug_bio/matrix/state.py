"""Detecting the state of input: counts, log-normalised, scaled or measured values."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.config.kinds import STATES, InputState, kind_of
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.summary import summarise
from diffaug_bio.matrix.validation import as_matrix

if TYPE_CHECKING:
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.matrix.summary import MatrixSummary

logger = logging.getLogger(__name__)

_MAX_LOGGED = 50.0  # log2 of 1e15: logged values are not larger
_MIN_ZERO_SHARE = 0.2  # in expression; measured tables have few exact zeros
_SAMPLE_ROWS = 2000


def detect_state(X: object) -> InputState:  # noqa: N803 - scikit-learn's name
    """Detect the state of a matrix of features.

    Parameters
    ----------
    X
        Dense or sparse. Shape: `(n_obs, n_vars)`.

    Returns
    -------
    `"counts"`
        Whole numbers of at least 0, with a value above 1.
    `"lognormalized"`
        Values of at least 0, a fifth of them or more exactly 0, and none above 50.
    `"normalized"`
        The same with larger values: counts or transcripts per million that are not logged.
    `"scaled"`
        Some values below 0, and features with means near 0 and standard deviations near 1.
    `"continuous"`
        All other values: proteins, metabolites, microarray intensities, clinical values.

    Other states are never detected, only declared: `"words"` (:func:`encode_kmers`), `"sequence"`
    (:func:`encode_tokens`), `"image"`, and `"representation"`, an embedding that is not to be standardised.

    Raises
    ------
    InputError
        If values are infinite, or look like counts with a few negative ones.

    Examples
    --------
    >>> import numpy as np
    >>> detect_state(np.array([[0, 3, 1], [2, 0, 0]]))
    'counts'
    """
    matrix = as_matrix(X)
    return state_of(matrix, summarise(matrix))


def state_of(matrix: Matrix, summary: MatrixSummary) -> InputState:
    """Detect the state of a matrix from its summary."""
    if summary.is_integer and summary.n_negative == 0:
        return "counts" if summary.maximum > 1 else "continuous"
    few_negative = 0 < summary.n_negative < 0.01 * summary.n_nonzero
    if summary.is_integer and few_negative and summary.maximum >= 10:
        check_declared("counts", summary)
    if summary.n_negative:
        return "scaled" if _is_scaled(matrix) else "continuous"
    if summary.zero_share < _MIN_ZERO_SHARE:
        return "continuous"
    return "lognormalized" if summary.maximum <= _MAX_LOGGED else "normalized"


def check_declared(state: InputState, summary: MatrixSummary) -> None:
    """Raise an `InputError` for an unknown state, or for expression with negative or missing values."""
    if state not in STATES:
        msg = f"There is no input state {state!r}; choose one of {', '.join(STATES)}."
        raise InputError(msg)
    if not STATES[state].is_sparse:
        return
    remedy = "Declare `input_state` 'continuous' if this is not expression"
    if summary.n_negative:
        msg = (
            f"The values look like {state}, but {summary.n_negative} of them are negative (the lowest "
            f"is {summary.minimum:g}). Use the matrix from before any subtraction. {remedy}."
        )
        raise InputError(msg)
    if summary.n_missing:
        msg = (
            f"The values look like {state}, but {summary.n_missing} of them are missing (NaN). Fill "
            f"them in, with 0 where nothing was seen. {remedy}; then medians are put in."
        )
        raise InputError(msg)


def check_like_training(
    matrix: Matrix, summary: MatrixSummary, *, state: InputState, detected: bool
) -> None:
    """Check values against the state of the training data, and log a warning if they look different."""
    check_declared(state, summary)
    if not kind_of(state).is_told_apart or not detected:
        return
    found = state_of(matrix, summary)
    if found != state and not is_undecided(found, state, summary):
        logger.warning(
            "Warning: the data look like %s, but the model was fitted on %s. The embedding is meaningless "
            "unless both are of one kind: pass the matrix of %s, in an AnnData often a layer or `.raw`.",
            STATES[found].noun,
            STATES[state].noun,
            STATES[state].noun,
        )


def is_undecided(found: InputState, state: InputState, summary: MatrixSummary) -> bool:
    """Return True if values may have a state although they look different, as there are too few to tell."""
    if found != "continuous":
        return False
    return summary.n_negative > 0 if state == "scaled" else summary.is_integer


def _is_scaled(matrix: Matrix) -> bool:
    """Return True if typical features have mean 0 and standard deviation 1, on evenly spaced rows."""
    rows = np.unique(np.linspace(0, matrix.shape[0] - 1, _SAMPLE_ROWS).astype(np.intp))
    sample = matrix[rows]
    values = np.asarray(sample.toarray() if sparse.issparse(sample) else sample, dtype=np.float64)
    if np.isnan(values).any():
        return False
    means, deviations = values.mean(0), values.std(0)
    varying = deviations > 0
    return bool(
        varying.any()
        and np.median(np.abs(means[varying])) < 0.25
        and 0.5 < np.median(deviations[varying]) < 1.5
    )
