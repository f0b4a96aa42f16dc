"""Cases of Cell Ranger, zarr, MuData, loom and typed tables: a file is changed, and all are read."""

from __future__ import annotations

import functools
import gzip
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from diffaug_bio import io
from tests.io.cell_ranger import write_hdf5, write_text
from tests.io.stores.test_stores import write_loom, write_mudata, write_zarr
from tests.robustness.h5ad import check
from tests.robustness.mutate import mutated, mutated_text, one_of

if TYPE_CHECKING:
    from anndata import AnnData

_ODD_SIZES = (b"8 12 99999999999", b"-1 12 3", b"8 12", b"8 12 0", b"1 1 1", b"99999999999 12 3", b"a b c")


def _cells() -> AnnData:
    rng = np.random.default_rng(0)
    return anndata.AnnData(
        sparse.csr_matrix(rng.poisson(1.0, (12, 8)).astype(np.float32)),
        obs=pd.DataFrame({"kind": ["T", "B"] * 6}, index=[f"c{number}" for number in range(12)]),
        var=pd.DataFrame(index=[f"g{number}" for number in range(8)]),
        layers={"dense": rng.normal(size=(12, 8))},
    )


@functools.cache
def base_files() -> dict[str, dict[str, bytes]]:
    """Make one small folder of each format; return the content of its files by their path."""
    with tempfile.TemporaryDirectory() as name:
        top, adata = Path(name), _cells()
        write_text(top / "text" / "a", adata, 3)
        write_text(top / "text" / "b", adata, 2)
        write_hdf5(top / "hdf5" / "new.h5", adata, 7)
        write_hdf5(top / "hdf5" / "old.h5", adata, 2)
        for version in (2, 3):
            write_zarr(top / f"zarr{version}" / "x.zarr", adata, version)
        (top / "other").mkdir()
        write_mudata(top / "other" / "x.h5mu", rna=adata)
        write_loom(top / "other" / "x.loom", adata)
        return {
            folder.name: {
                str(file.relative_to(folder)): file.read_bytes()
                for file in sorted(folder.rglob("*"))
                if file.is_file()
            }
            for folder in top.iterdir()
        }


def _write(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def tenx_case(rng: np.random.Generator, folder: Path) -> None:
    """Change a file of counts in text or HDF5, or leave one out."""
    files = dict(base_files()["text" if rng.random() < 0.6 else "hdf5"])
    name = one_of(rng, list(files))
    content = files.pop(name)
    is_gzipped = name.endswith(".gz")
    if is_gzipped and rng.random() < 0.8:
        content = gzip.decompress(content)
    if "matrix.mtx" in name and rng.random() < 0.3:
        content = content.replace(b"8 12 ", one_of(rng, _ODD_SIZES) + b"\n", 1)
    elif rng.random() < 0.9:
        content = mutated(content, rng) if name.endswith(".h5") else mutated_text(content, rng)
    if rng.random() < 0.95:
        files[name] = gzip.compress(content) if is_gzipped and rng.random() < 0.8 else content
    _write(files, folder)
    check(io.read(folder if rng.random() < 0.5 or name not in files else folder / name))


def zarr_case(rng: np.random.Generator, folder: Path) -> None:
    """Change or remove a file of a store."""
    files = dict(base_files()[one_of(rng, ["zarr2", "zarr3"])])
    for _ in range(int(rng.integers(1, 3))):
        name = one_of(rng, list(files))
        if rng.random() < 0.2:
            del files[name]
        else:
            files[name] = mutated(files[name], rng)
    _write(files, folder)
    check(io.read(folder / "x.zarr"))


def store_case(rng: np.random.Generator, folder: Path) -> None:
    """Change a file of MuData or loom."""
    name, content = one_of(rng, list(base_files()["other"].items()))
    (folder / name).write_bytes(mutated(content, rng))
    check(io.read(folder / name))


@functools.cache
def base_tables() -> dict[str, bytes]:
    """Make one small table of each format that knows types."""
    frame = _cells().to_df().rename_axis("cell").reset_index()
    frame["kind"] = ["T", "B"] * 6
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        frame.to_parquet(top / "x.parquet")
        frame.to_feather(top / "x.feather")
        frame.to_excel(top / "x.xlsx")
        return {file.name: file.read_bytes() for file in sorted(top.iterdir())}


def frame_case(rng: np.random.Generator, folder: Path) -> None:
    """Change a table of Parquet, Feather or Excel: its bytes, or those of a part of a workbook."""
    name, content = one_of(rng, list(base_tables().items()))
    if name.endswith(".xlsx") and rng.random() < 0.8:
        content = _with_a_part_changed(content, rng)
    else:
        content = mutated(content, rng)
    (folder / name).write_bytes(content)
    check(io.read(folder / name))


def _with_a_part_changed(content: bytes, rng: np.random.Generator) -> bytes:
    """Change one file in a workbook, whose other files and checksums stay right."""
    stream = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        chosen = one_of(rng, old.namelist())
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, mutated_text(part, rng) if name == chosen else part)
    return stream.getvalue()
