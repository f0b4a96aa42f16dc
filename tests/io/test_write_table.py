"""Features and annotations as text tables."""

from __future__ import annotations

import gzip
import logging
import time
import tracemalloc
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

N_OBS = 12


@pytest.fixture
def table() -> AnnData:
    """Values that need all digits of float32, one missing, and annotations of text and truth values."""
    values = np.random.default_rng(0).normal(0, 10, (N_OBS, 4)).astype(np.float32)
    values[2, 1] = np.nan
    obs = pd.DataFrame(
        {"kind": [f"k, {number % 3}" for number in range(N_OBS)], "generated": True},
        index=[f"row {number}" for number in range(N_OBS)],
    )
    return anndata.AnnData(X=values, obs=obs, var=pd.DataFrame(index=["p1", "p,2", "p 3", "p4"]))


@pytest.mark.parametrize(
    "name", ["t.csv", "t.tsv", "t.csv.gz", "t.tsv.gz", "T.TSV", "T.CSV.GZ", "t.tsv.csv"]
)
def test_what_is_written_is_read_back(tmp_path: Path, table: AnnData, name: str) -> None:
    io.write_table(tmp_path / name, table)
    content = (tmp_path / name).read_bytes()
    assert content.startswith(b"\x1f\x8b") == name.lower().endswith(".gz")
    text = (gzip.decompress(content) if name.lower().endswith(".gz") else content).decode()
    assert ("\t" in text) == (".tsv" in name.lower() and not name.endswith(".csv"))
    found = io.read(tmp_path / name)
    np.testing.assert_array_equal(found.X, table.X)
    assert list(found.var_names) == list(table.var_names)
    assert list(found.obs_names) == list(table.obs_names)
    assert list(found.obs["kind"]) == list(table.obs["kind"])
    assert list(found.obs["generated"]) == [True] * N_OBS


def test_sparse_counts_are_written_whole_in_blocks(tmp_path: Path) -> None:
    counts = sparse.random(5000, 3, density=0.3, format="csr", random_state=0, dtype=np.float32).ceil() * 2
    adata = anndata.AnnData(X=counts, obs=pd.DataFrame(index=[f"c{number}" for number in range(5000)]))
    io.write_table(tmp_path / "c.csv", adata)
    found = io.read(tmp_path / "c.csv")
    np.testing.assert_array_equal(found.X, counts.toarray())
    assert list(found.obs_names) == list(adata.obs_names)


def test_the_same_rows_give_the_same_bytes(
    tmp_path: Path, table: AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.obs["sequence"] = "ACGT"
    for number, name in enumerate("ab"):
        monkeypatch.setattr(time, "time", lambda number=number: 1e9 + 1000 * number)
        io.write_table(tmp_path / f"{name}.csv.gz", table)
        named = table.copy()
        named.obs_names = [f"row{number}" for number in range(N_OBS)]
        io.write_fasta(tmp_path / f"{name}.fa.gz", named)
    for ending in ("csv.gz", "fa.gz"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def peak_of_writing(path: Path, n_obs: int) -> int:
    """Write a table, and tell how many bytes that took at once."""
    adata = anndata.AnnData(
        X=np.random.default_rng(0).normal(size=(n_obs, 8)).astype(np.float32),
        obs=pd.DataFrame(index=[f"c{number}" for number in range(n_obs)]),
    )
    tracemalloc.start()
    try:
        io.write_table(path, adata)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_four_times_as_many_rows_take_no_more_memory(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    few, many = (peak_of_writing(path, n_blocks * 4096) for n_blocks in (3, 12))
    assert many < 1.5 * few  # pandas is not exact to the byte
    content = path.read_bytes()
    text = gzip.decompress(content) if ending.endswith("gz") else content
    assert text.count(b"\n") == 12 * 4096 + 1


class Unwritable:
    def __str__(self) -> str:
        msg = "cannot be written"
        raise RuntimeError(msg)


def test_a_table_that_fails_in_its_midst_leaves_the_old_one(tmp_path: Path) -> None:
    kinds = [*["a"] * 4999, Unwritable()]
    obs = pd.DataFrame({"kind": kinds}, index=[f"c{number}" for number in range(5000)])
    adata = anndata.AnnData(X=np.ones((5000, 2), np.float32), obs=obs)
    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(RuntimeError, match="cannot be written"):
        io.write_table(tmp_path / "t.csv", adata)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert (tmp_path / "t.csv").read_text() == "old"


def test_sources_that_are_named_by_numbers_are_no_features(tmp_path: Path, table: AnnData) -> None:
    table.obs["source"] = [str(number) for number in range(N_OBS)]
    io.write_table(tmp_path / "t.csv", table)
    found = io.read(tmp_path / "t.csv")
    assert list(found.var_names) == list(table.var_names)
    assert list(found.obs["source"].astype(str)) == list(table.obs["source"])


def test_annotations_that_are_numbers_have_to_be_named_again_which_the_log_says(
    tmp_path: Path, table: AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    table.obs["age"], table.obs["label"] = np.arange(N_OBS), np.arange(N_OBS) % 2
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        io.write_table(tmp_path / "t.csv", table)
    assert "t.csv: annotations 'age' are numbers" in caplog.text
    assert "age" in io.read(tmp_path / "t.csv").var_names
    found = io.read(tmp_path / "t.csv", obs_columns=["age"])
    assert list(found.obs["age"]) == list(range(N_OBS))
    assert list(found.var_names) == list(table.var_names)


@pytest.mark.parametrize("name", ["kind", "id", "p4"])
def test_a_name_that_is_taken_is_refused(tmp_path: Path, table: AnnData, name: str) -> None:
    table.var_names = [name, *table.var_names[1:]]
    with pytest.raises(InputError, match=rf"names of features and annotations.*'{name}'"):
        io.write_table(tmp_path / "t.csv", table)
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize("container", ["csr", "csc"])
def test_sparse_indices_outside_are_refused_before_anything_is_written(
    tmp_path: Path, table: AnnData, container: str
) -> None:
    table.X = sparse.random(N_OBS, 4, 0.5, format=container, random_state=0)
    table.X.indices[3] = 2**30
    with pytest.raises(InputError, match=rf"\.X.* number {2**30} in a matrix"):
        io.write_table(tmp_path / "t.csv", table)
    assert not list(tmp_path.iterdir())
