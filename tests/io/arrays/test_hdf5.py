"""Reading HDF5 files that hold plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from diffaug_bio.errors import InputError
from diffaug_bio.io.arrays import read_hdf5_arrays

if TYPE_CHECKING:
    from pathlib import Path

GENES_BY_CELLS = np.arange(12, dtype=np.float64).reshape(3, 4)


def write(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(
        tmp_path / "x.h5",
        x=GENES_BY_CELLS,
        genes=np.array([b"Gata1;Gata-1", b"Mpo", b"Irf8"]),
        cells=np.array([b"W1", b"W2", b"W3", b"W4"]),
        cluster=np.array([[1.0], [7.0], [7.0], [19.0]]),
        info=np.array([b"Irf8", b"Gata1", b"absent"]),
    )


def test_features_in_rows_are_turned_and_chosen(path: Path) -> None:
    adata = read_hdf5_arrays(
        path,
        values="x",
        obs_names="cells",
        var_names="genes",
        labels="cluster",
        kept_vars="info",
        transpose=True,
        first_name_before=";",
    )
    np.testing.assert_array_equal(adata.X, GENES_BY_CELLS.T[:, [0, 2]])
    assert adata.X.dtype == np.float32
    assert list(adata.var_names) == ["Gata1", "Irf8"]
    assert list(adata.obs_names) == ["W1", "W2", "W3", "W4"]
    assert list(adata.obs["label"]) == ["1", "7", "7", "19"]


def test_names_may_be_missing(path: Path) -> None:
    adata = read_hdf5_arrays(path, values="x")
    assert list(adata.obs_names) == ["0", "1", "2"]
    assert list(adata.var_names) == ["0", "1", "2", "3"]
    assert list(adata.obs) == []


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"values": "y"}, r"has no array 'y'; it holds 'cells', 'cluster', 'genes', 'info', 'twice' and 1"),
        ({"values": "cells"}, r"holds .S2 of shape \(4,\) as 'cells'; expected a matrix"),
        ({"values": "x", "obs_names": "cells"}, r"holds 4 values as 'cells' for a matrix of 3 rows and 4"),
        ({"values": "cluster", "transpose": True, "var_names": "twice"}, r"names of features occur more"),
    ],
    ids=["missing", "no matrix", "not turned", "twice"],
)
def test_what_does_not_fit_is_refused(path: Path, keywords: dict[str, Any], message: str) -> None:
    with h5py.File(path, "a") as file:
        file["twice"] = np.array([b"a", b"a", b"b", b"c"])
    with pytest.raises(InputError, match=message):
        read_hdf5_arrays(path, **keywords)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"x.h5 is not a complete HDF5 file"):
        read_hdf5_arrays(tmp_path / "x.h5", values="x")


def test_damage_anywhere_is_refused_or_harmless(path: Path) -> None:
    content, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_hdf5_arrays(path, values="x", obs_names="cells", labels="cluster", transpose=True)
        except InputError:
            refused += 1
    assert 20 < refused < 200
