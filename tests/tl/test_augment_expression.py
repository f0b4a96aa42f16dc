"""`tl.augment` of cells: counts and logged expression, rare classes, strength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import tl
from diffaug_bio.errors import InputError
from diffaug_bio.features import FeatureInverse, FittedFeatures

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAug, DiffAugConfig

N_GENES = 50
SIZES = (60, 45, 12, 1)


@pytest.fixture
def cells() -> AnnData:
    """Counts of four kinds of cells, of which two are rare, with a gene that is never seen."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(4), SIZES)
    rates = rng.gamma(0.5, 6.0, (4, N_GENES))
    rates[:, 9] = 0
    values = rng.poisson(rates[kind] * rng.lognormal(0, 0.3, (len(kind), 1)))
    names = pd.Categorical([f"k{number}" for number in kind], categories=["k0", "k1", "k2", "k3", "none"])
    obs = pd.DataFrame({"kind": names}, index=[f"cell{number}" for number in range(len(kind))])
    obs.loc["cell3", "kind"] = np.nan
    var = pd.DataFrame({"length": np.arange(N_GENES)}, index=[f"gene{number}" for number in range(N_GENES)])
    return anndata.AnnData(X=sparse.csr_matrix(values.astype(np.float32)), obs=obs, var=var)


def logged_copy(cells: AnnData) -> AnnData:
    """The same with counts in a layer and in `.raw`, and `.X` logged."""
    logged = cells.copy()
    logged.raw = cells.copy()
    logged.layers["counts"] = cells.X.copy()
    factors = sparse.diags(1e4 / np.asarray(cells.X.sum(1)).ravel())
    logged.X = sparse.csr_matrix(factors @ cells.X, dtype=np.float32).log1p()
    return logged


def fit(adata: AnnData, config: DiffAugConfig, **options: Any) -> DiffAug:
    return tl.fit(adata, config=config, **options, device="cpu")


def dense(adata: AnnData) -> NDArray[np.float32]:
    return np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X)


def check_counts(generated: AnnData, cells: AnnData) -> None:
    """Whole numbers, totals about those of the sources, and everything else in its place."""
    assert isinstance(generated.X, sparse.csr_matrix)
    assert generated.X.dtype == np.float32
    values, sources = dense(generated), cells[list(generated.obs["source"])]
    np.testing.assert_array_equal(values, np.rint(values))
    assert values.min() == 0
    totals, expected = values.sum(1), dense(sources).sum(1)
    assert abs(totals.sum() / expected.sum() - 1) < 0.1
    assert list(generated.var_names) == list(cells.var_names)
    assert generated.obs_names.is_unique
    assert generated.obs["generated"].all()
    assert list(generated.obs["kind"].astype(str)) == list(sources.obs["kind"].astype(str))


def test_counts_become_counts_and_stay_sparse(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    before = cells.copy()
    generated = tl.augment(cells, fit(cells, tiny_config), n_views=2)
    assert generated.n_obs == 2 * cells.n_obs
    check_counts(generated, cells)
    pd.testing.assert_frame_equal(generated.var, cells.var)
    assert dense(generated)[:, 9].sum() == 0
    assert (dense(generated[: cells.n_obs]) != dense(cells)).any(1).all()
    # What it was made from is as it was.
    np.testing.assert_array_equal(dense(cells), dense(before))
    pd.testing.assert_frame_equal(cells.obs, before.obs)


def test_genes_that_the_model_left_out_are_those_of_the_source(
    cells: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(cells, tiny_config.replace(features={"n_top_features": 20}))
    assert isinstance(model.features_, FittedFeatures)
    others = np.setdiff1d(np.arange(N_GENES), model.features_.selected)
    assert len(others) == N_GENES - 20
    generated = tl.augment(cells, model)
    np.testing.assert_array_equal(dense(generated)[:, others], dense(cells)[:, others])
    check_counts(generated, cells)


@pytest.mark.parametrize("container", [sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array])
def test_any_sparse_matrix_gives_the_same(
    cells: AnnData, tiny_config: DiffAugConfig, container: Any
) -> None:
    model = fit(cells, tiny_config)
    other = anndata.AnnData(X=sparse.csr_matrix(cells.X), obs=cells.obs, var=cells.var)
    matrix = container(cells.X)
    other.X = matrix if matrix.format != "coo" else matrix.tocsc()
    np.testing.assert_array_equal(dense(tl.augment(other, model)), dense(tl.augment(cells, model)))


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float64])
def test_dense_counts_stay_dense_and_are_the_same(
    cells: AnnData, tiny_config: DiffAugConfig, dtype: type
) -> None:
    model = fit(cells, tiny_config)
    other = anndata.AnnData(X=dense(cells).astype(dtype), obs=cells.obs, var=cells.var)
    generated = tl.augment(other, model)
    assert isinstance(generated.X, np.ndarray)
    np.testing.assert_array_equal(generated.X, dense(tl.augment(cells, model)))


