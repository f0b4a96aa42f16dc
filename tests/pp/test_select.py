"""Highly variable features, with scanpy as the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from diffaug_bio.pp.select import highly_variable

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make_counts(seed: int, *, n_obs: int = 200, n_vars: int = 300) -> NDArray[np.float32]:
    """Overdispersed counts of features whose means differ by orders of magnitude."""
    rng = np.random.default_rng(seed)
    means = rng.lognormal(0.0, 1.5, n_vars)
    rates = rng.gamma(2.0, means / 2.0, (n_obs, n_vars))
    return rng.poisson(rates).astype(np.float32)


@pytest.mark.parametrize("n_top", [1, 20, 100])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_choice_is_that_of_scanpy(seed: int, n_top: int) -> None:
    counts = make_counts(seed)
    # Features that were never seen move scanpy's lowest bin, unless they are filtered out first.
    adata = anndata.AnnData(X=sparse.csr_matrix(counts[:, counts.any(0)]))
    sc.pp.normalize_total(adata, target_sum=1e4)
    dense = adata.X.toarray().astype(np.float64)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=n_top)
    expected = np.flatnonzero(adata.var["highly_variable"])
    chosen = highly_variable(dense.mean(0), dense.var(0, ddof=1), n_top=n_top)
    np.testing.assert_array_equal(chosen, expected)


def test_column_numbers_ascend_and_are_at_most_as_many_as_asked_for() -> None:
    dense = make_counts(3).astype(np.float64)
    chosen = highly_variable(dense.mean(0), dense.var(0, ddof=1), n_top=50)
    assert len(chosen) == 50
    assert np.all(np.diff(chosen) > 0)


def test_features_that_never_vary_are_left_out() -> None:
    mean = np.array([0.0, 1.0, 2.0, 3.0])
    variance = np.array([0.0, 0.0, 4.0, 2.0])
    np.testing.assert_array_equal(highly_variable(mean, variance, n_top=10), [2, 3])


def test_the_more_dispersed_of_equally_expressed_features_is_chosen() -> None:
    mean = np.ones(5)
    variance = np.array([1.0, 1.1, 9.0, 1.2, 0.9])
    np.testing.assert_array_equal(highly_variable(mean, variance, n_top=1), [2])


def test_features_never_seen_do_not_change_the_choice_from_scanpys() -> None:
    counts = make_counts(0)
    assert not counts.any(0).all()
    adata = anndata.AnnData(X=sparse.csr_matrix(counts))
    sc.pp.normalize_total(adata, target_sum=1e4)
    dense = adata.X.toarray().astype(np.float64)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, flavor="seurat", n_top_genes=20)
    chosen = highly_variable(dense.mean(0), dense.var(0, ddof=1), n_top=20)
    np.testing.assert_array_equal(chosen, np.flatnonzero(adata.var["highly_variable"]))
