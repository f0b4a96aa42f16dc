"""What anndata reads, but cannot write again, blocks no fit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.io import write_elem

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:Element:anndata._warnings.OldFormatWarning")


def make() -> anndata.AnnData:
    frame = pd.DataFrame({"kind": ["a", "b", "a"]}, index=["n1", "n2", "n3"])
    return anndata.AnnData(np.eye(3, dtype=np.float32), obs=frame, var=frame.copy())


def reference(file: h5py.File) -> None:
    file["uns"].create_dataset("odd", data=file["obs"].ref, dtype=h5py.ref_dtype)


def nothing(file: h5py.File) -> None:
    file["uns"].create_dataset("odd", data=h5py.Empty("f8"))


def ragged(file: h5py.File) -> None:
    rows = np.array([np.array([1, 2]), np.array([1])], dtype=object)
    file["uns"].create_dataset("odd", data=rows, dtype=h5py.vlen_dtype("i4"))


def references_of_rows(file: h5py.File) -> None:
    file["obs"].create_dataset("odd", data=np.array([file["obs"].ref] * 3, dtype=h5py.ref_dtype))
    file["obs"].attrs["column-order"] = np.array(["kind", "odd"], object)


@pytest.mark.parametrize("add", [reference, nothing, ragged, references_of_rows])
def test_elements_that_cannot_be_written_are_left_out_with_a_word(
    tmp_path: Path, add: Callable[[h5py.File], None], caplog: pytest.LogCaptureFixture
) -> None:
    make().write_h5ad(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        add(file)
    with caplog.at_level(logging.INFO):
        adata = io.read(tmp_path / "cells.h5ad")
    io.write_h5ad(tmp_path / "again.h5ad", adata)
    assert "/odd" in caplog.text
    assert "odd" not in [*adata.uns, *adata.obs]
    assert list(io.read(tmp_path / "again.h5ad").obs["kind"]) == ["a", "b", "a"]


def test_columns_of_one_name_are_numbered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make().write_h5ad(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        file["obs"].attrs["column-order"] = np.array(["kind", "kind"], object)
    with caplog.at_level(logging.INFO):
        adata = io.read(tmp_path / "cells.h5ad")
    assert list(adata.obs) == ["kind", "kind-1"]
    assert "kind-1" in caplog.text
    io.write_h5ad(tmp_path / "again.h5ad", adata)


def test_text_with_missing_values_of_newer_files_is_read_and_written(tmp_path: Path) -> None:
    adata = make()
    adata.obs["note"] = pd.array(["x", None, "z"], dtype="string")
    adata.obs.index = pd.Index(pd.array(["n1", "n2", "n3"], dtype="string"))
    adata.uns["words"] = pd.array(["p", "q"], dtype="string")
    with anndata.settings.override(allow_write_nullable_strings=True):
        adata.write_h5ad(tmp_path / "cells.h5ad")
    read = io.read(tmp_path / "cells.h5ad")
    io.write_h5ad(tmp_path / "again.h5ad", read)
    again = io.read(tmp_path / "again.h5ad")
    assert list(again.obs_names) == ["n1", "n2", "n3"]
    assert list(again.obs["note"].isna()) == [False, True, False]
    assert list(again.uns["words"]) == ["p", "q"]


def test_parts_that_are_null_count_as_missing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5ad", "w") as file:
        write_elem(file, "/", make())  # writes "null" for `.raw`
    assert io.read(tmp_path / "cells.h5ad").raw is None


def test_text_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    make().write_h5ad(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        file["obs"].create_dataset("odd", data=np.array([b"a\xff"] * 3))
        file["obs"].attrs["column-order"] = np.array(["kind", "odd"], object)
    with pytest.raises(InputError, match=r"/obs/odd.*UTF-8"):
        io.read(tmp_path / "cells.h5ad")
