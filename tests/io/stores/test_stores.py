"""Annotated matrices in zarr, MuData and loom, written by anndata, mudata and h5py."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from typing import TYPE_CHECKING, Literal

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def cells(n_obs: int = 12, n_vars: int = 8, *, prefix: str = "g") -> AnnData:
    generator = np.random.default_rng(0)
    counts = sparse.random(n_obs, n_vars, 0.5, format="csr", dtype=np.float32, random_state=0)
    counts.data = np.ceil(counts.data * 9)
    names = [f"c{number}" for number in range(n_obs)]
    adata = anndata.AnnData(
        counts,
        obs=pd.DataFrame({"kind": pd.Categorical(generator.choice(["T", "B"], n_obs))}, index=names),
        var=pd.DataFrame(index=[f"{prefix}{number}" for number in range(n_vars)]),
        layers={"dense": counts.toarray()},
        obsm={"X_pca": generator.normal(size=(n_obs, 2))},
        uns={"note": "made by a test"},
    )
    adata.raw = adata.copy()
    return adata


def write_zarr(path: Path, adata: AnnData, version: Literal[2, 3] = 2) -> Path:
    with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=version):
        warnings.simplefilter("ignore")
        adata.write_zarr(path)
    return path


def zipped(folder: Path, *, with_folder: bool) -> Path:
    """Zip the content of a store, or its folder."""
    made = shutil.make_archive(
        str(folder), "zip", folder.parent if with_folder else folder, folder.name if with_folder else None
    )
    return folder.parent / made


def check_same(found: AnnData, expected: AnnData) -> None:
    assert list(found.obs_names) == list(expected.obs_names)
    assert list(found.var_names) == list(expected.var_names)
    np.testing.assert_array_equal(found.X.toarray(), expected.X.toarray())
    assert list(found.obs["kind"]) == list(expected.obs["kind"])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("form", ["folder", "zip", "zip of the folder", "folder without ending"])
def test_zarr_is_read_whole(version: Literal[2, 3], form: str, tmp_path: Path) -> None:
    adata = cells()
    path = write_zarr(tmp_path / ("cells" if "without" in form else "cells.zarr"), adata, version)
    if form.startswith("zip"):
        path = zipped(path, with_folder="of" in form)
    found = io.read(path)
    check_same(found, adata)
    np.testing.assert_array_equal(found.layers["dense"], adata.layers["dense"])
    np.testing.assert_array_equal(found.obsm["X_pca"], adata.obsm["X_pca"])
    np.testing.assert_array_equal(found.raw.X.toarray(), adata.raw.X.toarray())
    assert found.uns["note"] == "made by a test"
    io.write_h5ad(tmp_path / "again.h5ad", found)


def pieces(path: Path, place: str) -> list[Path]:
    """List the files of an array that hold its values."""
    return [
        file
        for file in (path / place).rglob("*")
        if file.is_file() and not file.name.startswith((".", "zarr"))
    ]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("place", ["X/indices", "X/data", "obs/_index"])
def test_missing_pieces_are_no_zeros(version: Literal[2, 3], place: str, tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "cells.zarr", cells(), version)
    for piece in pieces(path, place):
        piece.unlink()
    with pytest.raises(InputError, match=f"incomplete: 1 of 1 pieces of {place}"):
        io.read(path)


def test_missing_pieces_of_a_dense_matrix_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adata = cells()
    adata.X = adata.X.toarray()
    path = write_zarr(tmp_path / "cells.zarr", adata)
    pieces(path, "X")[0].unlink()
    assert io.read(path).X.sum() == 0
    assert "1 of 1 pieces of X are not there" in caplog.text


@pytest.mark.parametrize("version", [2, 3])
def test_damaged_and_foreign_zarr_are_one_sentence(version: Literal[2, 3], tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "cells.zarr", cells(), version)
    [piece] = pieces(path, "X/data")
    piece.write_bytes(piece.read_bytes()[:10])
    with pytest.raises(InputError, match="damaged zarr store"):
        io.read(path)
    group = zarr.open_group(tmp_path / "spatial.zarr", mode="w", zarr_format=version)
    for name in ("images", "tables"):
        group.create_group(name)
    with pytest.raises(InputError, match=r"'tables'.*spatial\.zarr/tables/table"):
        io.read(tmp_path / "spatial.zarr")
    (tmp_path / "no.zarr.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="damaged zarr store"):
        io.read(tmp_path / "no.zarr.zip")


def test_zarr_that_declares_too_much_pickles_or_links_out_is_refused(tmp_path: Path) -> None:
    path = write_zarr(tmp_path / "bomb.zarr", cells())
    file = path / "X" / "data" / ".zarray"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"shape": [2**40]}))
    (path / ".zmetadata").unlink()
    with pytest.raises(InputError, match=r"GiB of values.*cannot hold them"):
        io.read(path)
    path = write_zarr(tmp_path / "pickle.zarr", cells())
    file = path / "X" / "data" / ".zarray"
    pickled = {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}]}
    file.write_text(json.dumps(json.loads(file.read_text()) | pickled))
    (path / ".zmetadata").unlink()
    with pytest.raises(InputError, match=r"damaged.*pickle"):
        io.read(path)
    path = write_zarr(tmp_path / "more.zarr", cells())
    file = path / "obs" / "_index" / ".zarray"
    pickled = {"filters": [{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}]}
    file.write_text(json.dumps(json.loads(file.read_text()) | pickled))
    (path / ".zmetadata").unlink()
    with pytest.raises(InputError, match=r"Python objects in obs/_index \(codec 'pickle'\)"):
        io.read(path)
    path = write_zarr(tmp_path / "pieces.zarr", cells())
    file = path / "X" / "data" / ".zarray"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"chunks": [2**40]}))
    (path / ".zmetadata").unlink()
    with pytest.raises(InputError, match=r"GiB of values.*cannot hold them"):
        io.read(path)
    path = write_zarr(tmp_path / "links.zarr", cells())
    (tmp_path / "secret").write_bytes(b"private")
    [piece] = pieces(path, "X/data")
    piece.unlink()
    piece.symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="link out of the store"):
        io.read(path)


# MuData.


def write_mudata(path: Path, **modalities: AnnData) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = mudata.MuData(modalities)
        whole.obs["donor"] = [f"d{number % 3}" for number in range(whole.n_obs)]
        whole.write(path)
    return path


def test_modality_rna_is_taken_and_another_on_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rna, prot = cells(), cells(n_vars=3, prefix="p")
    path = write_mudata(tmp_path / "cells.h5mu", prot=prot, rna=rna)
    with caplog.at_level(logging.INFO):
        found = io.read(path)
    check_same(found, rna)
    assert found.raw is not None
    assert list(found.obs["donor"].iloc[:4]) == ["d0", "d1", "d2", "d0"]
    assert "'prot' (--modality-key)" in caplog.text
    check_same(io.read(path, modality_key="prot"), prot)
    with pytest.raises(InputError, match="no modality 'adt'; it holds 'prot', 'rna'"):
        io.read(path, modality_key="adt")
    path.rename(tmp_path / "cells.h5")  # the content tells, not the ending
    check_same(io.read(tmp_path / "cells.h5"), rna)


def test_modalities_without_rna_are_asked_for(tmp_path: Path) -> None:
    one = write_mudata(tmp_path / "one.h5mu", gex=cells())
    check_same(io.read(one), cells())
    two = write_mudata(tmp_path / "two.h5mu", gex=cells(), prot=cells(n_vars=3, prefix="p"))
    with pytest.raises(InputError, match=r"'gex', 'prot'.*--modality-key"):
        io.read(two)


def test_broken_indices_of_a_modality_are_refused(tmp_path: Path) -> None:
    path = write_mudata(tmp_path / "cells.h5mu", rna=cells())
    with h5py.File(path, "r+") as file:
        file["mod/rna/X/indices"][0] = 77
    with pytest.raises(InputError, match="column number 77"):
        io.read(path)


# Loom.


def write_loom(path: Path, adata: AnnData, *, gene: str = "Gene", cell: str = "CellID") -> Path:
    """Write what loompy does: genes in rows, and the groups of its format 3."""
    text = h5py.string_dtype()
    dense = adata.X.toarray().T
    with h5py.File(path, "w") as file:
        file.create_dataset("matrix", data=dense, chunks=(4, 4), compression="gzip")
        file.create_dataset("layers/spliced", data=(dense * 2).astype(np.uint16), compression="gzip")
        file.create_dataset(f"row_attrs/{gene}", data=list(adata.var_names), dtype=text)
        file.create_dataset(f"col_attrs/{cell}", data=list(adata.obs_names), dtype=text)
        file.create_dataset("col_attrs/kind", data=list(adata.obs["kind"]), dtype=text)
        file["col_attrs/umap"] = np.zeros((adata.n_obs, 2))
        for name in ("row_graphs", "col_graphs", "attrs"):
            file.create_group(name)
        file.create_dataset("attrs/LOOM_SPEC_VERSION", data="3.0.0", dtype=text)
    return path


@pytest.mark.parametrize(("gene", "cell"), [("Gene", "CellID"), ("var_names", "obs_names")])
def test_loom_is_read_with_layers_and_attributes(
    gene: str, cell: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adata = cells()
    with caplog.at_level(logging.INFO):
        found = io.read(write_loom(tmp_path / "cells.loom", adata, gene=gene, cell=cell))
    check_same(found, adata)
    np.testing.assert_array_equal(found.layers["spliced"].toarray(), 2 * adata.X.toarray())
    assert found.obsm["umap"].shape == (12, 2)
    assert "'spliced' (--layer)" in caplog.text


def test_loom_without_names_is_warned_of_and_damage_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_loom(tmp_path / "cells.loom", cells(), gene="odd")
    assert list(io.read(path).var_names[:2]) == ["0", "1"]
    assert "names each gene" in caplog.text
    assert "'odd'" in caplog.text
    with h5py.File(path, "r+") as file:
        del file["col_attrs/CellID"]
        file["col_attrs/CellID"] = np.array([b"a", b"b"])
    with pytest.raises(InputError, match="CellID does not hold 12 values"):
        io.read(path)


# Other HDF5, and other programs.


def test_foreign_hdf5_is_listed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["counts"] = np.zeros((3, 4))
        file["axes/rows"] = np.arange(3)
    with pytest.raises(InputError, match=r"'axes/ with rows', 'counts 3 x 4'.*\.csv"):
        io.read(tmp_path / "mine.h5")
    with h5py.File(tmp_path / "molecule_info.h5", "w") as file:
        file["barcode_idx"] = file["umi"] = np.arange(3)
    with pytest.raises(InputError, match=r"molecules.*filtered_feature_bc_matrix\.h5"):
        io.read(tmp_path / "molecule_info.h5")
    (tmp_path / "text.h5").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="not an HDF5 file"):
        io.read(tmp_path / "text.h5")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("GSE1.soft.gz", r"scanpy\.read\('GSE1\.soft\.gz'\)\.write\('GSE1\.h5ad'\)"),
        ("atlas.rds", r"anndataR::write_h5ad\(OBJECT, 'atlas\.h5ad'\)"),
        ("old.xls", r"\.xlsx"),
        ("blood.fcs", "readfcs"),
    ],
)
def test_formats_of_other_programs_are_answered_with_a_way(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(InputError, match=words):
        io.read(tmp_path / name)
