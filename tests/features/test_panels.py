"""Counts of a panel, which are brought to their median total, and rows that keep their totals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio import DiffAug, tl
from diffaug_bio.config import DiffAugConfig, FeatureConfig
from diffaug_bio.features import FeatureInverse, FittedFeatures, fit_features

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray


def fit(matrix: Any, **changes: Any) -> FittedFeatures:
    return fit_features(matrix, FeatureConfig(n_components=6, **changes), seed=0)


def make_panel(n_obs: int = 150, n_genes: int = 30, depth: float = 5.0) -> NDArray[np.float32]:
    """Three kinds of cells, which differ in their totals as well."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, depth, (3, n_genes)) * np.array([[0.5], [1.0], [2.0]])
    return np.asarray(rng.poisson(rates[np.arange(n_obs) % 3]), np.float32)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("totals", ["normalized", "kept"])
def test_rows_of_a_panel_are_those_of_scanpy(container: type, totals: str, counts: AnnData) -> None:
    expected = counts.copy()
    if totals == "normalized":
        sc.pp.normalize_total(expected)  # to the median
    sc.pp.log1p(expected)
    expected.X = expected.X.toarray()
    sc.pp.scale(expected, max_value=10)
    matrix = container(counts.X.toarray())
    fitted = fit(matrix, totals=totals)
    found = fitted.dense_rows(matrix) + fitted.center
    np.testing.assert_allclose(found, expected.X[:, fitted.selected], atol=2e-4)


def test_what_a_row_holds_in_all_counts_where_totals_are_kept() -> None:
    panel = make_panel()
    kept, normalized = fit(panel, totals="kept"), fit(panel)
    assert np.abs(kept.project(panel * 2) - kept.project(panel)).max() > 0.1
    np.testing.assert_allclose(normalized.project(panel * 2), normalized.project(panel), atol=1e-4)


@pytest.mark.parametrize(
    ("n_genes", "depth", "is_panel"),
    [(30, 5, True), (99, 5, True), (100, 5, False), (30, 500, False)],
    ids=["panel", "largest panel", "too many genes", "deep table"],
)
def test_a_panel_has_few_features_and_few_counts(n_genes: int, depth: float, *, is_panel: bool) -> None:
    panel = make_panel(n_genes=n_genes, depth=depth)
    assert fit(panel).target_sum == (np.median(panel.sum(1)) if is_panel else 1e4)


@given(total=st.integers(9900, 10100))
@settings(max_examples=20, deadline=None)
def test_half_the_rows_below_the_library_size_are_a_panel(total: int) -> None:
    rows = np.full((60, 4), 1.0, np.float32)
    rows[:, 0] = np.arange(60) % 7
    rows[:, 3] = total - rows[:, :3].sum(1)
    assert fit(rows).target_sum == min(total, 10_000)


def test_what_is_asked_for_is_done() -> None:
    assert fit(make_panel(), target_sum=500.0).target_sum == 500
    assert fit(make_panel(n_genes=300), totals="kept").target_sum is None
    mostly_empty = np.eye(60, 4, dtype=np.float32) * 2
    assert fit(mostly_empty).target_sum == 1


def test_logged_values_of_a_panel_are_left_as_before() -> None:
    logged = np.log1p(make_panel(depth=1.0) / 7)
    fitted = fit(logged)
    assert fitted.state == "lognormalized"
    np.testing.assert_array_equal(fitted.project(logged), fit(logged, totals="kept").project(logged))


def test_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        fit(make_panel())
        fit(make_panel(), totals="kept")
    told, first, second = (record.getMessage() for record in caplog.records)
    assert "A panel of fewer than 100 features: rows are brought to their median total, 1" in told
    assert "normalised to library size, logged" in first
    assert "each row's total kept, logged" in second


def test_missing_genes_leave_the_others_as_they_are() -> None:
    panel = make_panel()
    fitted = fit(panel, totals="kept")
    columns = np.where(np.arange(30) < 10, -1, np.arange(30))
    whole, part = fitted.dense_rows(panel), fitted.dense_rows(panel, columns)
    present = columns[fitted.selected] >= 0
    np.testing.assert_array_equal(part[:, present], whole[:, present])
    np.testing.assert_array_equal(part[:, ~present], 0)


