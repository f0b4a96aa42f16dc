"""Tables with columns of all kinds in a benchmark: all methods see them as a fit does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import DiffAugConfig, tl
from diffaug_bio.benchmark._data import BenchmarkData
from diffaug_bio.benchmark._embedders import preprocess
from tests.mixed_tables import COLUMNS, STAGE, TABLE_CONFIG, mixed_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> BenchmarkData:
    """The table as a process of a method reads it."""
    BenchmarkData.from_anndata(mixed_table(), name="patients", label_key="group").write(tmp_path / "d.h5ad")
    return BenchmarkData.read(tmp_path / "d.h5ad")


def test_columns_and_names_are_kept(data: BenchmarkData) -> None:
    assert data.columns == COLUMNS.to_setting()
    assert data.input_state == "continuous"
    assert data.feature_names == list(mixed_table().var_names)


def test_preprocessing_is_that_of_a_fit(data: BenchmarkData) -> None:
    adata = mixed_table()
    found = preprocess(data, DiffAugConfig(), fit_rows=None, seed=0)
    model = tl.fit(adata, config=TABLE_CONFIG, verbose=False)
    np.testing.assert_array_equal(found.dense_rows(adata.X), model.features_.dense_rows(adata.X))
    places = [adata.var_names.get_loc(feature) for feature in STAGE.features]
    assert found.dense_rows(adata.X)[:, places].var(0, ddof=1).sum() == pytest.approx(1, rel=1e-3)
