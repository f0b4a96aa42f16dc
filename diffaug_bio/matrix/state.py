"""Detecting the state of input: counts, log-normalised, scaled or measured values."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from diffaug_bio.config.kinds import STATES, InputState, kind_of
from diffaug_bio.errors import InputError
from diffaug_bio.matrix._evidence import ENOUGH_ROWS, Evidence, zeros_apart
from diffaug_bio.matrix.summary import summarise
from diffaug_bio.matrix.validation import as_matrix

if TYPE_CHECKING:
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.matrix.summary import MatrixSummary

logger = logging.getLogger(__name__)

_MAX_LOGGED = 50.0  # log2 of 1e15: logged values are not larger
_MIN_ZERO_SHARE = 0.2  # in expression; measured tables have few exact zeros
_ANY_ZEROS, _MOST_ZEROS = 0.01, 0.7  # to look for counts behind fractions; in intensities
_SAMPLE_ROWS = 2000
_MOST_UNCOUNTED = 0.25  # of the columns of counts may look like no counts
_FEW_COLUMNS, _FEW_ZEROS = 10, 0.05  # fewer columns of whole numbers that are hardly ever 0 are no panel
_ROWS_TOGETHER = 10  # from which all columns together tell, where each has too few rows
_MOST_ON_SCALE, _LEAST_EXPECTED, _LEAST_EXPECTED_SHARE = 20, 10, 0.03
_LEAST_DISPERSION = 0.8
_LEAST_SMALL, _LEAST_SHARED, _MOST_LEFT = 0.1, 0.15, 1.02
_LEAST_TOP, _MOST_AT_TOP = 10.0, 0.005
_LEAST_WHOLE = 0.3  # of values of counts with fractions, as programs give that share reads among genes
_LEAST_TAIL, _LEAST_MAXIMUM, _USUAL_MEDIAN = 12.0, 20.0, (0.2, 20.0)
_LEAST_DEPTHS = 0.1  # coefficient of variation of row totals; sequencing depths reach 0.3 and more
_NO_DEPTH = "hardly any of them is small, and columns share no sequencing depth, as intensities do"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """State of a matrix as its values tell it, and what has to be said about that."""

    state: InputState
    remark: str = ""
    """Sentence about a choice that could have been another; empty if there is nothing to say."""
    is_doubtful: bool = False
    """True if the result could be wrong."""
    is_told: bool = True
    """False of what is assumed where nothing tells: values with fractions that hold no trace of counts."""

    def log(self) -> None:
        """Log the remark, as a warning if it is doubtful."""
        if self.remark:
            logger.log(logging.WARNING if self.is_doubtful else logging.INFO, self.remark)


def detect_state(X: object) -> InputState:  # noqa: N803 - scikit-learn's name
    """Detect the state of a matrix of features.

    Parameters
    ----------
    X
        Dense or sparse. Shape: `(n_obs, n_vars)`.

    Returns
    -------
    `"counts"`
        Whole numbers of at least 0, up to errors of rounding, with a value above 1, that can come from
        counting; and such with fractions, as programs leave them that share reads among genes or subtract
        a background: of row totals as different as sequencing depths.
    `"lognormalized"`
        Values of at least 0, a fifth of them or more exactly 0, whose rows have one total or are whole
        multiples of one unit once the logarithm (base e, 2 or 10) is undone; or none is above 50.
    `"normalized"`
        The same without a logarithm: rows have one total, or a unit each, or values are larger.
    `"scaled"`
        Some values below 0, and features with means near 0 and standard deviations near 1.
    `"continuous"`
        All other values: proteins, metabolites, microarray intensities, clinical values. Whole numbers,
        too, where columns vary by less than counting would (ages, grades, answers), hardly any value is
        small and columns share no sequencing depth (intensities), or a scale ends (pixels).

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
    """Detect the state of a matrix from its summary and some of its rows."""
    return find_state(matrix, summary).state


def find_state(matrix: Matrix, summary: MatrixSummary) -> Finding:
    """Detect the state of a matrix as :func:`state_of` does, with what is to be said about it."""
    if summary.is_integer:
        few_negative = summary.n_negative < 0.01 * summary.n_nonzero
        if summary.n_negative == 0 or (few_negative and summary.maximum >= 10):
            return _of_whole_numbers(matrix, summary)
    if summary.n_negative:
        return Finding(state="scaled" if _is_scaled(matrix) else "continuous")
    evidence = Evidence.of(matrix)
    has_zeros = summary.zero_share >= _MIN_ZERO_SHARE
    if summary.zero_share >= _ANY_ZEROS:
        if evidence.is_in_units() or (has_zeros and evidence.has_equal_totals()):
            return Finding(state="normalized")
        if summary.maximum <= _MAX_LOGGED and evidence.is_transformed(totals=has_zeros):
            return Finding(state="lognormalized")
    return _of_fractions(evidence, summary) if has_zeros else _measured(evidence, summary)


