"""Heaps of texts in which the HDF5 library never comes to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import check_heaps

if TYPE_CHECKING:
    from pathlib import Path

START = b"GCOL\x01\0\0\0"


def write(path: Path, n_obs: int = 300) -> bytes:
    names = pd.DataFrame(index=[f"cell{number}" for number in range(n_obs)])
    adata = anndata.AnnData(np.ones((n_obs, 2), np.float32), obs=names)
    adata.write_h5ad(path)
    return path.read_bytes()


def test_sound_files_pass(tmp_path: Path) -> None:
    content = write(tmp_path / "x.h5ad")
    assert content.count(START) >= 2
    check_heaps(tmp_path / "x.h5ad")


def test_files_that_were_written_in_several_turns_pass(tmp_path: Path) -> None:
    write(tmp_path / "x.h5ad")
    for number in range(20):
        with h5py.File(tmp_path / "x.h5ad", "r+") as file:
            del file["obs/_index"]
            file["obs/_index"] = [f"{'x' * number}{row}" for row in range(300)]
            file["obs"].attrs["note"] = "y" * 500 * number
    check_heaps(tmp_path / "x.h5ad")


@pytest.mark.parametrize("n_zeros", [16, 64, 500])
def test_a_block_of_zeros_is_found(tmp_path: Path, n_zeros: int) -> None:
    content = write(tmp_path / "x.h5ad")
    start = content.index(START) + 16
    (tmp_path / "x.h5ad").write_bytes(content[:start] + bytes(n_zeros) + content[start + n_zeros :])
    with pytest.raises(InputError, match=r"damaged: the texts at byte \d+ cannot be read to their end"):
        check_heaps(tmp_path / "x.h5ad")


def test_files_without_texts_and_short_ones_pass(tmp_path: Path) -> None:
    for content in (b"", b"GCOL", START, START + b"\xff" * 8, START + b"\xff" * 40):
        (tmp_path / "x").write_bytes(content)
        check_heaps(tmp_path / "x")
