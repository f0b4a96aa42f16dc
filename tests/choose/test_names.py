"""Names of features from a column of `.var`, and what is said where they are elsewhere."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import DiffAug, tl
from diffaug_bio._keys import SOURCE_ENTRIES
from diffaug_bio.errors import InputError
from diffaug_bio.model.source import MatrixChoice

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

IDS = [f"ENSG{number:011}" for number in range(40)]


def with_ids(counts: AnnData, *, as_index: bool = False) -> AnnData:
    """The same data with names of two kinds, one of them in a column."""
    adata = counts.copy()
    adata.var["gene_ids" if not as_index else "symbol"] = IDS if not as_index else list(counts.var_names)
    if as_index:
        adata.var_names = IDS
    adata.var["length"] = 1.5
    return adata


def test_features_are_matched_by_a_column(counts: AnnData, fitted: DiffAug) -> None:
    tl.project(counts, fitted)
    other = with_ids(counts, as_index=True)[:, ::-1].copy()
    tl.project(other, fitted, var_key="symbol")
    np.testing.assert_array_equal(other.obsm["X_diffaug"], counts.obsm["X_diffaug"])
    assert json.loads(other.uns["diffaug"]["params"])["var_key"] == "symbol"


def test_the_column_of_a_fit_is_kept_and_taken_later(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = with_ids(counts)
    tl.embed(data, config=tiny_config, var_key="gene_ids", device="cpu")
    again = tl.fit(data, config=tiny_config, var_key="gene_ids", device="cpu", key_added="X_b")
    np.testing.assert_array_equal(data.obsm["X_b"], data.obsm["X_diffaug"])
    again.save(tmp_path / "model")
    assert list(DiffAug.load(tmp_path / "model").feature_names_in_) == IDS
    # Names of the index do not matter where the column is there.
    data.var_names = [f"other{number}" for number in range(40)]
    tl.project(data, tmp_path / "model", device="cpu", key_added="X_c")
    np.testing.assert_allclose(data.obsm["X_c"], data.obsm["X_diffaug"], atol=1e-6)
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        other = with_ids(counts, as_index=True)
        tl.project(other, tmp_path / "model", device="cpu")
    np.testing.assert_allclose(other.obsm["X_diffaug"], data.obsm["X_diffaug"], atol=1e-6)
    assert "named by `.var['gene_ids']`, these data's by `.var_names`" in caplog.text


def test_a_layer_and_raw_have_names_in_var_too(counts: AnnData, fitted: DiffAug) -> None:
    tl.project(counts, fitted)
    data = with_ids(counts, as_index=True)
    data.layers["counts"] = data.X.copy()
    data.raw = data
    data.X = data.X.log1p()
    del data.var["symbol"]
    data.var["name"] = list(counts.var_names)
    tl.project(data, fitted, layer="counts", var_key="name")
    np.testing.assert_array_equal(data.obsm["X_diffaug"], counts.obsm["X_diffaug"])
    tl.project(data, fitted, use_raw=True, var_key="symbol", key_added="X_raw")
    np.testing.assert_array_equal(data.obsm["X_raw"], counts.obsm["X_diffaug"])
    with pytest.raises(InputError, match=r"'name' in `.var`.*'symbol', 'length'"):
        tl.project(data, fitted, use_raw=True, var_key="name")


def test_a_model_of_a_layer_is_given_other_names_alone(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    counts.layers["counts"] = counts.X.copy()
    counts.X = counts.X.log1p()
    model = tl.fit(counts, config=tiny_config, layer="counts", device="cpu")
    data = with_ids(counts, as_index=True)
    tl.project(data, model, var_key="symbol")
    np.testing.assert_array_equal(data.obsm["X_diffaug"], counts.obsm["X_diffaug"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([*IDS[:38], None, None], r"2 features have no name in `.var\['gene_ids'\]`, the first 'gene38'"),
        ([*IDS[:39], ""], r"1 features have no name"),
        ([*IDS[:39], IDS[0]], r"1 names in `.var\['gene_ids'\]` occur more than once: 'ENSG0+'\. Take a"),
    ],
)
def test_a_column_has_to_name_each_feature(
    counts: AnnData, fitted: DiffAug, values: list[str | None], message: str
) -> None:
    counts.var["gene_ids"] = values
    with pytest.raises(InputError, match=message):
        tl.project(counts, fitted, var_key="gene_ids")


@pytest.mark.parametrize("choice", [{"use_rep": "X_pca"}, {"sequences": True}, {"images": True}])
def test_what_has_no_names_in_var_is_refused(choice: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"`var_key` 'gene_ids' names the columns of .* leave it out"):
        MatrixChoice(var_key="gene_ids", **choice)  # type: ignore[arg-type]


def test_a_model_of_a_representation_knows_no_names(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    counts.obsm["X_pca"] = np.random.default_rng(0).normal(size=(120, 10))
    model = tl.fit(counts, config=tiny_config, use_rep="X_pca", device="cpu")
    with pytest.raises(InputError, match=r"`var_key` 'symbol' names the columns of"):
        tl.project(counts, model, var_key="symbol")


@pytest.mark.parametrize("as_categories", [False, True])
def test_an_error_names_the_column_that_would_do(
    counts: AnnData,
    fitted: DiffAug,
    as_categories: bool,  # noqa: FBT001
) -> None:
    data = with_ids(counts, as_index=True)
    if as_categories:
        data.var["symbol"] = data.var["symbol"].astype("category")
    with pytest.raises(
        InputError,
        match=r"Only 0 of .*'gene0'.*'ENSG0+'.* `.var\['symbol'\]` holds 100% of them: pass "
        r"var_key='symbol' \(`--var-key symbol`\)\.$",
    ):
        tl.project(data, fitted)


def test_a_warning_names_the_column_that_would_do(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    data = with_ids(counts)
    data.var["symbol"] = list(counts.var_names)
    data.var_names = [*counts.var_names[:20], *IDS[20:]]
    tl.project(data, fitted)
    assert "`.var['symbol']` holds 100% of them: pass var_key='symbol'" in caplog.text
    assert "20 of the 40 features that the model uses" in caplog.text


def test_a_column_with_repeated_names_is_made_the_index_first(counts: AnnData, fitted: DiffAug) -> None:
    data = with_ids(counts, as_index=True)
    data.var["symbol"] = [*counts.var_names[:39], "gene0"]
    with pytest.raises(InputError, match=r"98% of them, but does not name each feature apart: set"):
        tl.project(data, fitted)


def test_the_index_is_named_where_it_would_do(counts: AnnData, fitted: DiffAug) -> None:
    with pytest.raises(InputError, match=r"`.var_names` hold 100% of them: leave `var_key` out"):
        tl.project(with_ids(counts), fitted, var_key="gene_ids")


def test_no_other_names_are_no_further_word(counts: AnnData, fitted: DiffAug) -> None:
    data = with_ids(counts, as_index=True)
    data.var = data.var[["length"]]
    with pytest.raises(InputError, match=r"do the kinds of names agree\?$"):
        tl.project(data, fitted)


def test_features_of_a_column_are_augmented(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    matrix = np.random.default_rng(0).normal(5, 2, (60, 12)).astype(np.float32)
    names = [f"P{number}" for number in range(12)]
    data = anndata.AnnData(matrix, var=pd.DataFrame(index=names))
    model = tl.fit(data, config=tiny_config, device="cpu")
    expected = tl.augment(data, model)
    other = data[:, ::-1].copy()
    other.var["protein"] = [name.lower() for name in other.var_names]  # matched without regard to case
    other.var_names = [f"x{number}" for number in range(12)]
    found = tl.augment(other, model, var_key="protein")
    np.testing.assert_allclose(found.X[:, ::-1], expected.X, atol=1e-5)
    assert list(found.var_names[::-1]) == [name.lower() for name in names]
    assert not np.allclose(found.X, other.X)


@pytest.mark.parametrize("n_obs", [1, 3, 120])
def test_logged_rows_for_a_model_of_counts_are_told_where_counts_are(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture, n_obs: int
) -> None:
    data = counts[:n_obs].copy()
    data.layers["spliced"] = data.X.copy()
    data.layers["odd"] = np.full(data.shape, np.inf)
    data.X = data.X.log1p()
    tl.project(data, fitted)
    assert "`.layers['spliced']` holds what looks like counts: pass layer='spliced'" in caplog.text
    assert "look like" in caplog.text
    assert "the model was fitted on counts" in caplog.text
    caplog.clear()
    tl.project(data, fitted, layer="spliced")
    assert not caplog.text


@pytest.mark.parametrize("n_obs", [1, 3, 120])
def test_counts_for_a_model_of_logged_values_are_told_of_raw(
    counts: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture, n_obs: int
) -> None:
    logged = counts.copy()
    logged.X = counts.X.log1p()
    model = tl.fit(logged, config=tiny_config, device="cpu")
    data = counts[:n_obs].copy()
    data.raw = logged[:n_obs].copy()
    tl.project(data, model)
    assert "`.raw` holds what looks like log-normalised values: pass use_raw=True" in caplog.text
    assert "look like counts, but the model was fitted on log-normalised values" in caplog.text
    caplog.clear()
    tl.project(data, model, use_raw=True)
    assert not caplog.text


def test_few_counts_that_are_no_more_than_one_may_be_counts(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    data = counts[:2].copy()
    data.X = (data.X > 0).astype(np.float32)
    tl.project(data, fitted)
    assert not caplog.text


@pytest.mark.parametrize("place", ["layer", "raw"])
def test_counts_in_x_stand_in_for_a_layer_that_is_not_there(
    counts: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    data = counts.copy()
    data.layers["counts"], data.raw = data.X.copy(), data
    data.X = data.X.log1p()
    chosen: dict[str, Any] = {"layer": "counts"} if place == "layer" else {"use_raw": True}
    model = tl.fit(data, config=tiny_config, device="cpu", **chosen)
    tl.project(counts, model)
    np.testing.assert_array_equal(counts.obsm["X_diffaug"], data.obsm["X_diffaug"])
    assert "which the model was fitted on; `.X` looks like counts and is taken." in caplog.text
    counts.X = counts.X.log1p()
    with pytest.raises(InputError, match=r"no layer 'counts'|no `.raw`"):
        tl.project(counts, model)


def test_a_few_scaled_rows_may_be_of_a_model_of_scaled_values(
    counts: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    dense = counts.X.toarray()
    scaled = counts.copy()
    scaled.X = (dense - dense.mean(0)) / np.maximum(dense.std(0), 1e-6)
    model = tl.fit(scaled, config=tiny_config, device="cpu")
    assert model.features_.state == "scaled"
    tl.project(scaled[:2].copy(), model)
    assert not caplog.text
    tl.project(counts[:2].copy(), model)
    assert "look like counts, but the model was fitted on scaled values" in caplog.text


def test_only_a_column_that_was_named_is_written_into_a_model(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    """Older versions read the same format, and know no `var_key`, `batch_key` or schema."""
    plain = tl.fit(counts, config=tiny_config, device="cpu")
    assert set(plain.source_) == SOURCE_ENTRIES - {"var_key", "batch_key", "schema"}
    counts.var["symbol"] = counts.var_names
    named = tl.fit(counts, config=tiny_config, var_key="symbol", device="cpu")
    assert set(named.source_) == SOURCE_ENTRIES - {"batch_key", "schema"}
    for model, var_key in ((plain, None), (named, "symbol")):
        assert MatrixChoice.from_dict(model.source_) == MatrixChoice(var_key=var_key)
