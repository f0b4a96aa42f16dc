"""h5ad files as GEO has them, gzipped."""

from __future__ import annotations

import gzip
import logging
import tempfile
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.tests.helpers import assert_equal
from scipy import sparse

from diffaug_bio import io, runs
from diffaug_bio.datasets import DataSource
from diffaug_bio.datasets.source import read_source
from diffaug_bio.errors import InputError
from diffaug_bio.io import _files


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    counts = np.random.default_rng(0).poisson(0.7, (30, 12)).astype(np.float32)
    obs = pd.DataFrame({"kind": ["a", "b"] * 15}, index=[f"c{number}" for number in range(30)])
    adata = anndata.AnnData(sparse.csr_matrix(counts), obs=obs)
    adata.layers["counts"] = adata.X.copy()
    adata.raw = adata.copy()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def packed(path: Path, name: str, content: bytes | None = None) -> Path:
    """Gzip a file, or some content in place of its own."""
    target = path.with_name(name)
    target.write_bytes(gzip.compress(path.read_bytes() if content is None else content))
    return target


@pytest.mark.parametrize("name", ["cells.h5ad.gz", "GSM1_cells.h5ad.GZ", "unpacked_by_name.h5ad"])
def test_a_gzipped_file_is_read_like_the_plain_one_and_leaves_nothing(
    plain: Path, name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scratch := plain.parent / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with caplog.at_level(logging.INFO):
        adata = io.read(packed(plain, name))
    assert_equal(adata, io.read(plain))
    assert adata.raw is not None
    assert "gunzip" in caplog.text
    assert list(scratch.iterdir()) == []


def test_a_gzipped_file_that_was_cut_says_so(plain: Path) -> None:
    path = packed(plain, "cells.h5ad.gz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"cells\.h5ad\.gz is not a complete gzip file.*again"):
        io.read(path)


def test_something_else_that_was_gzipped_says_so(plain: Path) -> None:
    with pytest.raises(InputError, match=r"cells\.h5ad\.gz is not.*packed in it.*no HDF5"):
        io.read(packed(plain, "cells.h5ad.gz", b"a,b\n1,2\n"))


def test_damage_inside_names_the_gzipped_file(plain: Path) -> None:
    with h5py.File(plain, "r+") as file:
        file["X/indices"][0] = 99
    with pytest.raises(InputError, match=r"cells\.h5ad\.gz: X"):
        io.read(packed(plain, "cells.h5ad.gz"))


def test_a_file_made_to_fill_the_disk_is_refused(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "_ALWAYS_UNPACKED", 2**16)
    path = packed(plain, "cells.h5ad.gz", plain.read_bytes() + bytes(2**22))
    with pytest.raises(InputError, match="unpacks to more than"):
        io.read(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_temporary_folder_is_one_sentence(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(tempfile.TemporaryDirectory[str]):
        def __enter__(self) -> str:
            folder = super().__enter__()
            Path(folder, "unpacked.h5ad").symlink_to("/dev/full")
            return folder

    monkeypatch.setattr(tempfile, "TemporaryDirectory", Full)
    with pytest.raises(InputError, match=r"room.*TMPDIR.*gunzip"):
        io.read(packed(plain, "cells.h5ad.gz"))


def test_results_are_named_after_the_data_without_both_endings(plain: Path) -> None:
    path = packed(plain, "cells.h5ad.gz")
    assert runs.default_output("fit", str(path)).name == "cells.diffaug"
    adata, label_key = read_source(DataSource(data=str(path), label_key="kind"))
    assert (adata.n_obs, label_key) == (30, "kind")
