"""The linear front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from diffaug_bio.config import FeatureConfig
from diffaug_bio.features import _axes as axes_module
from tests.features.conftest import fit, make_clusters, share_of_subspace

if TYPE_CHECKING:
    from anndata import AnnData


def test_components_are_those_of_scanpy_up_to_sign_and_scale(counts: AnnData) -> None:
    oracle = counts.copy()
    sc.pp.normalize_total(oracle, target_sum=1e4)
    sc.pp.log1p(oracle)
    oracle.X = oracle.X.toarray()
    sc.pp.scale(oracle, max_value=10)
    sc.pp.pca(oracle, n_comps=6, svd_solver="full")
    variances = oracle.uns["pca"]["variance"]
    scores = fit(counts.X).project(counts.X)
    compared = 0
    for number in range(5):
        gap = variances[number] - variances[number + 1]
        if gap > 0.05 * variances[number] or number < 2:
            correlation = np.corrcoef(scores[:, number], oracle.obsm["X_pca"][:, number])[0, 1]
            assert abs(correlation) > 0.9999
            compared += 1
    assert compared >= 2
    ratio = scores.var(0) / oracle.obsm["X_pca"].var(0)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_scores_have_mean_zero_and_a_mean_variance_of_one(counts: AnnData) -> None:
    scores = fit(counts.X).project(counts.X)
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scores.var(0).mean(), 1, rtol=1e-4)
    assert np.all(np.diff(scores.var(0)) <= 1e-6)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
def test_more_features_than_rows_give_the_same_components_as_an_svd(container: type) -> None:
    matrix = make_clusters(20, 60)
    fitted = fit(container(matrix))
    standardised = (matrix - matrix.mean(0)) / matrix.std(0, ddof=1)
    left, singular, _ = np.linalg.svd(standardised - standardised.mean(0), full_matrices=False)
    scores = fitted.project(container(matrix))
    assert scores.shape == (20, 6)
    assert share_of_subspace(scores[:, :3], left[:, :3] * singular[:3]) > 0.9999


@pytest.mark.parametrize("n_obs", [3, 4, 10])
def test_there_are_at_most_rows_less_one_components(n_obs: int) -> None:
    matrix = make_clusters(n_obs, 30)
    scores = fit(matrix, FeatureConfig(n_components=128)).project(matrix)
    assert scores.shape == (n_obs, n_obs - 1)
    assert np.isfinite(scores).all()


def test_there_are_at_most_as_many_components_as_features() -> None:
    matrix = make_clusters(50, 4)
    assert fit(matrix, FeatureConfig(n_components=128)).project(matrix).shape == (50, 4)


@pytest.mark.parametrize("kind", ["counts", "continuous"])
def test_iteration_spans_the_subspace_of_the_exact_decomposition(
    counts: AnnData, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = counts.X if kind == "counts" else make_clusters()
    config = FeatureConfig(n_components=2)
    exact = fit(matrix, config)
    monkeypatch.setattr(axes_module, "_LARGEST_GRAM", 5)
    iterated = fit(matrix, config)
    assert share_of_subspace(exact.components, iterated.components) > 0.9999
    np.testing.assert_allclose(iterated.project(matrix), exact.project(matrix), atol=1e-2)


def test_iteration_gives_the_same_bits_for_the_same_seed(
    counts: AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axes_module, "_LARGEST_GRAM", 5)
    np.testing.assert_array_equal(fit(counts.X).components, fit(counts.X).components)


def test_iteration_wants_no_more_components_than_it_can_find(
    counts: AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axes_module, "_LARGEST_GRAM", 5)
    fitted = fit(counts.X, FeatureConfig(n_components=128))
    assert fitted.project(counts.X).shape == (120, 39)
