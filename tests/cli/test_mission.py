"""The three uses of the mission as they are written, with nothing else said.

The data are few, so that the default preset takes seconds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

import diffaug_bio
from tests.cli.cells import make_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data.h5ad` and nothing else."""
    folder = tmp_path_factory.mktemp("mission")
    make_cells().write_h5ad(folder / "data.h5ad")
    return folder


def run(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *rest = words.split()
    command = [str(Path(sys.executable).with_name(program)), *rest]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_writes_a_folder_named_after_the_data_and_says_where(
    place: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("diffaug-bio fit data.h5ad", place)
    assert first.returncode == 0, first.stderr
    assert sorted(path.name for path in place.iterdir()) == ["data.diffaug", "data.h5ad"]
    assert "data.diffaug/embedding.csv" in first.stdout

    frame = pd.read_csv(place / "data.diffaug" / "embedding.csv", index_col=0)
    embedded = anndata.read_h5ad(place / "data.diffaug" / "embedded.h5ad")
    original = anndata.read_h5ad(place / "data.h5ad")
    assert list(frame.index) == list(original.obs_names) == list(embedded.obs_names)
    np.testing.assert_array_equal(frame.to_numpy(np.float32), embedded.obsm["X_diffaug"])
    assert np.ptp(embedded.obsm["X_diffaug"], axis=0).min() > 0

    monkeypatch.chdir(place)
    again = call("fit", "data.h5ad")
    assert again.code == 1
    for word in ("data.diffaug", "--force", "-o"):
        assert word in again.err.splitlines()[-1]


def test_a_call_embeds_an_anndata(place: Path) -> None:
    adata = anndata.read_h5ad(place / "data.h5ad")
    diffaug_bio.tl.embed(adata)
    assert adata.obsm["X_diffaug"].shape[0] == adata.n_obs
    assert np.isfinite(adata.obsm["X_diffaug"]).all()
