"""Structures of h5ad files that nobody writes by mistake only."""

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
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    names = ["n1", "n2", "n3"]
    frame = pd.DataFrame({"symbol": ["A", "B", "C"]}, index=names)
    adata = anndata.AnnData(np.eye(3, dtype=np.float32), obs=frame, var=frame, uns={"note": {"by": "me"}})
    adata.raw = adata.copy()
    adata.obsm["table"] = frame.copy()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def reserve(path: Path, place: str, values: list[str]) -> None:
    """Write a column `_index` as SeuratDisk does; the names get another name."""
    with h5py.File(path, "r+") as file:
        frame = file[place]
        frame.move("_index", "features")
        write_elem(frame, "_index", np.array(values, object))
        frame.attrs["_index"] = "features"
        frame.attrs["column-order"] = np.array(["_index", "symbol"], object)


@pytest.mark.parametrize("place", ["obs", "var", "raw/var", "obsm/table"])
@pytest.mark.parametrize("values", [["n1", "n2", "n3"], ["x", "y", "z"]], ids=["names again", "others"])
def test_reserved_column_is_dropped_or_renamed_and_can_be_written(
    path: Path, place: str, values: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    reserve(path, place, values)
    with caplog.at_level(logging.INFO):
        adata = io.read(path)
    frames = {
        "obs": adata.obs,
        "var": adata.var,
        "raw/var": adata.raw.var,
        "obsm/table": adata.obsm["table"],
    }
    frame = frames[place]
    assert list(frame) == (["symbol"] if values == ["n1", "n2", "n3"] else ["index", "symbol"])
    assert list(frame.index) == ["n1", "n2", "n3"]
    assert f"'_index' of {place}" in caplog.text
    adata.write_h5ad(path)
    assert list(io.read(path).var_names) == ["n1", "n2", "n3"]


def test_foreign_members_are_left_out_and_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with h5py.File(path, "r+") as file:
        file.create_group("__DATA_TYPES__")["Enum_Boolean"] = np.dtype("i1")
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    with caplog.at_level(logging.INFO):
        assert io.read(path).shape == (3, 3)
    assert "'__DATA_TYPES__', 'elsewhere'" in caplog.text


def test_element_of_a_newer_anndata_is_named(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        note = file["uns/note"].create_dataset("late", data=0)
        note.attrs["encoding-type"], note.attrs["encoding-version"] = "some-new-type", "0.1.0"
    with pytest.raises(
        InputError, match=r"uns/note/late .*'some-new-type'.* newer anndata .*Update anndata"
    ):
        io.read(path)


def test_group_within_itself_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["uns/note/up"] = file["uns"]
    with pytest.raises(InputError, match="uns/note/up is a group that lies within itself"):
        io.read(path)


def test_links_that_branch_without_end_are_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        inner = file["uns/note"]
        for number in range(40):
            outer = file["uns"].create_group(f"level{number}")
            outer["a"] = outer["b"] = inner
            inner = outer
    with pytest.raises(InputError, match=r"uns/.* is a group that more than 100 links lead to"):
        io.read(path)


def test_groups_too_deep_are_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.create_group("uns/" + "/".join("d" * 1500))
    with pytest.raises(InputError, match="more than 64 groups deep"):
        io.read(path)


def test_link_to_nothing_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["uns/gone"] = h5py.SoftLink("/nowhere")
    with pytest.raises(InputError, match="uns/gone is a link to '/nowhere'"):
        io.read(path)


def test_link_within_the_file_is_followed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["uns/soft"], file["uns/hard"] = h5py.SoftLink("/uns/note/by"), file["uns/note"]
    adata = io.read(path)
    assert (adata.uns["soft"], adata.uns["hard"]["by"]) == ("me", "me")


def link(path: Path) -> None:
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["secret"] = np.full((3, 3), 7, np.float32)
    with h5py.File(path, "r+") as file:
        file["layers/secret"] = h5py.ExternalLink("other.h5", "/secret")


def link_softly(path: Path) -> None:
    """Hide the external link where no part of an AnnData is."""
    link(path)
    with h5py.File(path, "r+") as file:
        file.move("layers/secret", "hidden")
        file["layers/secret"] = h5py.SoftLink("/hidden")


def link_through_a_group(path: Path) -> None:
    link(path)
    with h5py.File(path, "r+") as file:
        del file["layers/secret"]
        file["hidden"] = h5py.ExternalLink("other.h5", "/")
        file["layers/secret"] = h5py.SoftLink("/hidden/secret")


def store_outside(path: Path) -> None:
    raw = path.parent / "raw.bin"
    np.full((3, 3), 7, np.float32).tofile(raw)
    with h5py.File(path, "r+") as file:
        file["layers"].create_dataset("secret", (3, 3), np.float32, external=[(str(raw), 0, 36)])


def put_together(path: Path) -> None:
    link(path)
    layout = h5py.VirtualLayout((3, 3), np.float32)
    layout[:] = h5py.VirtualSource(path.parent / "other.h5", "secret", (3, 3))
    with h5py.File(path, "r+") as file:
        del file["layers/secret"]
        file["layers"].create_virtual_dataset("secret", layout)


@pytest.mark.filterwarnings("ignore::anndata.OldFormatWarning")
@pytest.mark.parametrize("prepare", [link, link_softly, link_through_a_group, store_outside, put_together])
def test_other_files_are_read_only_if_allowed(path: Path, prepare: object) -> None:
    assert callable(prepare)
    prepare(path)
    with pytest.raises(InputError, match=r"layers/secret .*external_links"):
        io.read(path)
    np.testing.assert_array_equal(io.read(path, external_links=True).layers["secret"], np.full((3, 3), 7))


@pytest.mark.parametrize("name", ["_index", "column-order"])
def test_columns_are_read_of_their_own_table_only(path: Path, name: str) -> None:
    with h5py.File(path.parent / "other.h5", "w") as other:
        write_elem(other, "secret", np.array(["x", "y", "z"], object))
    with h5py.File(path, "r+") as file:
        file["hidden"] = h5py.ExternalLink("other.h5", "/secret")
        is_list = name == "column-order"
        file["obs"].attrs[name] = np.array(["/hidden"], object) if is_list else "/hidden"
    with pytest.raises(InputError, match="obs names '/hidden'"):
        io.read(path)


@pytest.mark.parametrize(
    ("shape", "chunks"), [((3, 2**45), None), ((3, 2**40), (1, 2**20)), ((2**62, 2**62), None)]
)
def test_more_values_than_the_file_can_hold_are_refused(
    path: Path, shape: tuple[int, int], chunks: tuple[int, int] | None
) -> None:
    with h5py.File(path, "r+") as file:
        file["layers"].create_dataset("huge", shape, np.float32, chunks=chunks)
    with pytest.raises(InputError, match="GiB of values"):
        io.read(path)
