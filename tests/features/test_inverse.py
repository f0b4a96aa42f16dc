"""From components back to features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

from diffaug_bio.features import FeatureInverse
from tests.features.conftest import CONFIG, fit, make_clusters, untidy_copy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.features import FittedFeatures
    from diffaug_bio.matrix.blocks import Matrix

    Floats = NDArray[np.floating]

N_OBS, N_GENES = 150, 40


def make_counts(seed: int = 0) -> NDArray[np.float32]:
    """Counts of three kinds of cells; one gene is never seen."""
    rates = np.random.default_rng(0).gamma(0.6, 5.0, (3, N_GENES))
    rates[:, 7] = 0
    rng = np.random.default_rng(seed)
    library = rng.lognormal(0, 0.3, (N_OBS, 1))
    return np.asarray(rng.poisson(rates[np.arange(N_OBS) % 3] * library), np.float32)


def logged(counts: Floats, target_sum: float = 1e4) -> NDArray[np.float32]:
    return np.asarray(np.log1p(counts / counts.sum(1, keepdims=True) * target_sum), np.float32)


def make_tpm() -> NDArray[np.float32]:
    """Expression that is made of no counts, a third of it zero, over a wide range."""
    rng = np.random.default_rng(0)
    values = (
        np.exp(rng.normal(4, 2.5, (N_OBS, N_GENES))) * rng.gamma(1, 1, (3, N_GENES))[np.arange(N_OBS) % 3]
    )
    values[rng.random(values.shape) < 0.35] = 0
    return np.asarray(values / values.sum(1, keepdims=True) * 1e6, np.float32)


def invert(
    features: FittedFeatures,
    matrix: Matrix,
    columns: NDArray[np.int64] | None = None,
    *,
    redraw: float = 0.5,
    seed: int = 0,
) -> tuple[Matrix, Floats, Floats]:
    """Let every row become the next but one of its kind, and return features, components and new ones."""
    if features.front_end:
        codes = features.project(matrix, columns)
    else:
        codes = features.dense_rows(matrix, columns)
    generated = np.roll(codes, 3, axis=0)
    inverse = FeatureInverse.of(features, columns)
    if inverse.is_expression:
        inverse = inverse.calibrated(matrix, codes, generated)
    generator = np.random.default_rng(seed)
    return inverse.apply(matrix, codes, generated, redraw=redraw, generator=generator), codes, generated


def dense(matrix: Matrix) -> Floats:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix)


@pytest.mark.parametrize("front_end", ["pca", "none"])
def test_components_of_measured_values_change_as_they_were_told_to(front_end: Any) -> None:
    matrix = make_clusters()
    features = fit(matrix, replace(CONFIG, front_end=front_end))
    found, codes, generated = invert(features, matrix)
    read = features.project if features.front_end else features.dense_rows
    inside = np.abs((found - features.mean) / features.std).max(1) < (features.max_value or np.inf)
    assert inside.mean() > 0.95
    np.testing.assert_allclose(read(found)[inside], generated[inside], rtol=0, atol=2e-3)
    assert np.abs(generated - codes).max() > 0.1


def test_components_that_do_not_change_leave_measured_values_as_they_are() -> None:
    matrix = make_clusters()
    features = fit(matrix)
    codes = features.project(matrix)
    inverse = FeatureInverse.of(features, None)
    found = inverse.apply(matrix, codes, codes, redraw=1, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(found, matrix)
    assert not np.shares_memory(found, matrix)


def test_missing_values_become_medians_also_where_a_whole_feature_is_missing() -> None:
    matrix = make_clusters()
    features = fit(matrix)
    gaps = matrix.copy()
    gaps[:, 4], gaps[3, 9] = np.nan, np.nan
    codes = features.project(gaps)
    inverse = FeatureInverse.of(features, None)
    found = inverse.apply(gaps, codes, codes, redraw=1, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(found[:, 4], np.full(len(gaps), features.medians[4]))
    assert found[3, 9] == features.medians[9]
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", ["measured", "counts", "logged", "tpm"])
def test_features_are_found_where_they_stand_and_others_left_alone(kind: str) -> None:
    matrix = {
        "measured": make_clusters(),
        "counts": make_counts(),
        "logged": logged(make_counts()),
        "tpm": make_tpm(),
    }[kind]
    features = fit(matrix)
    n_vars = matrix.shape[1]
    order = np.random.default_rng(1).permutation(n_vars)
    columns = np.argsort(order).astype(np.int64)
    plain, turned = invert(features, matrix)[0], invert(features, matrix[:, order], columns)[0]
    if kind == "measured":
        np.testing.assert_allclose(turned[:, columns], plain, rtol=0, atol=1e-4)
    # Without five of them, and beside one that the model does not know.
    other = np.hstack([matrix[:, 5:], np.arange(len(matrix), dtype=np.float32)[:, None]])
    columns = np.array([-1] * 5 + list(range(n_vars - 5)), np.int64)
    found = invert(features, other, columns)[0]
    assert found.shape == other.shape
    np.testing.assert_array_equal(found[:, -1], other[:, -1])
    assert np.isfinite(found).all()
    assert (found[:, :-1] != other[:, :-1]).mean() > 0.05


@pytest.mark.parametrize("front_end", ["pca", "none"])
@pytest.mark.parametrize("container", ["csr", "array", "dense", "int", "untidy"])
def test_counts_stay_counts_in_the_container_that_they_came_in(container: str, front_end: Any) -> None:
    counts = make_counts()
    counts[5] = 0
    matrix = {
        "csr": sparse.csr_matrix,
        "array": sparse.csr_array,
        "untidy": lambda values: untidy_copy(sparse.csr_matrix(values)),
        "int": lambda values: values.astype(np.int64),
        "dense": np.array,
    }[container](counts)
    features = fit(sparse.csr_matrix(counts), replace(CONFIG, front_end=front_end))
    found = invert(features, matrix)[0]
    assert sparse.issparse(found) == sparse.issparse(matrix)
    assert found.dtype == np.float32
    values = dense(found)
    np.testing.assert_array_equal(values, np.rint(values))
    assert values.min() == 0
    assert values[5].sum() == values[:, 7].sum() == 0
    ratio = values.sum(1)[counts.sum(1) > 0] / counts.sum(1)[counts.sum(1) > 0]
    assert abs(np.median(ratio) - 1) < 0.05
    np.testing.assert_array_equal(values, dense(invert(features, sparse.csr_matrix(counts))[0]))
    # What came in is as it was.
    np.testing.assert_array_equal(dense(matrix), counts)


def test_sparse_rows_that_come_out_are_tidy() -> None:
    matrix = sparse.csr_matrix(make_counts())
    found = invert(fit(matrix), matrix)[0]
    assert found.has_canonical_format
    assert (found.data > 0).all()


def test_genes_that_the_model_left_out_are_those_of_the_source() -> None:
    counts = make_counts()
    features = fit(sparse.csr_matrix(counts), replace(CONFIG, n_top_features=15))
    found = dense(invert(features, sparse.csr_matrix(counts))[0])
    others = np.setdiff1d(np.arange(N_GENES), features.selected)
    assert len(others) == N_GENES - 15
    np.testing.assert_array_equal(found[:, others], counts[:, others])
    assert (found[:, features.selected] != counts[:, features.selected]).any(1).all()


def test_generated_counts_are_those_of_the_components() -> None:
    counts = make_counts()
    features = fit(sparse.csr_matrix(counts))
    codes = features.project(sparse.csr_matrix(counts))
    # Each becomes a cell of the next kind.
    generated = np.roll(codes, 1, axis=0)
    inverse = FeatureInverse.of(features, None).calibrated(sparse.csr_matrix(counts), codes, generated)
    found = inverse.apply(counts, codes, generated, redraw=1.0, generator=np.random.default_rng(0))
    profile = np.stack([logged(counts)[np.arange(N_OBS) % 3 == kind].mean(0) for kind in range(3)])
    distance = np.square(logged(found)[:, None] - profile).sum(-1)
    assert (distance.argmin(1) == (np.arange(N_OBS) - 1) % 3).mean() > 0.95


@pytest.mark.parametrize("state", ["lognormalized", "normalized"])
def test_expression_made_of_counts_comes_back_as_whole_multiples_of_its_unit(state: str) -> None:
    counts = make_counts()
    counts[5] = 0
    library = np.maximum(counts.sum(1, keepdims=True), 1)
    linear = (counts / library * 1e4).astype(np.float32)
    matrix = sparse.csr_matrix(np.log1p(linear) if state == "lognormalized" else linear)
    features = fit(matrix)
    assert features.state == state
    found = invert(features, matrix)[0]
    assert sparse.issparse(found)
    values = dense(found)
    made = (np.expm1(values) if state == "lognormalized" else values) * library / 1e4
    np.testing.assert_allclose(made, np.rint(made), rtol=0, atol=1e-2)
    assert values.min() == 0
    assert values[5].sum() == 0
    assert (np.rint(made) != counts).mean() > 0.2
    full = counts.sum(1) > 0
    assert abs(np.median(made.sum(1)[full] / counts.sum(1)[full]) - 1) < 0.05
    # Zeros come and go with the rates.
    assert ((made > 0.5) & (counts == 0)).any()


def test_expression_that_is_not_made_of_counts_keeps_zeros_and_totals() -> None:
    matrix = make_tpm()
    features = fit(matrix)
    assert features.state == "normalized"
    found = invert(features, matrix)[0]
    np.testing.assert_array_equal(found > 0, matrix > 0)
    np.testing.assert_allclose(found.sum(1), matrix.sum(1), rtol=1e-4)
    changes = np.abs(np.log(found[matrix > 0] / matrix[matrix > 0]))
    assert np.median(changes) > 0.1
    assert np.isfinite(changes).all()


def test_values_in_proportion_change_as_expectations_with_a_deviation_added() -> None:
    matrix = make_tpm()
    features = fit(matrix)
    found, codes, generated = invert(features, matrix)
    inverse = FeatureInverse.of(features, None).calibrated(matrix, codes, generated)
    before, after = inverse.expected(codes), inverse.expected(generated)
    kept = matrix[:, features.selected]
    logs = np.log1p(kept.astype(np.float64))
    for row in (0, 5, 100):
        changed = []
        for gene in range(kept.shape[1]):
            # The deviation of its logarithms, times one more than its mean expression, by logarithms too.
            added = logs[:, gene].std() * (1 + np.expm1(logs[:, gene].mean()))
            factor = (after[row, gene] + added) / (before[row, gene] + added)
            changed.append(kept[row, gene] * min(max(factor, 0.1), 10.0))
        expected = np.array(changed) * kept[row].sum() / sum(changed)
        np.testing.assert_allclose(found[row, features.selected], expected, rtol=1e-2)


def test_rows_that_are_made_of_counts_are_told_from_others() -> None:
    counts = make_counts()
    matrix = counts / counts.sum(1, keepdims=True) * 1e4
    features = fit(sparse.csr_matrix(matrix.astype(np.float32)))
    inverse = FeatureInverse.of(features, None)
    mixed = np.vstack([matrix[:10], make_tpm()[:10], np.zeros((1, N_GENES))]).astype(np.float32)
    found, units = inverse.counts(mixed)
    np.testing.assert_array_equal(np.isfinite(units[:, 0]), [True] * 10 + [False] * 10 + [True])
    np.testing.assert_array_equal(found[:10], counts[:10, features.selected])
    # The others change in proportion, in the same matrix.
    codes = features.project(matrix.astype(np.float32))
    known = inverse.calibrated(matrix, codes, np.roll(codes, 3, axis=0))
    of_mixed = features.project(mixed)
    moved = np.roll(of_mixed, 3, axis=0)
    values = known.apply(mixed, of_mixed, moved, redraw=0.5, generator=np.random.default_rng(0))
    made = values[:10] / units[:10]
    np.testing.assert_allclose(made, np.rint(made), rtol=0, atol=1e-2)
    np.testing.assert_array_equal(values[10:20] > 0, mixed[10:20] > 0)
    assert values[20].sum() == 0


def test_scaled_expression_changes_by_what_its_components_change() -> None:
    values = logged(make_counts())
    deviation = values.std(0)
    matrix = (values - values.mean(0)) / np.where(deviation > 0, deviation, 1)
    features = fit(matrix.astype(np.float32))
    assert features.state == "scaled"
    found, _, generated = invert(features, matrix.astype(np.float32))
    assert found.min() < 0
    np.testing.assert_allclose(features.project(found), generated, rtol=0, atol=0.05)


def test_no_reconstruction_is_beyond_a_library() -> None:
    for matrix in (make_counts(), logged(make_counts())):
        features = fit(matrix)
        codes = features.project(matrix)
        far = 50 * codes
        inverse = FeatureInverse.of(features, None).calibrated(matrix, codes, far)
        assert np.expm1(logged(make_counts()).max()) <= 1e4 + 1
        assert inverse.expected(far).max() <= 1e4 + 1
        found = inverse.apply(matrix, codes, far, redraw=1, generator=np.random.default_rng(0))
        assert np.isfinite(found).all()


def test_blocks_of_rows_make_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = make_counts()
    matrix = sparse.csr_matrix(counts)
    features = fit(matrix)
    monkeypatch.setattr("diffaug_bio.features._inverse._BLOCK_VALUES", 7 * N_GENES)
    for one in (matrix, counts):
        found = invert(features, one)[0]
        assert found.shape == counts.shape
        assert sparse.issparse(found) == sparse.issparse(one)
        assert abs(found.sum() / counts.sum() - 1) < 0.05


def test_a_seed_fixes_the_features() -> None:
    matrix = sparse.csr_matrix(make_counts())
    features = fit(matrix)
    first, again, other = (dense(invert(features, matrix, seed=seed)[0]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(("container", "largest"), [("dense", 10), ("sparse", 100)])
def test_blocks_of_dense_rows_are_small_where_these_are_wide(
    monkeypatch: pytest.MonkeyPatch, container: str, largest: int
) -> None:
    counts = make_counts()
    features = fit(counts)
    n_kept = len(features.selected)
    wide = np.hstack([counts, np.zeros((N_OBS, 10 * n_kept - N_GENES), np.float32)])
    matrix = sparse.csr_matrix(wide) if container == "sparse" else wide
    monkeypatch.setattr("diffaug_bio.features._inverse._BLOCK_VALUES", 100 * n_kept)
    change, sizes = FeatureInverse._expression, []

    def recorded(self: FeatureInverse, block: Matrix, *rest: Any, **options: Any) -> Any:
        sizes.append(block.shape[0])
        return change(self, block, *rest, **options)

    monkeypatch.setattr(FeatureInverse, "_expression", recorded)
    found = invert(features, matrix, np.arange(N_GENES))[0]
    assert found.shape == wide.shape
    assert max(sizes) == largest


def test_counts_with_fractions_come_out_whole_at_the_same_level() -> None:
    counts = make_counts()
    background = 0.1 * counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    cleaned = np.asarray(np.maximum(counts - background, 0), np.float32)
    features = fit(cleaned)
    assert features.state == "counts"
    found = dense(invert(features, cleaned)[0])
    np.testing.assert_array_equal(found, np.rint(found))
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(cleaned.sum(), rel=0.03)
    often = cleaned.mean(0) > 1
    np.testing.assert_allclose(found.mean(0)[often], cleaned.mean(0)[often], rtol=0.15)


def test_errors_of_rounding_change_no_generated_count() -> None:
    counts = make_counts()
    noise = np.random.default_rng(1).uniform(-4e-4, 4e-4, counts.shape)
    noisy = np.asarray(counts + (counts > 0) * noise, np.float32)
    features = fit(noisy)
    assert features.state == "counts"
    found = dense(invert(features, noisy)[0])
    np.testing.assert_array_equal(found, np.rint(found))
