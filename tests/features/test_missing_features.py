"""Features that are missing are estimated from the others, which is much nearer than the training mean."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from scipy import sparse

from diffaug_bio import DiffAug
from diffaug_bio.config import FeatureConfig
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.features import FittedFeatures, widened
from diffaug_bio.features import _axes as axes_module
from tests.features.conftest import fit, make_clusters

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig

STATES = ["counts", "normalized", "lognormalized", "continuous", "scaled", "representation"]
SEEDS = st.integers(0, 2**16)


def low_rank(n_obs: int, n_vars: int = 40, *, rank: int = 4, noise: float = 0.01) -> NDArray[np.float32]:
    """Measured values of a few factors, and noise."""
    loadings = np.random.default_rng(7).normal(size=(rank, n_vars))
    rng = np.random.default_rng(n_obs)
    rows = rng.normal(size=(n_obs, rank)) @ loadings + noise * rng.normal(size=(n_obs, n_vars))
    return np.asarray(rows + 5, np.float32)


def expression(n_obs: int, *, seed: int) -> NDArray[np.float32]:
    """Counts of two programs of 60 genes."""
    means = np.random.default_rng(3).gamma(2.0, 2.0, (3, 60))
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([0.5] * 3, n_obs)
    return rng.poisson(shares @ means).astype(np.float32)


def make(state: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Training rows and later rows of a state."""
    if state in {"continuous", "representation", "scaled"}:
        rows = low_rank(400, noise=0.5)
        rows = (rows - rows.mean(0)) / rows.std(0) if state == "scaled" else rows
        return rows[:200], rows[200:]
    counts = expression(400, seed=0)
    library = np.maximum(counts.sum(1, keepdims=True), 1)
    rows = counts if state == "counts" else counts / library * 1e4
    rows = np.log1p(rows) if state == "lognormalized" else rows
    return rows[:200], rows[200:]


def without(n_vars: int, missing: NDArray[np.int64]) -> NDArray[np.int64]:
    columns = np.arange(n_vars)
    columns[missing] = -1
    return columns


def by_mean(features: FittedFeatures) -> FittedFeatures:
    """Put in the training mean of missing features: components are all noise."""
    variances = np.ones_like(features.variances)
    return dataclasses.replace(features, variances=variances, noise=np.ones(1, np.float32))


def distance(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.square(found - expected).sum() / np.square(expected).sum())


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_scores_of_few_factors_are_all_but_found_again(seed: int) -> None:
    features, later = fit(low_rank(200)), low_rank(150)
    missing = np.random.default_rng(seed).permutation(40)[:20]
    columns = without(40, missing)
    whole = features.project(later)
    assert distance(features.project(later, columns), whole) < 0.002
    assert distance(by_mean(features).project(later, columns), whole) > 0.1


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("state", STATES)
def test_scores_are_nearer_than_with_the_mean_in_every_state(state: str, share: float) -> None:
    training, later = make(state)
    n_vars = training.shape[1]
    features = fit(training, FeatureConfig(n_components=6, input_state=state))  # type: ignore[arg-type]
    whole = features.project(later)
    for seed in range(5):
        missing = np.random.default_rng(seed).permutation(n_vars)[: int(share * n_vars)]
        columns = without(n_vars, missing)
        found = distance(features.project(later, columns), whole)
        assert found < 0.9 * distance(by_mean(features).project(later, columns), whole)


@pytest.mark.parametrize("state", STATES)
def test_containers_agree_and_the_order_of_columns_does_not_matter(state: str) -> None:
    training, later = make(state)
    n_vars = training.shape[1]
    config = FeatureConfig(n_components=6, input_state=state)  # type: ignore[arg-type]
    features = fit(sparse.csr_matrix(training), config)
    columns = without(n_vars, np.arange(0, n_vars, 3))
    expected = features.project(later, columns)
    # What is there need not be in the data at all, nor in order.
    present = np.flatnonzero(columns >= 0)
    order = np.random.default_rng(0).permutation(len(present))
    moved = np.full(n_vars, -1)
    moved[present[order]] = np.arange(len(present))
    for container in (np.asarray, sparse.csr_matrix):
        found = features.project(container(later[:, present[order]]), moved)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(features.project(container(later), columns), expected, atol=1e-5)


def test_sparse_rows_are_never_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    training, later = make("counts")
    features = fit(training)
    monkeypatch.setattr(sparse.csr_matrix, "toarray", lambda _: pytest.fail("made dense"))
    features.project(sparse.csr_matrix(later), without(60, np.arange(30)))


@pytest.mark.parametrize("state", ["counts", "continuous"])
def test_the_more_features_the_nearer(state: str) -> None:
    training, later = make(state)
    n_vars = training.shape[1]
    features = fit(training)
    whole = features.project(later)
    errors = np.zeros(8)
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(n_vars)
        for step, n_missing in enumerate(np.linspace(n_vars - 5, 0, 8).astype(int)):
            columns = without(n_vars, order[:n_missing])
            errors[step] += distance(features.project(later, columns), whole)
    assert (np.diff(errors) < 0).all()
    assert errors[-1] == 0
    assert errors[-2] < 0.1 * errors[0]


def test_all_features_are_the_same_bits_as_without_columns() -> None:
    training, later = make("counts")
    features = fit(training, FeatureConfig(n_top_features=30, n_components=6))
    np.testing.assert_array_equal(features.project(later, np.arange(60)), features.project(later))
    np.testing.assert_array_equal(by_mean(features).project(later), features.project(later))
    # Nor does a feature matter that the model does not use, but for the library size.
    config = FeatureConfig(n_top_features=30, n_components=6, input_state="lognormalized")
    logged = fit(np.log1p(training), config)
    assert len(logged.selected) == 30
    columns = without(60, np.setdiff1d(np.arange(60), logged.selected))
    np.testing.assert_array_equal(logged.project(np.log1p(later), columns), logged.project(np.log1p(later)))