def test_a_model_without_front_end_generates_counts(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    config = tiny_config.replace(features={"front_end": "none"})
    check_counts(tl.augment(cells, fit(cells, config)), cells)


def test_genes_in_another_order_and_views_of_data_give_the_same(
    cells: AnnData, tiny_config: DiffAugConfig
) -> None:
    model = fit(cells, tiny_config)
    turned = tl.augment(cells[:, ::-1], model)
    np.testing.assert_array_equal(dense(turned)[:, ::-1], dense(tl.augment(cells, model)))
    assert list(turned.var["length"]) == list(range(N_GENES))[::-1]
    check_counts(tl.augment(cells[::2], model, n_views=2), cells)


@pytest.mark.parametrize("choice", [{"layer": "counts"}, {"use_raw": True}], ids=["layer", "raw"])
def test_counts_of_a_layer_or_of_raw_become_counts(
    cells: AnnData, tiny_config: DiffAugConfig, choice: dict[str, Any]
) -> None:
    logged = logged_copy(cells)
    generated = tl.augment(logged, fit(logged, tiny_config, **choice), groupby="kind")
    check_counts(generated, cells)
    pd.testing.assert_frame_equal(generated.var, cells.var)
    expected = tl.augment(cells, fit(cells, tiny_config), groupby="kind")
    np.testing.assert_array_equal(dense(generated), dense(expected))


def test_logged_expression_is_that_of_counts(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    logged = logged_copy(cells)
    generated = tl.augment(logged, fit(logged, tiny_config))
    assert isinstance(generated.X, sparse.csr_matrix)
    library = dense(cells).sum(1, keepdims=True)
    made = np.expm1(dense(generated)) * library / 1e4
    np.testing.assert_allclose(made, np.rint(made), rtol=0, atol=1e-2)
    assert made.min() == 0
    assert (np.rint(made) != dense(cells)).mean() > 0.1


@pytest.mark.parametrize("n_obs", [1, 3])
def test_a_few_cells_are_augmented_and_not_copied(
    cells: AnnData, tiny_config: DiffAugConfig, n_obs: int
) -> None:
    few = cells[:n_obs].copy()
    generated = tl.augment(few, fit(cells, tiny_config), n_views=5)
    values = dense(generated)
    np.testing.assert_array_equal(values, np.rint(values))
    for one in values:
        assert (one != dense(few)).any(1).all()


def test_cells_without_counts_stay_empty(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    model = fit(cells, tiny_config)
    values = cells.X.tolil()
    values[[4, 70]] = 0
    cells.X = sparse.csr_matrix(values)
    generated = dense(tl.augment(cells, model))
    assert generated[[4, 70]].sum() == 0
    assert (generated.sum(1) > 0).sum() == cells.n_obs - 2


def test_rare_classes_are_brought_to_one_size(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    more = tl.augment(cells, fit(cells, tiny_config), groupby="kind", target=45)
    check_counts(more, cells)
    assert more.obs["kind"].astype(str).value_counts().to_dict() == {"k3": 44, "k2": 33}
    together = anndata.concat([cells, more])
    assert list(together.var_names) == list(cells.var_names)
    assert together.obs_names.is_unique
    sizes = together.obs["kind"].dropna().astype(str).value_counts().to_dict()
    assert sizes == {"k0": 59, "k1": 45, "k2": 45, "k3": 45}
    # Of the one cell of its kind there are 44, all different.
    of_one = dense(more[(more.obs["kind"] == "k3").to_numpy()])
    assert len(np.unique(of_one, axis=0)) == 44


def test_the_second_view_is_that_of_the_next_seed(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    model = fit(cells, tiny_config)
    both = tl.augment(cells, model, n_views=2, random_state=5)
    for view, seed in ((both[: cells.n_obs], 5), (both[cells.n_obs :], 6)):
        alone = tl.augment(cells, model, random_state=seed)
        np.testing.assert_array_equal(dense(view), dense(alone))
        assert list(view.obs_names) == list(alone.obs_names)
    assert (dense(both[: cells.n_obs]) != dense(both[cells.n_obs :])).any()


def test_classes_balanced_with_one_seed_are_the_same(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    model = fit(cells, tiny_config)
    first, again, other = (
        tl.augment(cells, model, groupby="kind", random_state=seed) for seed in (2, 2, 3)
    )
    assert list(first.obs_names) == list(again.obs_names)
    np.testing.assert_array_equal(dense(first), dense(again))
    assert (dense(first) != dense(other)).any()


@pytest.mark.parametrize("logged", [False, True], ids=["counts", "logged"])
def test_the_stronger_the_further_from_the_source(
    cells: AnnData, tiny_config: DiffAugConfig, *, logged: bool
) -> None:
    adata = logged_copy(cells) if logged else cells
    model = fit(adata, tiny_config)
    away = [
        np.abs(dense(tl.augment(adata, model, strength=strength)) - dense(adata)).mean()
        for strength in (0.1, 0.5, 1)
    ]
    assert away == sorted(away)
    assert away[2] > 1.2 * away[0]
    by_default = np.abs(dense(tl.augment(adata, model)) - dense(adata)).mean()
    assert by_default == away[1]


def test_guidance_changes_what_is_generated(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    # Blocks of the denoiser start as the identity: what a condition says is learned, and takes a while.
    model = fit(cells, tiny_config.replace(train={"generator_epochs": 20}))
    none, plain, guided = (tl.augment(cells, model, guidance=value) for value in (None, 1.0, 2.0))
    np.testing.assert_array_equal(dense(none), dense(plain))
    assert (dense(none) != dense(guided)).mean() > 0.1
    check_counts(guided, cells)


@pytest.mark.parametrize("strength", [0, 2, -0.1, float("nan"), "much", True])
def test_a_strength_that_is_none_is_refused(cells: AnnData, strength: Any) -> None:
    with pytest.raises(InputError, match="`strength`"):
        tl.augment(cells, "nowhere", strength=strength)


@pytest.mark.parametrize("guidance", [float("inf"), "much", True])
def test_a_guidance_that_is_none_is_refused(cells: AnnData, guidance: Any) -> None:
    with pytest.raises(InputError, match="`guidance`"):
        tl.augment(cells, "nowhere", guidance=guidance)


def test_a_strength_of_numpy_is_one(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    model = fit(cells, tiny_config)
    found = tl.augment(cells, model, strength=np.float32(0.25))  # type: ignore[arg-type]
    np.testing.assert_array_equal(dense(found), dense(tl.augment(cells, model, strength=0.25)))


def test_missing_genes_are_told_once(
    cells: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    model = fit(cells, tiny_config)
    caplog.clear()
    with caplog.at_level("INFO", logger="diffaug_bio"):
        tl.augment(cells[:, :30].copy(), model, n_views=3)
    assert sum("Missing ones" in record.message for record in caplog.records) == 1
    assert len({record.message for record in caplog.records}) == len(caplog.records)


def test_few_rows_to_learn_noise_from_are_warned_of(
    cells: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    model = fit(cells, tiny_config)
    caplog.clear()
    tl.augment(cells[:50].copy(), model)
    assert not caplog.records
    tl.augment(cells[:12].copy(), model)
    assert "needs 50 rows; there are 12. Poisson noise is taken instead" in caplog.text


@pytest.mark.parametrize(
    ("n_other", "said"),
    [
        (0, None),
        (18, "100 of 118 rows are made of counts; the others change in proportion"),
        (118, "0 of 118 rows are made of counts; all change in proportion"),
    ],
)
def test_expression_that_is_not_made_of_counts_is_told(
    cells: AnnData,
    tiny_config: DiffAugConfig,
    caplog: pytest.LogCaptureFixture,
    n_other: int,
    said: str | None,
) -> None:
    logged = logged_copy(cells)
    values = dense(logged).copy()
    factors = np.random.default_rng(0).uniform(0.5, 1.5, (n_other, N_GENES))
    values[:n_other] = np.log1p(np.expm1(values[:n_other]) * factors)
    logged.X = sparse.csr_matrix(values)
    model = fit(logged, tiny_config)
    with caplog.at_level("INFO", logger="diffaug_bio"):
        tl.augment(logged, model, n_views=2)
    found = [record.message for record in caplog.records if "made of counts" in record.message]
    assert found == ([] if said is None else [f"{said}."])


@pytest.mark.parametrize(
    ("container", "n_views", "fits"),
    [("dense", 1, True), ("dense", 3, False), ("sparse", 3, True), ("sparse", 1, True)],
)
def test_more_dense_values_than_fit_into_memory_are_refused_at_once(
    cells: AnnData,
    tiny_config: DiffAugConfig,
    monkeypatch: pytest.MonkeyPatch,
    container: str,
    n_views: int,
    *,
    fits: bool,
) -> None:
    model = fit(cells, tiny_config)
    if container == "dense":
        cells.X = dense(cells)
    monkeypatch.setattr("diffaug_bio.model.sampling._MAX_VALUES", 2 * cells.n_obs * N_GENES)
    if fits:
        assert tl.augment(cells, model, n_views=n_views).n_obs == n_views * cells.n_obs
        return
    monkeypatch.delattr(FeatureInverse, "calibrated")  # it is refused before anything is learned
    with pytest.raises(InputError, match=r"354 rows of 50 generated values .* at most 236 in a call: from"):
        tl.augment(cells, model, n_views=n_views)


def test_sources_are_checked_before_a_model_is_read(cells: AnnData) -> None:
    with pytest.raises(InputError, match=r"'type' in `\.obs`.*'kind'"):
        tl.augment(cells, "nowhere", groupby="type")


def test_a_model_without_generator_is_refused(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    config = tiny_config.replace(train={"generated_views": "none"})
    with pytest.raises(InputError, match=r"This model has no generator: .* Fit one with a generator"):
        tl.augment(cells, fit(cells, config))


def test_cells_of_generated_cells_can_be_embedded_and_written(
    cells: AnnData, tiny_config: DiffAugConfig, tmp_path: Any
) -> None:
    logged = logged_copy(cells)
    model = fit(logged, tiny_config, layer="counts")
    more = tl.augment(logged, model, groupby="kind")
    tl.project(more, model)
    assert more.obsm["X_diffaug"].shape == (more.n_obs, 6)
    more.write_h5ad(tmp_path / "more.h5ad")
    again = tl.augment(anndata.read_h5ad(tmp_path / "more.h5ad"), model)
    assert list(again.obs["source"]) == list(more.obs_names)
