"""`tl.augment(batch=...)` and `tl.correct_expression`: cells as another batch would have measured them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import DiffAug, DiffAugConfig, tl
from diffaug_bio.errors import InputError
from diffaug_bio.features import FittedFeatures

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

N_GENES = 40
SMALL: dict[str, dict[str, Any]] = {
    "features": {"n_components": 12},
    "encoder": {"n_latent": 12, "hidden": [48]},
    "generator": {"width": 64, "n_blocks": 1, "n_steps": 100, "n_sampling_steps": 8, "ema_decay": 0.99},
    "train": {"warmup_epochs": 15, "generator_epochs": 250, "encoder_epochs": 10, "batch_size": 64},
}
TOTALS = {"features": {"target_sum": 1e4}}  # forty genes stand for all of them
CONFIG = DiffAugConfig().replace(**SMALL).replace(**TOTALS)


def dense(matrix: object) -> NDArray[np.float32]:
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def made() -> AnnData:
    """Counts of 240 cells of three kinds in two donors; the second sees ten genes three times as often."""
    rng = np.random.default_rng(0)
    row = np.arange(240)
    rates = rng.gamma(0.8, 5.0, (3, N_GENES))[row % 3] * rng.lognormal(0, 0.2, (240, 1))
    rates[120:, :10] *= 3
    counts = rng.poisson(rates)
    obs = pd.DataFrame(
        {"donor": np.where(row < 120, "a", "b"), "kind": [f"k{number}" for number in row % 3]},
        index=[f"cell{number}" for number in row],
    )
    var = pd.DataFrame(index=[f"gene{number}" for number in range(N_GENES)])
    return anndata.AnnData(sparse.csr_matrix(counts.astype(np.float32)), obs=obs, var=var)


@pytest.fixture(scope="module")
def model(made: AnnData) -> DiffAug:
    return tl.fit(made.copy(), config=CONFIG, batch_key="donor", device="cpu")


@pytest.fixture
def cells(made: AnnData) -> AnnData:
    return made.copy()


def share(matrix: object) -> NDArray[np.float64]:
    """Of each cell's counts, how many are of the ten genes that the second donor sees more of."""
    values = dense(matrix)
    return np.asarray(values[:, :10].sum(1) / values.sum(1))


def kinds_by_profile(matrix: object, cells: AnnData) -> NDArray[np.str_]:
    """Kind whose mean over the other genes is nearest; of all cells."""
    values, known = dense(matrix)[:, 10:], dense(cells.X)[:, 10:]
    names = np.unique(cells.obs["kind"])
    means = np.array([known[(cells.obs["kind"] == name).to_numpy()].mean(0) for name in names])
    shares = means / means.sum(1, keepdims=True)
    away = np.abs(values[:, None] / values.sum(1)[:, None, None] - shares[None]).sum(2)
    return np.asarray(names[away.argmin(1)], dtype=np.str_)


@pytest.mark.parametrize("strength", [None, 1.0])
def test_cells_are_made_as_the_other_batch_would_have_measured_them(
    cells: AnnData, model: DiffAug, strength: float | None
) -> None:
    real = share(cells.X)
    a, b = real[:120].mean(), real[120:].mean()
    for name, expected in (("a", a), ("b", b)):
        generated = tl.augment(cells, model, batch=name, strength=strength)
        values = dense(generated.X)
        np.testing.assert_array_equal(values, np.rint(values))
        assert isinstance(generated.X, sparse.csr_matrix)
        for rows in (slice(0, 120), slice(120, 240)):
            assert abs(share(generated.X)[rows].mean() - expected) < 0.4 * (b - a)
        assert (kinds_by_profile(generated.X, cells) == cells.obs["kind"]).mean() > 0.95
        assert list(generated.obs["donor"]) == list(cells.obs["donor"])  # that of the source


def test_without_a_name_each_is_made_in_its_own_batch(cells: AnnData, model: DiffAug) -> None:
    real, found = share(cells.X), share(tl.augment(cells, model).X)
    apart = real[120:].mean() - real[:120].mean()
    assert abs(found[:120].mean() - real[:120].mean()) < 0.25 * apart
    assert abs(found[120:].mean() - real[120:].mean()) < 0.25 * apart
    # Of the batch that is asked for, nothing is moved.
    one = cells[120:].copy()
    np.testing.assert_array_equal(
        dense(tl.augment(one, model).X), dense(tl.augment(one, model, batch="b").X)
    )


