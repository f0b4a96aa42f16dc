"""Telling counts, log-normalised and already scaled input apart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.config.kinds import STATES, InputState, is_expression
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.summary import summarise
from diffaug_bio.matrix.validation import as_matrix

if TYPE_CHECKING:
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.matrix.summary import MatrixSummary

logger = logging.getLogger(__name__)

_MAX_LOGGED = 50.0  # log2 of 1e15: nothing logged lies above it
_MIN_ZERO_SHARE = 0.2  # of expression; measured tables have few exact zeros
_SAMPLE_ROWS = 2000


def detect_state(X: object) -> InputState:  # noqa: N803 - scikit-learn's name
    """Find out what a matrix of features holds.

    Parameters
    ----------
    X
        Dense or sparse. Shape: `(n_obs, n_vars)`.

    Returns
    -------
    `"counts"`
        Whole numbers from 0 up, with a value above 1.
    `"lognormalized"`
        From 0 up, at least a fifth of the values exactly 0, none above 50.
    `"normalized"`
        The same with larger values: counts per million or transcripts per million, not yet logged.
    `"scaled"`
        Values below 0, and features with means about 0 and standard deviations about 1.
    `"continuous"`
        Anything else: proteins, metabolites, microarray intensities, clinical values.

    `"words"`, counts or shares of words as :func:`encode_kmers` gives them, `"representation"`, an
    embedding whose columns must not be standardised, `"sequence"`, tokens of letters as
    :func:`encode_tokens` gives them, and `"image"`, pixels, are never detected, only declared.

    Raises
    ------
    InputError
        If the values are infinite, or counts of which a few are negative.

    Examples
    --------
    >>> import numpy as np
    >>> detect_state(np.array([[0, 3, 1], [2, 0, 0]]))
    'counts'
    """
    matrix = as_matrix(X)
    return state_of(matrix, summarise(matrix))


def state_of(matrix: Matrix, summary: MatrixSummary) -> InputState:
    """Find the state of a matrix that has been summarised already."""
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
    """Refuse values that a state cannot hold.

    Raises
    ------
    InputError
        If the state is unknown, or expression holds negative or missing values.
    """
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
    """Refuse values that the training's state cannot hold, and warn where new data look otherwise.

    Raises
    ------
    InputError
        As :func:`check_declared`.
    """
    check_declared(state, summary)
    if not is_expression(state) or not detected:
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
    """Whether values look otherwise only since too few of them tell: they may be of a state all the same.

    Nothing but 0 and 1 in a few rows may be counts; a few scaled rows have other means and deviations.
    """
    if found != "continuous":
        return False
    return summary.n_negative > 0 if state == "scaled" else summary.is_integer


def _is_scaled(matrix: Matrix) -> bool:
    """Look whether typical features have mean 0 and standard deviation 1, on evenly spaced rows."""
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
