"""`batch_key` of `tl.embed` and `tl.fit`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import DiffAug, tl
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig


@pytest.fixture
def cells() -> AnnData:
    """Counts of 120 cells of three clusters in two donors and two runs, and a split."""
    rng = np.random.default_rng(0)
    row = np.arange(120)
    rates = rng.gamma(1.0, 2.0, (3, 40))[row % 3]
    donor, run = row // 3 % 2, row // 6 % 2
    rates = rates * rng.lognormal(0, 0.5, (2, 40))[donor] * rng.lognormal(0, 0.3, (2, 40))[run]
    obs = pd.DataFrame(
        {
            "donor": pd.Categorical([f"d{number}" for number in donor]),
            "run": run,
            "fold": np.where(row % 4 == 0, "test", "train"),
        },
        index=[f"cell{number}" for number in row],
    )
    var = pd.DataFrame(index=[f"gene{number}" for number in range(40)])
    return anndata.AnnData(sparse.csr_matrix(rng.poisson(rates).astype(np.float32)), obs=obs, var=var)


def fit(adata: AnnData, config: DiffAugConfig, **settings: Any) -> DiffAug:
    return tl.fit(adata, config=config, device="cpu", **settings)


def embedding_of(adata: AnnData) -> NDArray[np.float32]:
    found: NDArray[np.float32] = adata.obsm["X_diffaug"]
    return found


def test_the_model_knows_the_batches_of_the_column(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    model = fit(cells, tiny_config, batch_key="donor")
    assert model.config_.batches.names == ("d0", "d1")
    assert model.source_["batch_key"] == "donor"
    assert json.loads(cells.uns["diffaug"]["params"])["batch_key"] == "donor"
    expected = DiffAug(tiny_config, device="cpu").fit(cells.X, batches=list(cells.obs["donor"]))
    np.testing.assert_array_equal(embedding_of(cells), expected.transform(cells.X))


def test_embed_takes_the_key_as_well(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    tl.embed(cells, config=tiny_config, device="cpu", batch_key="donor")
    found = embedding_of(cells).copy()
    fit(cells, tiny_config, batch_key="donor")
    np.testing.assert_array_equal(found, embedding_of(cells))
    fit(cells, tiny_config)
    assert json.loads(cells.uns["diffaug"]["params"])["batch_key"] is None
    assert (found != embedding_of(cells)).any()


@pytest.mark.parametrize("keys", [["donor", "run"], "donor,run"], ids=["list", "text"])
def test_of_several_keys_each_combination_is_a_batch(
    cells: AnnData, tiny_config: DiffAugConfig, keys: str | list[str]
) -> None:
    model = fit(cells, tiny_config, batch_key=keys)
    assert model.config_.batches.names == ("d0 / 0", "d0 / 1", "d1 / 0", "d1 / 1")
    assert model.source_["batch_key"] == "donor,run"


def test_of_a_split_only_the_training_rows_need_a_batch(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    is_test = (cells.obs["fold"] == "test").to_numpy()
    cells.obs["donor"] = cells.obs["donor"].where(~is_test)
    model = fit(cells, tiny_config, batch_key="donor", split_key="fold")
    expected = DiffAug(tiny_config, device="cpu")
    expected.fit(cells.X[~is_test], batches=list(cells.obs["donor"][~is_test]))
    assert embedding_of(cells).shape == (120, 6)
    np.testing.assert_array_equal(embedding_of(cells), expected.transform(cells.X))
    assert {name: model.source_[name] for name in ("batch_key", "split_key")} == {
        "batch_key": "donor",
        "split_key": "fold",
    }


def test_rows_without_a_batch_are_counted_before_anything_is_fitted(
    cells: AnnData, tiny_config: DiffAugConfig
) -> None:
    cells.obs["donor"] = cells.obs["donor"].where(np.arange(120) % 50 != 7)
    with pytest.raises(InputError, match=r"3 rows have no batch in the column 'donor', the first 'cell7'"):
        fit(cells, tiny_config, batch_key="donor")
    assert not cells.obsm


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("lane", r"no batch column 'lane' in `\.obs`; it holds 'donor', 'run', 'fold'"),
        ("one", r"All 120 rows are of one batch, 'x'; there is nothing to bring together"),
    ],
)
def test_columns_that_are_no_batches_are_refused(
    cells: AnnData, tiny_config: DiffAugConfig, key: str, message: str
) -> None:
    if key == "one":
        cells.obs["one"] = "x"
    with pytest.raises(InputError, match=message):
        fit(cells, tiny_config, batch_key=key)


def test_batches_of_a_layer_are_those_of_its_rows(cells: AnnData, tiny_config: DiffAugConfig) -> None:
    fit(cells, tiny_config, batch_key="donor")
    expected = embedding_of(cells).copy()
    cells.layers["counts"] = cells.X.copy()
    fit(cells, tiny_config, batch_key="donor", layer="counts")
    np.testing.assert_array_equal(embedding_of(cells), expected)


def test_later_cells_need_no_batch(cells: AnnData, tiny_config: DiffAugConfig, tmp_path: Path) -> None:
    model = fit(cells, tiny_config, batch_key="donor")
    model.save(tmp_path / "model")
    later = cells[:20].copy()
    later.obs = later.obs[[]]
    del later.obsm["X_diffaug"]
    tl.project(later, tmp_path / "model")
    np.testing.assert_allclose(embedding_of(later), embedding_of(cells)[:20], rtol=0, atol=1e-5)
    assert DiffAug.load(tmp_path / "model", device="cpu").source_["batch_key"] == "donor"
