"""Preprocessing learned from training rows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import sparse

from diffaug_bio._wording import shorten
from diffaug_bio.config.kinds import STATES, data_kind, decided
from diffaug_bio.errors import InputError
from diffaug_bio.features._axes import with_components
from diffaug_bio.features._observed import Observed, column_blocks, indicator_places, one_hot_places
from diffaug_bio.features._standardised import Standardised, normalize
from diffaug_bio.matrix.blocks import row_blocks
from diffaug_bio.matrix.columns import CodedColumns
from diffaug_bio.matrix.state import Finding, check_declared, find_state
from diffaug_bio.matrix.summary import check_spread, summarise
from diffaug_bio.matrix.validation import check_size
from diffaug_bio.pp.select import highly_variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffaug_bio.config import FeatureConfig, InputState
    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.matrix.summary import MatrixSummary

    Floats = NDArray[np.float32]

logger = logging.getLogger(__name__)

_Made = TypeVar("_Made", bound=Standardised)
_PANEL = 100  # features: fewer counted ones are a panel
_LIBRARY = 1e4  # counts


def learned(
    made: type[_Made],
    matrix: Matrix,
    config: FeatureConfig,
    *,
    seed: int,
    feature_names: Sequence[str] | None,
) -> _Made:
    """Learn the preprocessing of a matrix, of the class `made`; see :func:`fit_features`."""
    check_size(matrix)
    summary = summarise(matrix, feature_names=feature_names)
    coded = CodedColumns.from_setting(config.columns)
    one_hots = one_hot_places(coded, feature_names)
    if coded:
        # Codes are whole numbers, as counts are: that there are columns of a table tells them apart.
        declared, finding = "continuous", _beside_codes(matrix, coded, feature_names or ())
    else:
        declared = config.input_state
        finding = find_state(matrix, summary) if declared == "auto" else Finding(state=declared)
    finding.log()
    state = finding.state
    check_declared(state, summary)
    medians = _put_in(matrix, state, feature_names, one_hots)
    target_sum = _target_sum(matrix, state, config)
    mean, variance, dispersion_moments = _moments(matrix, state, target_sum=target_sum, medians=medians)
    is_measured = not STATES[state].is_sparse
    check_spread(matrix, variance == 0, is_measured=is_measured, feature_names=feature_names)
    selected = _select(config, variance, dispersion_moments)
    _log_findings(
        matrix,
        state,
        summary,
        declared=declared != "auto",
        coded=coded,
        keeps_totals=target_sum is None,
        n_selected=len(selected),
    )
    keeps_proportions = not STATES[state].is_standardised
    # A column of many levels has many features, and would weigh as many columns, its rare levels most. One
    # standard deviation for all of them gives the column the variance 1 that any other column has.
    together = variance.copy()
    for places in one_hots:
        together[places] = variance[places].sum()
    # A missing value is one deviation from one that is there, as a value is from its mean. Brought to the
    # variance 1, features that tell of rare blanks would outweigh the values they are about.
    together[indicator_places(coded, feature_names or ())] = 1.0
    std = np.sqrt(together[selected])
    if keeps_proportions:  # one number makes the mean variance of the columns 1
        std = np.full(len(selected), np.sqrt(variance[selected].mean()))
    unfitted = made(
        state=state,
        n_vars=matrix.shape[1],
        target_sum=target_sum,
        max_value=None if keeps_proportions else config.max_value,
        front_end=config.front_end == "pca",
        selected=selected,
        medians=medians[selected] if len(medians) else medians,
        mean=mean[selected].astype(np.float32),
        std=std.astype(np.float32),
        center=np.zeros(len(selected), np.float32),
        components=np.zeros((len(selected), 0), np.float32),
        expected=_expected(state, dispersion_moments),
        observed=Observed.of(matrix) if STATES[state].keeps_range else None,
    )
    n_components = decided(config.resolved(data_kind(state)).n_components)
    return with_components(unfitted, matrix, n_components=n_components, seed=seed)


def _beside_codes(matrix: Matrix, coded: CodedColumns, feature_names: Sequence[str]) -> Finding:
    """Say of plain numbers beside coded columns that they are measured values, whatever they look like."""
    codes = {feature for column in coded for feature in column.features}
    plain = [place for place, name in enumerate(feature_names) if name not in codes]
    finding = Finding(state="continuous")
    if not plain:
        return finding
    numbers = matrix[:, plain]
    try:
        found = find_state(numbers, summarise(numbers))
    except InputError:  # counts with a few negative values, which measured values may be
        return finding
    if not STATES[found.state].is_sparse:
        return found if found.state == "continuous" else finding
    named = shorten([column.name for column in coded if column.kind != "missing"])
    remark = (
        f"The numbers beside columns {named} look like {STATES[found.state].noun}. In a table with such "
        "columns they are measured values, neither brought to one total nor logged: if they are "
        "expression, make these columns annotations (`--annotations`)."
    )
    return Finding(state="continuous", remark=remark, is_doubtful=True)


def _put_in(
    matrix: Matrix,
    state: InputState,
    feature_names: Sequence[str] | None,
    one_hots: Sequence[NDArray[np.int64]],
) -> Floats:
    """Values that stand for missing ones: medians of measured features, means of those of categories."""
    if STATES[state].is_sparse:
        return np.zeros(0, np.float32)
    # A median would be a level of the column. The shares of all levels are as near to each as chance is.
    by_mean = np.zeros(matrix.shape[1], bool)
    by_mean[[place for places in one_hots for place in places.tolist()]] = True
    put_in = np.zeros(matrix.shape[1], np.float32)
    for columns, values in column_blocks(matrix):
        empty = [columns.start + int(i) for i in np.flatnonzero(np.isnan(values).all(0))]
        if empty:
            names = [feature_names[i] if feature_names else i for i in empty]
            msg = f"Features without a single value: {shorten(names)}. Remove these columns."
            raise InputError(msg)
        put_in[columns] = np.nanmedian(values, axis=0)
        means = by_mean[columns]
        put_in[columns][means] = np.nanmean(values[:, means], axis=0, dtype=np.float64)
    return put_in


def _target_sum(matrix: Matrix, state: InputState, config: FeatureConfig) -> float | None:
    """Library size that counts are brought to; None where rows keep their totals."""
    if STATES[state].is_counted and config.totals == "kept":
        return None
    if config.target_sum is not None:
        return config.target_sum
    if not STATES[state].is_counted or matrix.shape[1] >= _PANEL:
        return _LIBRARY
    median = max(1.0, float(np.median(np.asarray(matrix.sum(1, dtype=np.float64)))))
    if median >= _LIBRARY:
        return _LIBRARY
    logger.info(
        "A panel of fewer than %d features: rows are brought to their median total, %.5g, and not to %d.",
        _PANEL,
        median,
        _LIBRARY,
    )
    return median


def _moments(
    matrix: Matrix, state: InputState, *, target_sum: float | None, medians: Floats
) -> tuple[
    NDArray[np.float64], NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]] | None
]:
    """Mean and variance of normalised features; for expression those before the logarithm, too."""
    n_obs, n_vars = matrix.shape
    sums = np.zeros((4, n_vars))
    for _, block in row_blocks(matrix):
        rows = normalize(block, state, target_sum=target_sum)
        if sparse.issparse(rows):
            values = rows.data.astype(np.float64)
            unlogged = np.expm1(values)
            for row, weights in enumerate((values, values**2, unlogged, unlogged**2)):
                sums[row] += np.bincount(rows.indices, weights=weights, minlength=n_vars)
        else:
            rows = np.where(np.isnan(rows), medians, rows).astype(np.float64)
            sums[0] += rows.sum(0)
            sums[1] += (rows**2).sum(0)
    means = sums[[0, 2]] / n_obs
    variances = np.maximum(sums[[1, 3]] / n_obs - means**2, 0.0) * n_obs / (n_obs - 1)
    # Rounding leaves a constant feature a variance just above 0.
    variances[variances < 1e-10 * means**2] = 0.0
    unlogged_moments = (means[1], variances[1]) if STATES[state].is_sparse else None
    return means[0], variances[0], unlogged_moments


def _expected(
    state: InputState, unlogged: tuple[NDArray[np.float64], NDArray[np.float64]] | None
) -> Floats:
    """Mean of every feature of counts, at one library size where rows are brought to one."""
    if not STATES[state].is_counted or unlogged is None:
        return np.zeros(0, np.float32)
    return unlogged[0].astype(np.float32)


def _select(
    config: FeatureConfig,
    variance: NDArray[np.float64],
    unlogged: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> NDArray[np.int64]:
    """Column numbers of the features to keep: those that vary, and of expression the most variable."""
    varying = np.flatnonzero(variance > 0)
    if len(varying) == 0:
        msg = (
            "Every feature has the same value in all rows, so there is nothing to learn. Look whether "
            "the right matrix or layer was chosen."
        )
        raise InputError(msg)
    if unlogged is None or config.n_top_features == 0 or len(varying) <= config.n_top_features:
        return varying
    return highly_variable(*unlogged, n_top=config.n_top_features)


def _log_findings(
    matrix: Matrix,
    state: InputState,
    summary: MatrixSummary,
    *,
    declared: bool,
    coded: CodedColumns,
    keeps_totals: bool,
    n_selected: int,
) -> None:
    """Say what the input was taken for and what is done with it."""
    n_obs, n_vars = matrix.shape
    treatment = STATES[state].treatment
    if keeps_totals:
        treatment = treatment.replace("normalised to library size", "each row's total kept")
    logger.info(
        "Input: %d rows x %d features, %s as %s: %s; %d features kept.",
        n_obs,
        n_vars,
        state,
        "suits the columns of the table" if coded else "declared" if declared else "detected",
        treatment,
        n_selected,
    )
    if coded:
        logger.info("Columns of the table: %s.", coded.counted(n_vars))
    if summary.n_missing:
        logger.warning(
            "%d missing values (%.2g %%) are replaced by their features' medians%s.",
            summary.n_missing,
            100 * summary.n_missing / (n_obs * n_vars),
            ", those of categories by the shares of the levels" if coded else "",
        )
    if summary.n_zero_rows:
        logger.warning("%d rows hold nothing but zeros; consider removing them.", summary.n_zero_rows)
