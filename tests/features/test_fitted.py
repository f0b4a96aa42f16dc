"""Preprocessing, with scanpy as the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from diffaug_bio.config import FeatureConfig
from diffaug_bio.features import normalize
from tests.features.conftest import arrays_of, fit, make_clusters, share_of_subspace, untidy_copy

if TYPE_CHECKING:
    from anndata import AnnData


def test_the_container_of_counts_does_not_change_a_bit(counts: AnnData) -> None:
    csr = counts.X
    reference = fit(csr).project(csr)
    for other in (csr.toarray(), untidy_copy(csr), csr.toarray().astype(np.int64)):
        np.testing.assert_array_equal(fit(other).project(other), reference)


@pytest.mark.parametrize("kind", ["dense", "csr", "untidy csr", "columns", "continuous"])
def test_input_is_never_changed(counts: AnnData, kind: str) -> None:
    matrix = {
        "dense": counts.X.toarray(),
        "csr": counts.X.copy(),
        "untidy csr": untidy_copy(counts.X),
        "columns": counts.X.copy(),
        "continuous": make_clusters(),
    }[kind]
    before = arrays_of(matrix)
    fitted = fit(matrix)
    columns = np.arange(matrix.shape[1])[::-1].copy() if kind == "columns" else None
    fitted.project(matrix, columns)
    fitted.dense_rows(matrix, columns)
    for found, expected in zip(arrays_of(matrix), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_normalisation_is_that_of_scanpy(counts: AnnData) -> None:
    expected = counts.copy()
    sc.pp.normalize_total(expected, target_sum=1e4)
    sc.pp.log1p(expected)
    found = normalize(counts.X, "counts", target_sum=1e4)
    np.testing.assert_allclose(found.toarray(), expected.X.toarray(), rtol=1e-6)
    normalized = counts.copy()
    sc.pp.normalize_total(normalized, target_sum=1e4)
    logged = normalize(normalized.X, "normalized", target_sum=1.0)
    np.testing.assert_allclose(logged.toarray(), expected.X.toarray(), rtol=1e-6)


def test_standardised_counts_are_those_of_scanpy(counts: AnnData) -> None:
    expected = counts.copy()
    sc.pp.normalize_total(expected, target_sum=1e4)
    sc.pp.log1p(expected)
    expected.X = expected.X.toarray()
    sc.pp.scale(expected, max_value=10)
    fitted = fit(counts.X)
    found = fitted.dense_rows(counts.X) + fitted.center
    np.testing.assert_allclose(found, expected.X[:, fitted.selected], atol=2e-4)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_borders_of_blocks_do_not_matter(container: type, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    matrix = container(rng.poisson(rng.gamma(1, 1, (1, 25)), (4500, 25)).astype(np.float32))
    in_blocks = fit(matrix)
    scores = in_blocks.project(matrix)
    monkeypatch.setattr("diffaug_bio.matrix.blocks._BLOCK_ROWS", 10_000)
    at_once = fit(matrix)
    np.testing.assert_allclose(in_blocks.mean, at_once.mean, rtol=1e-6)
    np.testing.assert_allclose(in_blocks.std, at_once.std, rtol=1e-6)
    np.testing.assert_allclose(in_blocks.project(matrix), scores, atol=1e-5)
    assert share_of_subspace(in_blocks.components[:, :3], at_once.components[:, :3]) > 0.9999


def test_wide_dense_matrices_are_read_in_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = make_clusters()
    expected = fit(matrix).project(matrix)
    monkeypatch.setattr("diffaug_bio.matrix.blocks._BLOCK_VALUES", 7 * matrix.shape[1])
    monkeypatch.setattr("diffaug_bio.features._observed._LOOKED_AT", 3 * matrix.shape[0])
    np.testing.assert_allclose(fit(matrix).project(matrix), expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["counts csr", "counts dense", "continuous"])
def test_permuted_columns_give_the_same_bits(counts: AnnData, kind: str) -> None:
    matrix = {
        "counts csr": counts.X,
        "counts dense": counts.X.toarray(),
        "continuous": make_clusters(),
    }[kind]
    fitted = fit(matrix)
    order = np.random.default_rng(0).permutation(matrix.shape[1])
    found = fitted.project(matrix[:, order], np.argsort(order))
    np.testing.assert_array_equal(found, fitted.project(matrix))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_missing_features_count_as_the_training_mean(container: type) -> None:
    rng = np.random.default_rng(0)
    logged = np.log1p(rng.poisson(1.0, (80, 12))).astype(np.float32)
    config = FeatureConfig(input_state="lognormalized", n_components=4)
    fitted = fit(container(logged), config)
    columns = np.arange(12)
    columns[[2, 9]] = -1
    rows = fitted.dense_rows(container(logged), columns)
    np.testing.assert_allclose(rows[:, [2, 9]], 0, atol=1e-6)
    present = np.flatnonzero(columns >= 0)
    np.testing.assert_array_equal(rows[:, present], fitted.dense_rows(container(logged))[:, present])


def test_missing_features_agree_between_containers(counts: AnnData) -> None:
    fitted = fit(counts.X)
    columns = np.where(np.arange(40) % 3 == 0, -1, np.arange(40))
    np.testing.assert_array_equal(
        fitted.project(counts.X, columns), fitted.project(counts.X.toarray(), columns)
    )


@pytest.mark.parametrize("kind", ["counts", "continuous"])
def test_rows_without_a_front_end_have_mean_zero_and_unit_variance(counts: AnnData, kind: str) -> None:
    matrix = counts.X if kind == "counts" else make_clusters()
    fitted = fit(matrix, FeatureConfig(front_end="none", max_value=1000.0))
    rows = fitted.dense_rows(matrix)
    assert not fitted.front_end
    assert fitted.n_features == rows.shape[1] == matrix.shape[1]
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(rows.var(0, ddof=1), 1, rtol=1e-4)


def test_outliers_are_cut_off() -> None:
    matrix = make_clusters()
    matrix[0, 0] = 1e6
    fitted = fit(matrix, FeatureConfig(max_value=3.0))
    rows = fitted.dense_rows(matrix) + fitted.center
    assert rows.max() <= 3.0 + 1e-5


def test_a_representation_is_not_standardised() -> None:
    matrix = make_clusters() * np.linspace(0.1, 50, 30).astype(np.float32)
    fitted = fit(matrix, FeatureConfig(input_state="representation"))
    assert np.ptp(fitted.std) == 0  # columns keep their proportions
    assert fitted.max_value is None
    rows = fitted.dense_rows(matrix)
    np.testing.assert_allclose(rows * fitted.std, matrix - matrix.mean(0), atol=1e-2)
    assert rows.var(0).mean() == pytest.approx(1.0, abs=0.02)  # (n - 1) against n


def test_only_the_most_variable_features_of_expression_are_kept(counts: AnnData) -> None:
    fitted = fit(counts.X, FeatureConfig(n_top_features=10))
    assert len(fitted.selected) == 10
    assert len(fit(make_clusters(), FeatureConfig(n_top_features=10)).selected) == 30


def test_counts_are_found_in_an_anndata_whose_library_sizes_differ() -> None:
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, 1.0, 20) * rng.lognormal(0, 1, (200, 1))
    adata = anndata.AnnData(X=sparse.csr_matrix(rng.poisson(rates).astype(np.float32)))
    fitted = fit(adata.X)
    scaled_up = adata.X.copy()
    scaled_up.data *= 3
    np.testing.assert_allclose(fitted.project(scaled_up), fitted.project(adata.X), atol=1e-4)