def _unless(state: InputState) -> str:
    """Name the option that declares a state."""
    return f"If they are {STATES[state].noun}, set `input_state` to {state!r} (`--input-state {state}`)."


def _of_whole_numbers(matrix: Matrix, summary: MatrixSummary) -> Finding:
    """Tell counts from measured whole numbers."""
    if summary.maximum <= 1:
        return Finding(state="continuous")
    evidence = Evidence.of(matrix, is_whole=True)
    if not evidence.has_equal_totals() and (why := _why_measured(evidence, summary)):
        said = f"The whole numbers are taken for measurements: {why}. {_unless('counts')}"
        # A few columns may be a panel of proteins after all, if a depth is common to them.
        has_depth = why is not _NO_DEPTH and evidence.n_vars < _FEW_COLUMNS
        has_depth = has_depth and evidence.shared_depth >= _LEAST_SHARED
        return _measured(evidence, summary, said, is_doubtful=why is _NO_DEPTH or has_depth)
    check_declared("counts", summary)  # negative or missing counts
    return Finding(state="counts")


def _of_fractions(evidence: Evidence, summary: MatrixSummary) -> Finding:
    """Tell counts with fractions from measurements, and from normalised values without trace of counts."""
    share, differs = evidence.whole_share, f"{evidence.depth_variation:.0%}"
    has_depths = evidence.n_obs >= 3 and evidence.depth_variation >= _LEAST_DEPTHS
    is_linear = summary.maximum >= _LEAST_MAXIMUM and evidence.tail >= _LEAST_TAIL
    is_large = summary.maximum > _MAX_LOGGED
    if summary.n_missing:  # expression has none, and measurements often do
        return _measured(evidence, summary)
    why = _why_measured(evidence, summary) if is_linear or is_large else _why_uncounted(evidence)
    if why is not None:
        said = f"The values are taken for measurements: {why}. {_unless('normalized')}"
        return _measured(evidence, summary, said, is_doubtful=True)
    if has_depths and share >= _LEAST_WHOLE and summary.maximum >= _LEAST_TOP:
        said = (
            f"Counts with fractions: {share:.0%} of the values are whole, and totals of rows differ by "
            f"{differs}, as sequencing depths do. They are normalised as counts, fractions kept. "
            f"{_unless('normalized')}"
        )
        return Finding(state="counts", remark=said)
    low, high = _USUAL_MEDIAN
    is_small = low <= evidence.median <= high and evidence.small_share >= _LEAST_WHOLE
    if has_depths and is_linear and is_small:
        said = (
            "The values have fractions and are taken for counts, of which a background was subtracted or "
            f"which genes share: they reach {summary.maximum:.4g}, most are small, and totals of rows "
            f"differ by {differs}, as sequencing depths do. {_unless('normalized')}"
        )
        return Finding(state="counts", remark=said, is_doubtful=True)
    return _without_trace(evidence, summary)


def _without_trace(evidence: Evidence, summary: MatrixSummary) -> Finding:
    """Take values with many zeros for normalised expression, as most are; say that nothing tells."""
    depths = evidence.depth_variation
    if summary.maximum <= _MAX_LOGGED:
        said = (
            f"The values are taken for log-normalised expression, as {summary.zero_share:.0%} of them are "
            f"0 and none is above {_MAX_LOGGED:g}; nothing else tells. {_unless('continuous')}"
        )
        return Finding(state="lognormalized", remark=said, is_told=False)
    if depths < 3 * _LEAST_DEPTHS:
        return Finding(state="normalized", is_told=False)
    said = (
        f"The values are taken for normalised ones, although totals of rows differ by {depths:.0%}. "
        f"{_unless('counts')}"
    )
    return Finding(state="normalized", remark=said, is_doubtful=True, is_told=False)


