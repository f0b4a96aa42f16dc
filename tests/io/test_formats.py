"""The same cells in every format: read, they give equal rows of the embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import io, tl
from tests.io.cell_ranger import write_hdf5, write_text
from tests.io.stores.test_stores import write_loom, write_mudata, write_zarr, zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAug


def _h5ad(folder: Path, adata: AnnData) -> Path:
    io.write_h5ad(folder / "cells.h5ad", adata)
    return folder / "cells.h5ad"


def _table(path: Path, adata: AnnData) -> Path:
    """Write the matrix as a table with the names of the cells, by pandas."""
    frame = adata.to_df().rename_axis("cell").reset_index()
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_feather(path)
    return path


FORMATS: dict[str, Callable[[Path, AnnData], Path]] = {
    "h5ad": _h5ad,
    "Cell Ranger 2": lambda folder, adata: write_text(folder / "hg19", adata, 2),
    "Cell Ranger 2, HDF5": lambda folder, adata: write_hdf5(folder / "cells.h5", adata, 2),
    "Cell Ranger 3": lambda folder, adata: write_text(folder / "cells", adata, 3),
    "Cell Ranger 7, HDF5": lambda folder, adata: write_hdf5(folder / "cells.h5", adata, 7),
    "zarr 2": lambda folder, adata: write_zarr(folder / "cells.zarr", adata, 2),
    "zarr 3": lambda folder, adata: write_zarr(folder / "cells.zarr", adata, 3),
    "zarr, zipped": lambda folder, adata: zipped(
        write_zarr(folder / "cells.zarr", adata), with_folder=False
    ),
    "h5mu": lambda folder, adata: write_mudata(folder / "cells.h5mu", rna=adata),
    "csv": lambda folder, adata: _table(folder / "cells.csv", adata),
    "parquet": lambda folder, adata: _table(folder / "cells.parquet", adata),
    "feather": lambda folder, adata: _table(folder / "cells.feather", adata),
    "xlsx": lambda folder, adata: _table(folder / "cells.xlsx", adata),
    "loom": lambda folder, adata: write_loom(folder / "cells.loom", adata),
}


@pytest.mark.parametrize("name", FORMATS)
def test_equal_cells_give_equal_rows(name: str, counts: AnnData, fitted: DiffAug, tmp_path: Path) -> None:
    counts.obs["kind"] = counts.obs["cluster"]
    found = io.read(FORMATS[name](tmp_path, counts.copy()))
    expected = fitted.transform(counts.X, feature_names=list(counts.var_names))
    tl.project(found, fitted, novelty=False)
    assert list(found.obs_names) == list(counts.obs_names)
    np.testing.assert_array_equal(found.obsm["X_diffaug"], expected)
