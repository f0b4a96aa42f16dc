"""Preprocessing, with scanpy as the oracle."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from diffaug_bio.config import FeatureConfig
from diffaug_bio.errors import InputError
from diffaug_bio.features import _axes as axes_module
from diffaug_bio.features import fit_features, normalize

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio._blocks import Matrix
    from diffaug_bio.features import FittedFeatures

CONFIG = FeatureConfig(n_components=6, n_top_features=0)


def make_clusters(n_obs: int = 120, n_vars: int = 30) -> NDArray[np.float32]:
    """Measured values: four groups of rows, so that the leading components are well apart."""
    rng = np.random.default_rng(1)
    centers = rng.normal(0, 1, (4, n_vars)) * np.array([[4.0], [2.5], [1.5], [0.0]])
    rows = centers[np.arange(n_obs) % 4] + rng.normal(10, 1, (n_obs, n_vars))
    return np.asarray(rows, dtype=np.float32)


def untidy_copy(matrix: Matrix) -> Matrix:
    """The same CSR matrix with entries in reverse, every first entry of a row split in two, and zeros."""
    data: list[float] = []
    indices: list[int] = []
    indptr = [0]
    for row in range(matrix.shape[0]):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values, columns = list(matrix.data[part])[::-1], list(matrix.indices[part])[::-1]
        if values and values[-1] > 1:
            values[-1] -= 1
            values.insert(0, 1.0)
            columns.insert(0, columns[-1])
        absent = next(c for c in range(matrix.shape[1]) if c not in columns)
        data += [*values, 0.0]
        indices += [*columns, absent]
        indptr.append(len(data))
    parts = (np.array(data, np.float32), np.array(indices, np.int32), np.array(indptr, np.int32))
    return sparse.csr_matrix(parts, shape=matrix.shape)


def arrays_of(matrix: Matrix) -> list[NDArray[np.generic]]:
    if sparse.issparse(matrix):
        return [matrix.data.copy(), matrix.indices.copy(), matrix.indptr.copy()]
    return [matrix.copy()]


def fit(matrix: Matrix, config: FeatureConfig = CONFIG) -> FittedFeatures:
    return fit_features(matrix, config, seed=0)


def share_of_subspace(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Smallest cosine between two column spaces: 1 where they are the same."""
    basis, other = np.linalg.qr(first)[0], np.linalg.qr(second)[0]
    return float(np.linalg.svd(basis.T @ other, compute_uv=False).min())


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
def test_borders_of_blocks_do_not_matter(container: type, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    matrix = container(rng.poisson(rng.gamma(1, 1, (1, 25)), (4500, 25)).astype(np.float32))
    in_blocks = fit(matrix)
    scores = in_blocks.project(matrix)
    monkeypatch.setattr("diffaug_bio._blocks._BLOCK_ROWS", 10_000)
    at_once = fit(matrix)
    np.testing.assert_allclose(in_blocks.mean, at_once.mean, rtol=1e-6)
    np.testing.assert_allclose(in_blocks.std, at_once.std, rtol=1e-6)
    np.testing.assert_allclose(in_blocks.project(matrix), scores, atol=1e-5)
    assert share_of_subspace(in_blocks.components[:, :3], at_once.components[:, :3]) > 0.9999


def test_wide_dense_matrices_are_read_in_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = make_clusters()
    expected = fit(matrix).project(matrix)
    monkeypatch.setattr("diffaug_bio._blocks._BLOCK_VALUES", 7 * matrix.shape[1])
    monkeypatch.setattr("diffaug_bio.features._fit._MEDIAN_VALUES", 3 * matrix.shape[0])
    np.testing.assert_allclose(fit(matrix).project(matrix), expected, atol=1e-4)


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


def test_unknown_state_lists_the_known_ones() -> None:
    config = FeatureConfig(input_state="umi")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no input state 'umi'; choose one of counts, normalized"):
        fit(make_clusters(), config)


def test_counts_are_found_in_an_anndata_whose_library_sizes_differ() -> None:
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, 1.0, 20) * rng.lognormal(0, 1, (200, 1))
    adata = anndata.AnnData(X=sparse.csr_matrix(rng.poisson(rates).astype(np.float32)))
    fitted = fit(adata.X)
    scaled_up = adata.X.copy()
    scaled_up.data *= 3
    np.testing.assert_allclose(fitted.project(scaled_up), fitted.project(adata.X), atol=1e-4)