def _why_measured(evidence: Evidence, summary: MatrixSummary) -> str | None:
    """Say why values cannot be counts; None where they can, or there are too few to tell."""
    why = _why_uncounted(evidence)
    if why is None and summary.is_integer:
        why = _why_uncounted_together(evidence, summary)
    if why is not None or evidence.n_obs < ENOUGH_ROWS:
        return why
    top = evidence.top_share
    if summary.maximum >= _LEAST_TOP and top >= _MOST_AT_TOP and top * len(evidence.values) >= _LEAST_TOP:
        return f"{top:.1%} of the values above 0 are {summary.maximum:g}, where a scale ends"
    if evidence.n_vars < _FEW_COLUMNS and summary.zero_share < _FEW_ZEROS:
        return f"there are {evidence.n_vars} columns, which are hardly ever 0"
    is_dense = summary.zero_share <= _MOST_ZEROS
    if is_dense and evidence.small_share < _LEAST_SMALL:
        has_depth = evidence.shared_depth >= _LEAST_SHARED and evidence.left_by_depth <= _MOST_LEFT
        return None if has_depth else _NO_DEPTH
    return None


def _why_uncounted(evidence: Evidence) -> str | None:
    """Say that whole numbers in columns cannot come from counting; None where they can."""
    share = evidence.columns.uncounted_share() if evidence.n_obs >= ENOUGH_ROWS else 0.0
    if share < _MOST_UNCOUNTED:
        return None
    return (
        f"{share:.0%} of the columns vary by less than counts do, or hold ones and hardly a zero, as ages, "
        "grades and answers do"
    )


def _why_uncounted_together(evidence: Evidence, summary: MatrixSummary) -> str | None:
    """Say that all columns of whole numbers together cannot come from counting, however few their rows."""
    if evidence.n_obs < _ROWS_TOGETHER:
        return None
    zeros, expected = evidence.columns.pooled_zeros()
    is_seen = (
        expected >= _LEAST_EXPECTED_SHARE and expected * evidence.columns.n_held.sum() >= _LEAST_EXPECTED
    )
    if summary.maximum <= _MOST_ON_SCALE and is_seen and zeros < 0.05 * expected:
        return f"none is above {summary.maximum:g}, and ones are frequent and zeros are not, as in answers"
    dispersion, error = evidence.columns.mean_dispersion()
    if dispersion < min(_LEAST_DISPERSION, 1 - 4 * error):
        return "columns vary by less than counts do, as ages, grades, answers and genotypes do"
    return None


def _measured(
    evidence: Evidence, summary: MatrixSummary, said: str = "", *, is_doubtful: bool = False
) -> Finding:
    """Find measured values, and say so of zeros that may stand for missing ones."""
    n_columns, share = (0, 0.0) if summary.n_negative else zeros_apart(evidence)
    if n_columns:
        zeros = (
            f"Zeros lie apart from all other values in {n_columns} of the columns ({share:.0%} of their "
            'values), and may mean "not detected". If so, leave such cells empty in a table, or set them '
            "to nan in Python (`adata.X[adata.X == 0] = np.nan`): then medians are put in."
        )
        said, is_doubtful = f"{said} {zeros}".strip(), True
    return Finding(state="continuous", remark=said, is_doubtful=is_doubtful)


def check_declared(state: InputState, summary: MatrixSummary) -> None:
    """Raise an `InputError` for an unknown state, or for expression with negative or missing values."""
    if state not in STATES:
        msg = f"There is no input state {state!r}; choose one of {', '.join(STATES)}."
        raise InputError(msg)
    if not STATES[state].is_sparse:
        return
    remedy = "Declare `input_state` 'continuous' (`--input-state continuous`) if this is not expression"
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
    finding = find_state(matrix, summary)
    found = finding.state
    if found != state and not is_undecided(finding, state, summary, n_obs=matrix.shape[0]):
        logger.warning(
            "Warning: the data look like %s, but the model was fitted on %s. The embedding is meaningless "
            "unless both are of one kind: pass the matrix of %s, in an AnnData often a layer or `.raw`.",
            STATES[found].noun,
            STATES[state].noun,
            STATES[state].noun,
        )


def is_undecided(finding: Finding, state: InputState, summary: MatrixSummary, *, n_obs: int) -> bool:
    """Return True if values may have a state although they look different, as there are too few to tell."""
    if not finding.is_told and n_obs < ENOUGH_ROWS:
        return STATES[state].is_sparse
    if finding.state != "continuous":
        return False
    if state == "scaled":
        return summary.n_negative > 0
    return summary.is_integer or (n_obs < ENOUGH_ROWS and summary.n_negative == 0)


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
