"""Preprocessing of input that is incomplete, odd or unusable."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from diffaug_bio.config import FeatureConfig
from diffaug_bio.errors import InputError
from diffaug_bio.features import fit_features
from tests.features.conftest import CONFIG, fit, make_clusters

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_constant_and_empty_features_are_dropped_and_harmless(counts: AnnData, container: type) -> None:
    dense = counts.X.toarray()
    expected = fit(dense).project(dense)
    padded = np.hstack([np.zeros((120, 1), np.float32), dense, np.zeros((120, 2), np.float32)])
    fitted = fit(container(padded))
    np.testing.assert_array_equal(fitted.selected, np.arange(1, 41))
    np.testing.assert_array_equal(fitted.project(container(padded)), expected)


def test_constant_measured_feature_is_dropped() -> None:
    matrix = make_clusters()
    matrix[:, 7] = 3.3
    assert 7 not in fit(matrix).selected


def test_rows_of_zeros_are_warned_of_and_embedded(
    counts: AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    dense = counts.X.toarray()
    dense[[3, 50]] = 0
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        fitted = fit(sparse.csr_matrix(dense))
    assert "2 rows hold nothing but zeros" in caplog.text
    assert "120 rows x 40 features, counts as detected" in caplog.text
    scores = fitted.project(sparse.csr_matrix(dense))
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[3], scores[50])


def test_missing_measured_values_are_replaced_by_medians_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    matrix = make_clusters()
    holes = np.random.default_rng(0).random(matrix.shape) < 0.1
    matrix[holes] = np.nan
    filled = np.where(holes, np.nanmedian(matrix, axis=0), matrix)
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        fitted = fit(matrix)
    assert f"{holes.sum()} missing values" in caplog.text
    np.testing.assert_allclose(fitted.project(matrix), fit(filled).project(filled), atol=1e-4)


def test_missing_values_of_sparse_measurements_are_replaced_too() -> None:
    matrix = make_clusters()
    matrix[5, 5] = np.nan
    np.testing.assert_array_equal(
        fit(sparse.csr_matrix(matrix)).project(sparse.csr_matrix(matrix)), fit(matrix).project(matrix)
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [(None, "'7'"), ([f"protein{i}" for i in range(30)], "'protein7'")],
    ids=["by number", "by name"],
)
def test_feature_without_a_value_is_named(names: list[str] | None, message: str) -> None:
    matrix = make_clusters()
    matrix[:, 7] = np.nan
    with pytest.raises(InputError, match=f"without a single value: {message}"):
        fit_features(matrix, CONFIG, seed=0, feature_names=names)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_missing_counts_are_an_error(counts: AnnData, container: type) -> None:
    dense = counts.X.toarray()
    dense[4, int(np.flatnonzero(dense[4])[0])] = np.nan
    with pytest.raises(InputError, match=r"look like .*, but 1 of them are missing \(NaN\)"):
        fit_features(container(dense), FeatureConfig(input_state="counts"), seed=0)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("names", [None, [f"g{i}" for i in range(40)]], ids=["by number", "by name"])
def test_infinite_value_is_named_by_row_and_feature(
    counts: AnnData, container: type, names: list[str] | None
) -> None:
    dense = counts.X.toarray()
    dense[100, 12] = np.inf
    feature = "12" if names is None else "'g12'"
    with pytest.raises(InputError, match=f"the first is in row 100, feature {feature}"):
        fit_features(container(dense), CONFIG, seed=0, feature_names=names)


def test_infinite_value_in_a_later_block_is_named_by_its_row() -> None:
    matrix = np.ones((5000, 3), np.float32)
    matrix[4800, 1] = -np.inf
    with pytest.raises(InputError, match=r"row 4800, feature 1"):
        fit(matrix)


@pytest.mark.parametrize("value", [0.0, 1.0, 5.0, 3.3, -2.5])
def test_constant_matrix_is_an_error(value: float) -> None:
    with pytest.raises(InputError, match=r"same value in all rows, so there is nothing to learn"):
        fit(np.full((20, 5), value, np.float32))


@pytest.mark.parametrize(
    ("n_obs", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows")], ids=["0", "1", "2"]
)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_too_few_rows_are_an_error(n_obs: int, words: str, container: type) -> None:
    with pytest.raises(InputError, match=rf"has {words}; learning an embedding needs at least 3"):
        fit(container(np.ones((n_obs, 5), np.float32)))


def test_matrix_without_features_is_an_error() -> None:
    with pytest.raises(InputError, match=r"has no features"):
        fit(np.ones((5, 0), np.float32))


@pytest.mark.parametrize("state", ["counts", "normalized", "lognormalized"])
def test_negative_values_declared_as_expression_are_an_error(state: str) -> None:
    config = FeatureConfig(input_state=state)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rf"look like {state}, but \d+ of them are negative"):
        fit(make_clusters() - 10, config)


def test_unknown_state_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"`input_state` has to be one of 'auto', 'counts', .* got 'umi'"):
        FeatureConfig(input_state="umi")  # type: ignore[arg-type]