@pytest.mark.parametrize("change", ["no column", "unknown", "missing"])
def test_cells_of_no_known_batch_are_made_in_none(
    cells: AnnData, model: DiffAug, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    in_own = dense(tl.augment(cells, model).X)
    if change == "no column":
        del cells.obs["donor"]
    else:
        cells.obs["donor"] = np.nan if change == "missing" else "z"
    with caplog.at_level("INFO", logger="diffaug_bio"):
        found = dense(tl.augment(cells, model).X)
    assert (
        "240 of 240 rows have no batch that the model was fitted on, and are generated in no batch"
        in caplog.text
    )
    assert (found != in_own).any(1).mean() > 0.9
    # They can be made in one nevertheless.
    assert abs(share(tl.augment(cells, model, batch="b").X).mean() - share(cells.X)[120:].mean()) < 0.1


def test_some_cells_of_a_known_batch_are_made_in_it(cells: AnnData, model: DiffAug) -> None:
    cells.obs["donor"] = cells.obs["donor"].where(np.arange(240) >= 120)
    found, expected = share(tl.augment(cells, model).X), share(cells.X)
    assert abs(found[120:].mean() - expected[120:].mean()) < 0.05


def test_views_balance_and_seeds_work_in_a_batch_too(cells: AnnData, model: DiffAug) -> None:
    both = tl.augment(cells, model, batch="b", n_views=2)
    again = tl.augment(cells, model, batch="b", random_state=1)
    np.testing.assert_array_equal(dense(both[240:].X), dense(again.X))
    few = cells[np.r_[0:200:3, 1:30:3]].copy()
    more = tl.augment(few, model, batch="b", groupby="kind", target=67)
    assert more.obs["kind"].value_counts().to_dict() == {"k1": 57}
    assert abs(share(more.X).mean() - share(both.X).mean()) < 0.15


def test_corrected_counts_are_those_of_one_batch(cells: AnnData, model: DiffAug, tmp_path: Path) -> None:
    before = cells.copy()
    assert tl.correct_expression(cells, model, batch="b") is None  # type: ignore[func-returns-value]
    found = cells.layers["diffaug_corrected"]
    assert isinstance(found, sparse.csr_matrix)
    assert found.dtype == np.float32
    values, sources = dense(found), dense(before.X)
    np.testing.assert_array_equal(values, np.rint(values))
    np.testing.assert_array_equal(values[120:], sources[120:])  # of that batch already
    real = share(before.X)
    apart = real[120:].mean() - real[:120].mean()
    assert abs(share(found)[:120].mean() - real[120:].mean()) < 0.4 * apart
    assert (kinds_by_profile(found, before) == cells.obs["kind"]).mean() > 0.95
    assert abs(values[:120].sum() / sources[:120].sum() - 1) < 0.1
    # Everything else is as it was, and it can be written.
    np.testing.assert_array_equal(dense(cells.X), sources)
    pd.testing.assert_frame_equal(cells.obs, before.obs)
    cells.write_h5ad(tmp_path / "cells.h5ad")


def test_features_that_the_model_left_out_stay(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    config = tiny_config.replace(features={"n_top_features": 25})
    plain = tl.fit(cells, config=config, batch_key="donor", device="cpu")
    assert isinstance(plain.features_, FittedFeatures)
    others = np.setdiff1d(np.arange(N_GENES), plain.features_.selected)
    tl.correct_expression(cells, plain, batch="b")
    assert len(others) == 15
    found = dense(cells.layers["diffaug_corrected"])
    np.testing.assert_array_equal(found[:, others], dense(cells.X)[:, others])
    assert (found != dense(cells.X)).any()


def test_corrected_counts_are_nearer_to_their_source_than_generated_ones(
    cells: AnnData, model: DiffAug
) -> None:
    tl.correct_expression(cells, model, batch="b", key_added="as_b")
    sources = dense(cells.X)[:120, 10:]
    corrected = np.abs(dense(cells.layers["as_b"])[:120, 10:] - sources).mean()
    generated = np.abs(dense(tl.augment(cells, model, batch="b").X)[:120, 10:] - sources).mean()
    assert corrected < 0.7 * generated


def test_correction_repeats_itself_and_takes_a_folder(
    cells: AnnData, model: DiffAug, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    tl.correct_expression(cells, model, batch="b")
    tl.correct_expression(cells, tmp_path / "model", batch="b", key_added="again", device="cpu")
    tl.correct_expression(cells, model, batch="b", key_added="other", random_state=1)
    first, again, other = (dense(cells.layers[name]) for name in ("diffaug_corrected", "again", "other"))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_logged_expression_and_dense_layers_are_corrected(cells: AnnData) -> None:
    factors = sparse.diags(1e4 / np.asarray(cells.X.sum(1)).ravel())
    counts = cells.copy()
    cells.layers["logged"] = dense(sparse.csr_matrix(factors @ cells.X, dtype=np.float32).log1p())
    model = tl.fit(cells, config=CONFIG, layer="logged", batch_key="donor", device="cpu")
    tl.correct_expression(cells, model, batch="b")
    found = cells.layers["diffaug_corrected"]
    assert isinstance(found, np.ndarray)
    real = share(counts.X)
    linear = np.expm1(found)
    assert linear.min() >= 0
    apart = real[120:].mean() - real[:120].mean()
    assert abs(share(linear)[:120].mean() - real[120:].mean()) < 0.4 * apart
    np.testing.assert_allclose(found[120:], cells.layers["logged"][120:], rtol=0, atol=1e-3)


def test_measured_values_are_corrected(made: AnnData) -> None:
    rng = np.random.default_rng(0)
    row = np.arange(200)
    values = rng.normal(0, 1, (200, 12)) + rng.normal(0, 3, (4, 12))[row % 4]
    values[100:, :4] += 3
    table = anndata.AnnData(values.astype(np.float32), obs=made.obs.iloc[:200].copy())
    table.obs["site"] = np.where(row < 100, "x", "y")
    model = tl.fit(table, config=CONFIG, batch_key="site", device="cpu")
    tl.correct_expression(table, model, batch="x")
    found = table.layers["diffaug_corrected"]
    np.testing.assert_allclose(found[:100], values[:100], rtol=0, atol=1e-4)
    moved = (found - values)[100:].mean(0)
    assert (np.abs(moved[:4] + 3) < 1).all()
    assert (np.abs(moved[4:]) < 1).all()


@pytest.mark.parametrize("function", [tl.augment, tl.correct_expression])
def test_a_batch_that_the_model_does_not_know_is_refused(
    cells: AnnData, model: DiffAug, function: Any
) -> None:
    with pytest.raises(InputError, match=r"The model knows no batch 'c'\. It was fitted on 'a', 'b'\."):
        function(cells, model, batch="c")


@pytest.mark.parametrize("function", [tl.augment, tl.correct_expression])
def test_a_model_without_batches_is_refused(
    cells: AnnData, tiny_config: DiffAugConfig, function: Any
) -> None:
    plain = tl.fit(cells, config=tiny_config, device="cpu")
    with pytest.raises(
        InputError, match=r"knows no batch 'b'\. It was fitted without batches: fit it with"
    ):
        function(cells, plain, batch="b")


def test_a_model_without_generator_corrects_nothing(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    config = tiny_config.replace(train={"generated_views": "none"})
    plain = tl.fit(cells, config=config, batch_key="donor", device="cpu")
    with pytest.raises(InputError, match=r"This model has no generator"):
        tl.correct_expression(cells, plain, batch="b")
    assert not cells.layers


@pytest.mark.parametrize("choice", [{"use_raw": True}, {"use_rep": "X_pca"}], ids=["raw", "obsm"])
def test_what_is_no_layer_is_not_written_as_one(
    cells: AnnData, tiny_config: DiffAugConfig, choice: dict[str, Any]
) -> None:
    cells.raw = cells.copy()
    cells.obsm["X_pca"] = dense(cells.X)[:, :20]
    plain = tl.fit(cells, config=tiny_config, **choice, batch_key="donor", device="cpu")
    with pytest.raises(InputError, match=r"which is no layer\. Fit one on `\.X` or a layer"):
        tl.correct_expression(cells, plain, batch="b")


def test_more_dense_values_than_fit_into_memory_are_refused(
    cells: AnnData, model: DiffAug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffaug_bio.model.sampling._MAX_VALUES", cells.n_obs * (N_GENES - 1))
    tl.correct_expression(cells, model, batch="b")  # sparse
    cells.X = dense(cells.X)
    with pytest.raises(InputError, match=r"240 rows of 40 generated values do not fit into memory"):
        tl.correct_expression(cells, model, batch="b")


def test_settings_of_a_correction_are_checked(cells: AnnData, model: DiffAug) -> None:
    with pytest.raises(InputError, match=r"`n_draws`"):
        tl.correct_expression(cells, model, batch="b", n_draws=0)
    with pytest.raises(InputError, match=r"There is no expression to correct"):
        tl.correct_expression(cells[:0].copy(), model, batch="b")
