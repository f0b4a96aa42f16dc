"""Sparse matrices of h5ad files whose inside is wrong: scipy would read outside of its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

PLACES = ("X", "layers/counts", "raw/X", "obsm/words", "obsp/near", "varm/loads", "varp/alike", "uns/in/it")


def matrix(n_columns: int) -> sparse.csr_matrix:
    return sparse.random(12, n_columns, 0.5, format="csr", dtype=np.float32, random_state=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a sparse matrix in every place that can hold one."""
    names = [f"n{number}" for number in range(12)]
    adata = anndata.AnnData(matrix(12), obs=pd.DataFrame(index=names), var=pd.DataFrame(index=names))
    adata.raw = adata.copy()
    adata.layers["counts"] = matrix(12)
    adata.obsm["words"] = matrix(7)
    adata.varm["loads"] = matrix(7)
    adata.obsp["near"] = matrix(12)
    adata.varp["alike"] = matrix(12)
    adata.uns["in"] = {"it": matrix(5).tocsc()}
    adata.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def put(path: Path, name: str, place: int, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        file[name][place] = value


def replace(path: Path, name: str, values: Any) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = values


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [-1, 99_999])
def test_wrong_index_is_named_with_its_place(path: Path, place: str, number: int) -> None:
    put(path, f"{place}/indices", 3, number)
    axis = "row" if place.startswith("uns") else "column"
    with pytest.raises(InputError, match=rf"{place}: the sparse matrix has the {axis} number {number} in"):
        io.read(path)


@pytest.mark.parametrize(
    ("place", "value", "found"),
    [
        (0, 1, "start at 1"),
        (-1, 3, "end at 3"),
        (-1, 10**6, "end at 1000000"),
        (5, 10**6, "fall from 1000000"),
        (5, -4, "to -4 at 5"),
    ],
)
def test_pointers_have_to_divide_the_values(path: Path, place: int, value: int, found: str) -> None:
    put(path, "layers/counts/indptr", place, value)
    with pytest.raises(InputError, match=rf"layers/counts: the sparse matrix has pointers .*{found}"):
        io.read(path)


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("indices", [0, 1], "2 column numbers for"),
        ("indices", np.zeros(72, float), "column numbers of type float64"),
        ("indices", np.zeros((36, 2), int), r"shape \(36, 2\)"),
        ("indptr", np.zeros(13, float), "pointers .* of type float64"),
        ("indptr", [0, 72], "2 pointers .* where 13 belong"),
        ("data", np.zeros((72, 2)), r"values of shape \(72, 2\)"),
        ("data", [1.0], "and 1 values"),
    ],
)
def test_arrays_of_another_type_or_length_are_refused(
    path: Path, name: str, values: Any, found: str
) -> None:
    replace(path, f"X/{name}", values)
    with pytest.raises(InputError, match=rf"X: the sparse matrix has .*{found}"):
        io.read(path)


@pytest.mark.parametrize("shape", [(12, 3), (10**12, 12), (-1, 12), (12,), (12, 12, 2), (2**64 - 1, 12)])
def test_shape_that_does_not_suit_is_refused(path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "r+") as file:
        file["layers/counts"].attrs["shape"] = np.array(shape)
    with pytest.raises(InputError, match="layers/counts"):
        io.read(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int16, ">i4"])
def test_indices_of_any_whole_type_are_read(path: Path, dtype: Any) -> None:
    expected = io.read(path).X.toarray()
    with h5py.File(path) as file:
        held = {name: file[f"X/{name}"][:] for name in ("indices", "indptr")}
    for name, values in held.items():
        replace(path, f"X/{name}", values.astype(dtype))
    np.testing.assert_array_equal(io.read(path).X.toarray(), expected)


def test_entries_in_any_order_are_read_and_those_stored_twice_are_added_up(path: Path) -> None:
    expected = io.read(path).X.toarray()
    with h5py.File(path) as file:
        indptr, indices = file["X/indptr"][:], file["X/indices"][:]
    first = slice(0, int(indptr[1]))
    with h5py.File(path, "r+") as file:
        file["X/indices"][first] = indices[first][::-1]
        file["X/data"][first] = file["X/data"][first][::-1]
    np.testing.assert_array_equal(io.read(path).X.toarray(), expected)
    put(path, "X/indices", 1, int(indices[first][::-1][0]))
    assert io.read(path).X[0].sum() == pytest.approx(expected[0].sum())
