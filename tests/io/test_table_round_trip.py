"""Tables with columns of all kinds: what is written is read back, generated rows too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio import io, tl
from diffaug_bio.matrix.columns import CodedColumns
from tests.mixed_tables import COLUMNS, TABLE_CONFIG, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

# Ordered levels, alone, cannot be told from text.
SCHEMA = io.Schema(ordinal={"grade": ["I", "II", "III"]})


def check_same(found: AnnData, adata: AnnData) -> None:
    """Compare features, coding and rows; features that tell of missing values are not written."""
    names = [name for name in adata.var_names if name != "age=missing"]
    assert list(found.var_names) == names
    np.testing.assert_array_equal(found.X, adata[:, names].X)
    columns = CodedColumns.of_uns(found.uns)
    assert columns == CodedColumns(tuple(column for column in COLUMNS if column.kind != "missing"))
    assert list(found.obs_names) == list(adata.obs_names)
    assert [str(group) for group in found.obs["group"]] == list(adata.obs["group"])


def test_a_table_comes_back(tmp_path: Path) -> None:
    adata = mixed_table()
    io.write_table(tmp_path / "patients.csv", adata)
    check_same(io.read(tmp_path / "patients.csv", schema=SCHEMA), adata)


def test_generated_rows_come_back(tmp_path: Path) -> None:
    adata = mixed_table()
    model = tl.fit(adata, config=TABLE_CONFIG, verbose=False)
    for missing in ("fill", "keep"):
        more = tl.augment(adata, model, missing=missing)
        io.write_table(tmp_path / f"{missing}.csv", more)
        found = io.read(tmp_path / f"{missing}.csv", schema=SCHEMA)
        check_same(found, more)
        tl.project(found, model)
        tl.project(more, model)
        np.testing.assert_allclose(found.obsm["X_diffaug"], more.obsm["X_diffaug"], atol=1e-5)
