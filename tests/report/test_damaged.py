"""Run folders with something wrong inside: one error that names it, from every command that reads them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from anndata.io import read_elem, write_elem
from scipy import sparse

from diffaug_bio import runs
from diffaug_bio.errors import InputError
from diffaug_bio.estimator import DiffAug
from diffaug_bio.runs._report_rows import read_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READERS: dict[str, Callable[[Path], object]] = {
    "report": lambda folder: runs.report(folder, force=True),
    "evaluate": lambda folder: runs.evaluate(runs.DataSource(data=str(folder))),
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