@pytest.mark.parametrize("n_present", [0, 1, 3, 10])
@pytest.mark.parametrize("n_obs", [10, 20, 200])
def test_what_is_hardly_known_is_not_blown_up(n_obs: int, n_present: int) -> None:
    # As many components as there can be, which explain every training row.
    rows, later = low_rank(n_obs, noise=1.0), low_rank(150, noise=1.0)
    features = fit(rows, FeatureConfig(n_components=128))
    whole = features.project(later)
    errors = []
    for seed in range(10):
        columns = without(40, np.random.default_rng(seed).permutation(40)[n_present:])
        found = features.project(later, columns)
        mean = by_mean(features).project(later, columns)
        errors.append((distance(found, whole), distance(mean, whole)))
    estimated, mean = np.mean(errors, 0)
    assert estimated <= mean
    assert np.isfinite(found).all()
    if n_present == 0:
        np.testing.assert_allclose(found, 0, atol=1e-5)


def test_data_without_noise_and_a_single_row_are_fine() -> None:
    features = fit(low_rank(100, rank=2, noise=0))
    assert features.noise[0] > 0
    later = low_rank(50, rank=2, noise=0)
    columns = without(40, np.arange(20))
    whole = features.project(later)
    assert distance(features.project(later, columns), whole) < 0.002
    np.testing.assert_allclose(
        features.project(later[:1], columns), features.project(later, columns)[:1], atol=1e-5
    )


@pytest.mark.parametrize("kind", ["gram", "wide", "iterated"])
def test_variances_and_noise_are_those_of_the_rows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_clusters(40, 60) if kind == "wide" else make_clusters(300, 30)
    if kind == "iterated":
        monkeypatch.setattr(axes_module, "_LARGEST_GRAM", 5)
    features = fit(rows)
    np.testing.assert_allclose(features.variances, features.project(rows).var(0), rtol=1e-3)
    assert features.variances.mean() == pytest.approx(1, rel=1e-4)
    dense = features.dense_rows(rows).astype(np.float64)
    axes = features.components * np.sqrt(1 / np.square(features.components).sum(0))
    left = np.square(dense - dense @ axes @ axes.T).sum() / ((len(rows) - 7) * (rows.shape[1] - 6))
    unit = np.square(features.components).sum(0).mean()  # of one standardised feature, in scores
    np.testing.assert_allclose(features.noise, left * unit, rtol=1e-2)
    assert features.variances.dtype == features.noise.dtype == np.float32


def test_wider_components_have_variances_of_their_own() -> None:
    rows = low_rank(200, noise=0.5)
    features = fit(rows)
    wider = widened(features, rows, 12, seed=0)
    assert wider.variances.shape == (12,)
    expected = fit(rows, FeatureConfig(n_components=12))
    np.testing.assert_allclose(wider.variances, expected.variances, rtol=1e-5)
    np.testing.assert_allclose(wider.noise, expected.noise, rtol=1e-5)
    columns = without(40, np.arange(15))
    np.testing.assert_allclose(wider.project(rows, columns), expected.project(rows, columns), atol=1e-4)


def test_a_model_keeps_its_variances_and_is_refused_without(
    counts: AnnData, fitted: DiffAug, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "model")
    weights = tmp_path / "model" / "weights.safetensors"
    arrays = load_file(weights)
    half = {"X": counts.X[:, :20], "feature_names": list(counts.var_names[:20])}
    expected = fitted.transform(**half)
    again = DiffAug.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(again.features_.variances, fitted.features_.variances)  # type: ignore[attr-defined]
    np.testing.assert_allclose(again.transform(**half), expected, atol=1e-6)
    held = {name: arrays.pop(f"features.{name}") for name in ("variances", "noise")}
    for changed, message in (
        ({**held, "variances": held["variances"][1:]}, r"variances' has the shape \(7,\)"),
        ({**held, "noise": np.zeros(2, np.float32)}, r"noise' has the shape"),
        ({"variances": held["variances"]}, r"noise' is missing"),
    ):
        save_file({**arrays, **{f"features.{name}": array for name, array in changed.items()}}, weights)
        with pytest.raises(CheckpointError, match=message):
            DiffAug.load(tmp_path / "model")


def test_without_a_front_end_missing_features_are_the_mean(
    counts: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny_config.replace(features={"front_end": "none"})
    names = list(counts.var_names)
    model = DiffAug(config, device="cpu").fit(counts.X, feature_names=names)
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        model.transform(counts.X[:, :20], feature_names=names[:20])
    assert "Missing ones count as the training mean: 'gene20'" in caplog.text
    assert isinstance(model.features_, FittedFeatures)
    rows = model.features_.dense_rows(counts.X, without(40, np.arange(20)))
    np.testing.assert_array_equal(rows[:, :20], 0)


def test_only_features_that_the_model_uses_are_asked_for(
    counts: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny_config.replace(features={"n_top_features": 10})
    names = list(counts.var_names)
    model = DiffAug(config, device="cpu").fit(counts.X, feature_names=names)
    used = model.features_.selected  # type: ignore[attr-defined]
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        model.transform(counts.X[:, used], feature_names=[names[column] for column in used])
    assert "10 of the 10 features that the model uses are in the data." in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    others = np.setdiff1d(np.arange(40), used)
    with pytest.raises(InputError, match=r"Only 0 of the 10 features that the model uses are in the data"):
        model.transform(counts.X[:, others], feature_names=[names[column] for column in others])
