"""h5ad files as anndata writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import add_to_h5ad, write_h5ad
from tests.conftest import make_counts

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def make_full() -> AnnData:
    """An AnnData with something in every part."""
    adata = make_counts()
    adata.obs["few"] = ["a", "b"] * 60
    adata.obs["many"] = [f"word {i}" for i in range(120)]
    adata.obs["gaps"] = pd.array([1, None] * 60, dtype="Int64")
    adata.raw = adata.copy()
    adata.layers["dense"] = adata.X.toarray()
    adata.obsm["X_diffaug"] = np.ones((120, 8), np.float32)
    adata.obsm["frame"] = pd.DataFrame({"x": range(120)}, index=adata.obs_names)
    adata.obsp["near"] = sparse.eye(120, format="csr")
    adata.varm["loadings"] = np.zeros((40, 3))
    adata.uns["diffaug"] = {"a": [1, 2], "b": "Zellgröße", "c": None, "d": {"e": True, "f": np.arange(3)}}
    return adata


def elements(path: Path) -> dict[str, Any]:
    """All groups, arrays and attributes of an HDF5 file."""
    found: dict[str, Any] = {}

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        attributes = {key: repr(value) for key, value in item.attrs.items()}
        value = None
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            value = str(item.dtype), item.shape, np.asarray(item[()]).tolist()
        found[name] = attributes, value

    with h5py.File(path) as file:
        look("/", file)
        file.visititems(look)
    return found


def test_entries_that_are_added_make_the_file_that_is_written_at_once(tmp_path: Path) -> None:
    write_h5ad(tmp_path / "whole.h5ad", make_full())
    adata = make_full()
    places = {"obsm/X_diffaug": adata.obsm.pop("X_diffaug"), "uns/diffaug": adata.uns.pop("diffaug")}
    write_h5ad(tmp_path / "added.h5ad", adata)
    add_to_h5ad(tmp_path / "added.h5ad", places)
    whole, added = (elements(tmp_path / f"{name}.h5ad") for name in ("whole", "added"))
    assert added == whole
    with pytest.raises(InputError, match="obsm/X_other"):
        add_to_h5ad(tmp_path / "added.h5ad", {"obsm/X_other": object()})


def test_a_file_holds_what_anndata_writes(tmp_path: Path) -> None:
    write_h5ad(tmp_path / "ours.h5ad", make_full())
    make_full().write_h5ad(tmp_path / "theirs.h5ad")
    ours, theirs = (elements(tmp_path / f"{name}.h5ad") for name in ("ours", "theirs"))
    assert len(ours) >= 50
    assert ours == theirs
    read = anndata.read_h5ad(tmp_path / "ours.h5ad")
    assert isinstance(read.obs["few"].dtype, pd.CategoricalDtype)
    assert read.uns["diffaug"]["b"] == "Zellgröße"


def test_data_without_a_matrix_are_written(tmp_path: Path) -> None:
    write_h5ad(tmp_path / "a.h5ad", anndata.AnnData(obs=make_counts().obs))
    assert anndata.read_h5ad(tmp_path / "a.h5ad").X is None


def test_what_h5ad_cannot_hold_is_named(tmp_path: Path) -> None:
    adata = make_counts()
    adata.uns["odd"] = {"thing": object()}
    with pytest.raises(InputError, match=r"in uns/odd/thing that h5ad cannot: .*Remove or rename it"):
        write_h5ad(tmp_path / "a.h5ad", adata)


def test_anything_but_an_anndata_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    adata: Any = make_counts()
    with pytest.raises(InputError, match=r"Expected an AnnData, got pandas.* Make one with"):
        write_h5ad(tmp_path / "a.h5ad", adata.obs)
    with pytest.raises(InputError, match=r"no folder .*new to write a\.h5ad into\. Make it first"):
        write_h5ad(tmp_path / "new" / "a.h5ad", adata)
    assert not any(tmp_path.iterdir())


def test_text_becomes_categories_in_place(tmp_path: Path) -> None:
    adata = make_counts()
    adata.obs["few"] = ["a", "b"] * 60
    write_h5ad(tmp_path / "a.h5ad", adata)
    assert isinstance(adata.obs["few"].dtype, pd.CategoricalDtype)
