"""Run folders with something wrong inside: one error that names it, from every command that reads them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from anndata.io import read_elem, write_elem
from scipy import sparse

from diffaug_bio import report, runs
from diffaug_bio.datasets import DataSource
from diffaug_bio.errors import InputError
from diffaug_bio.model.estimator import DiffAug
from diffaug_bio.report._rows import read_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READERS: dict[str, Callable[[Path], object]] = {
    "report": lambda folder: report.write_report(folder, force=True),
    "evaluate": lambda folder: runs.evaluate(DataSource(data=str(folder))),
    "info": runs.info,
}


@pytest.fixture
def folder(fitted_run: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of the folder of a run."""
    return shutil.copytree(fitted_run("cells"), tmp_path / "run")


def make_sparse(folder: Path, kind: str) -> None:
    """Store the matrix of a run as CSR or CSC."""
    with h5py.File(folder / "embedded.h5ad", "r+") as file:
        matrix = read_elem(file["X"])
        del file["X"]
        write_elem(file, "X", sparse.coo_matrix(matrix).asformat(kind))


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_rows_of_a_sparse_matrix_are_those_of_the_file(folder: Path, kind: str) -> None:
    model, path = DiffAug.load(folder, device="cpu"), folder / "embedded.h5ad"
    expected = read_sample(path, model, most=50, seed=0).adata.X
    make_sparse(folder, kind)
    np.testing.assert_array_equal(read_sample(path, model, most=50, seed=0).adata.X.toarray(), expected)


@pytest.mark.parametrize("kind", ["csr", "csc"])
@pytest.mark.parametrize(("part", "value"), [("indices", 2**30), ("indices", -1), ("indptr", 10**6)])
@pytest.mark.parametrize("command", ["report", "evaluate"])
def test_sparse_indices_outside_are_named_with_file_and_place(
    folder: Path, command: str, kind: str, part: str, value: int
) -> None:
    make_sparse(folder, kind)
    with h5py.File(folder / "embedded.h5ad", "r+") as file:
        file[f"X/{part}"][1] = np.int32(value)
    with pytest.raises(InputError, match=rf"embedded\.h5ad: X: the sparse matrix .*{value}"):
        READERS[command](folder)


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("content", ["[]", "{}", '{"data": {"da', "[" * 100_000, '{"data": [1]}', "\udcff"])
def test_a_record_that_is_none_is_named(folder: Path, command: str, content: str) -> None:
    (folder / "run.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"run\.json is damaged: "):
        READERS[command](folder)


@pytest.mark.parametrize(
    ("name", "entry", "commands"),
    [
        ("run.json", "data.data", ("report", "evaluate", "info")),
        ("run.json", "data.label_key", ("report", "evaluate", "info")),
        ("run.json", "seconds", ("report", "evaluate", "info")),
        ("run.json", "versions", ("report",)),
        ("run.json", "log", ("report",)),
        ("run.json", "peak_memory_mb", ("report",)),
        ("metrics.json", "front_end", ("report", "info")),
        ("metrics.json", "embedding.linear_probe", ("report", "info")),
        ("metrics.json", "n_left_out", ("report", "info")),
    ],
)
@pytest.mark.parametrize("value", [[1], {"a": [2]}])
def test_an_entry_of_another_kind_is_named(
    folder: Path, name: str, entry: str, commands: tuple[str, ...], value: object
) -> None:
    table = json.loads((folder / name).read_text())
    *parents, last = entry.split(".")
    inside = table
    for parent in parents:
        inside = inside[parent]
    inside[last] = value
    (folder / name).write_text(json.dumps(table))
    for command in commands:
        with pytest.raises(InputError, match=rf"{name} is damaged: .*'{entry}'"):
            READERS[command](folder)


@pytest.mark.parametrize("entry", ["methods", "data", "n_seeds", "versions", "config", "failed"])
def test_an_entry_of_a_benchmark_of_another_kind_is_named(
    benchmark_folder: Path, tmp_path: Path, entry: str
) -> None:
    folder = shutil.copytree(benchmark_folder, tmp_path / "results")
    settings = json.loads((folder / "benchmark.json").read_text())
    (folder / "benchmark.json").write_text(json.dumps({**settings, entry: 7.5}))
    with pytest.raises(InputError, match=rf"benchmark\.json is damaged: .*'{entry}'"):
        report.write_report(folder, force=True)