def test_counts_come_back_from_components() -> None:
    panel = make_panel()
    fitted = fit(panel, totals="kept")
    codes = fitted.project(panel)
    inverse = FeatureInverse.of(fitted, None).calibrated(panel, codes, codes)
    expected = inverse.expected(codes)
    # Unlike at a library size, these are counts: of rows twice as deep, twice as many.
    deep = panel.sum(1) > np.median(panel.sum(1))
    assert expected[deep].sum(1).mean() > 2 * expected[~deep].sum(1).mean()
    assert expected.max() <= panel.max() * 1.001
    assert np.corrcoef(expected.ravel(), panel.ravel())[0, 1] > 0.8
    same = inverse.apply(panel, codes, codes, redraw=0.0, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(same, panel)
    others = np.roll(codes, 3, axis=0)  # each of the same kind
    moved = inverse.apply(panel, codes, others, redraw=1.0, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(moved, np.rint(moved))
    assert np.corrcoef(moved.mean(0), panel.mean(0))[0, 1] > 0.9


def test_totals_change_as_components_say() -> None:
    panel = make_panel()
    kind = np.arange(150) % 3
    fitted = fit(panel, totals="kept")
    codes = fitted.project(panel)
    others = codes.copy()
    others[kind == 0] = codes[kind == 2]  # whose rates are other, and four times as high
    inverse = FeatureInverse.of(fitted, None).calibrated(panel, codes, codes)
    for redraw in (0.0, 1.0):
        moved = inverse.apply(panel, codes, others, redraw=redraw, generator=np.random.default_rng(0))
        totals, wanted = moved.sum(1), panel.sum(1)
        assert totals[kind == 0].mean() == pytest.approx(wanted[kind == 2].mean(), rel=0.2)
        assert totals[kind == 1].mean() == pytest.approx(wanted[kind == 1].mean(), rel=0.05)
        gone = np.linalg.norm(fitted.project(moved)[kind == 0] - others[kind == 0], axis=1).mean()
        assert gone < 0.4 * np.linalg.norm(codes[kind == 0] - others[kind == 0], axis=1).mean()


def test_totals_of_a_batch_become_those_of_the_other(tiny_config: DiffAugConfig) -> None:
    rng = np.random.default_rng(0)
    kind, batch = np.arange(400) % 3, np.arange(400) // 200
    rates = rng.gamma(1.0, 5.0, (3, 30))[kind] * np.where(batch, 2.0, 1.0)[:, None]
    adata = anndata.AnnData(np.asarray(rng.poisson(rates), np.float32))
    adata.obs["batch"] = np.where(batch, "deep", "shallow")
    changes: dict[str, dict[str, object]] = {
        "features": {"totals": "kept"},
        "encoder": {"n_latent": 16, "hidden": [64]},
        "generator": {"width": 64, "n_sampling_steps": 15},
        "train": {"warmup_epochs": 20, "generator_epochs": 60, "encoder_epochs": 10},
    }
    model = tl.fit(adata, config=tiny_config.replace(**changes), batch_key="batch")
    tl.correct_expression(adata, model, batch="shallow")
    before, after = (matrix.sum(1) for matrix in (adata.X, adata.layers["diffaug_corrected"]))
    assert before[batch == 1].mean() > 1.8 * before[batch == 0].mean()
    assert after[batch == 1].mean() < 1.3 * before[batch == 0].mean()


@pytest.mark.parametrize("factor", [0.2, 1.0, 5.0])
def test_rows_of_another_depth_are_warned_of(
    tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture, factor: float
) -> None:
    panel = make_panel(depth=20)
    for totals in ("kept", "normalized"):
        config = tiny_config.replace(features={"totals": totals})
        model = DiffAug(config, device="cpu").fit(panel, feature_names=[f"gene{i}" for i in range(30)])
        caplog.clear()
        some = np.rint(panel[:, 5:] * factor)  # as many in each of the others
        model.transform(some, feature_names=[f"gene{i}" for i in range(5, 30)])
        assert ("counts on average" in caplog.text) == (totals == "kept" and factor != 1)
        caplog.clear()
        model.transform(np.rint(panel[:10] * factor))  # a few rows may differ
        assert "counts on average" not in caplog.text


@pytest.mark.parametrize("totals", ["kept", "normalized"])
def test_what_is_no_counts_has_no_totals(tiny_config: DiffAugConfig, totals: str) -> None:
    config = tiny_config.replace(features={"totals": totals})
    for matrix in (np.log1p(make_panel(depth=1.0) / 7), make_panel() / 7 - 3):
        model = DiffAug(config, device="cpu").fit(matrix)
        assert model.config_.features.totals == "normalized"
        assert isinstance(model.features_, FittedFeatures)
        assert model.features_.target_sum == 1e4


def test_a_model_of_a_panel_says_so_and_is_loaded_as_it_was(
    tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    panel = make_panel()
    for totals in ("kept", "normalized"):
        changes = {"features": {"totals": totals, "target_sum": None}}
        model = DiffAug(tiny_config.replace(**changes), device="cpu").fit(panel)
        decided = model.config_.features
        assert decided.totals == totals
        assert decided.target_sum == (np.median(panel.sum(1)) if totals == "normalized" else None)
        model.save(tmp_path / totals)
        loaded = DiffAug.load(tmp_path / totals, device="cpu")
        assert loaded.config_.features == decided
        np.testing.assert_array_equal(loaded.transform(panel), model.transform(panel))
        assert DiffAug(decided_config(model), device="cpu").fit(panel).config_ == model.config_


def decided_config(model: DiffAug) -> DiffAugConfig:
    """What a fit decided, to fit with it again."""
    return DiffAugConfig.from_dict(model.config_.to_dict(), source="test")
