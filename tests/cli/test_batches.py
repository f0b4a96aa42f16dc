"""`fit --batch-key` and `augment --batch` on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import DiffAug, io, tl
from tests.cli.cells import TINY
from tests.cli.conftest import run_here

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

OPTIONS = ["--threads", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cells of two donors in two runs, and `run`, a fit of them."""
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    row = np.arange(120)
    donor, run = row // 3 % 2, row // 6 % 2
    rates = rng.gamma(1.0, 2.0, (3, 30))[row % 3] * rng.lognormal(0, 0.6, (2, 30))[donor]
    obs = pd.DataFrame(
        {"kind": [f"k{n}" for n in row % 3], "donor": [f"d{n}" for n in donor], "run": run},
        index=[f"cell{n}" for n in row],
    )
    var = pd.DataFrame(index=[f"gene{n}" for n in range(30)])
    cells = anndata.AnnData(sparse.csr_matrix(rng.poisson(rates).astype(np.float32)), obs=obs, var=var)
    cells.write_h5ad(folder / "cells.h5ad")
    (folder / "tiny.toml").write_text(f"{TINY}[batches]\nshift_weight = 2\n")
    arguments = ["fit", folder / "cells.h5ad", *OPTIONS, "-o", folder / "run", "--label-key", "kind"]
    done = run_here(*arguments, "--config", folder / "tiny.toml", "--batch-key", "donor,run")
    assert done.code == 0, done.err
    (folder / "stderr.txt").write_text(done.err)
    return folder


def read_json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_run_says_of_which_columns_batches_were_brought_together(place: Path) -> None:
    run = read_json(place / "run" / "run.json")
    assert run["data"]["batch_key"] == "donor,run"
    assert run["config"]["batches"]["names"] == ["d0 / 0", "d0 / 1", "d1 / 0", "d1 / 1"]
    assert run["config"]["batches"]["shift_weight"] == 2
    embedded = anndata.read_h5ad(place / "run" / "embedded.h5ad")
    assert json.loads(embedded.uns["diffaug"]["params"])["batch_key"] == "donor,run"
    assert "4 batches: " in (place / "stderr.txt").read_text()


def test_the_card_and_info_name_them_and_the_command_fits_again(
    place: Path, call: Callable[..., Result]
) -> None:
    card = (place / "run" / "model" / "README.md").read_text()
    assert "| Batches | donor,run; corrected by the fit |" in card
    assert "--batch-key donor,run" in card
    assert "shift_weight = 2.0" in card
    assert "names =" not in card  # which the fit finds in the data
    said = call("info", place / "run")
    assert "donor,run; corrected by the fit" in said.out
    assert read_json(place / "run" / "model" / "config.json")["source"]["batch_key"] == "donor,run"


def test_the_same_seed_in_python_gives_the_same_embedding(place: Path) -> None:
    cells = anndata.read_h5ad(place / "cells.h5ad")
    tl.embed(cells, config=place / "tiny.toml", batch_key=["donor", "run"], device="cpu")
    written = pd.read_csv(place / "run" / "embedding.csv", index_col=0).to_numpy(np.float32)
    np.testing.assert_array_equal(cells.obsm["X_diffaug"], written)


def test_cells_are_augmented_as_a_batch_would_have_measured_them(
    place: Path, call: Callable[..., Result]
) -> None:
    shared = ["augment", place / "cells.h5ad", "--model", place / "run", *OPTIONS]
    result = call(*shared, "-o", place / "as.h5ad", "--batch", "d1 / 0", "--seed", 3)
    assert (result.code, result.out) == (0, f"120 rows generated; see {place / 'as.h5ad'}.\n")
    model = DiffAug.load(place / "run", device="cpu")
    cells = anndata.read_h5ad(place / "cells.h5ad")
    expected = tl.augment(cells, model, batch="d1 / 0", random_state=3)
    assert (anndata.read_h5ad(place / "as.h5ad").X != expected.X).nnz == 0
    assert call(*shared, "-o", place / "own.h5ad", "--seed", 3).code == 0
    own = tl.augment(cells, model, random_state=3)
    assert (anndata.read_h5ad(place / "own.h5ad").X != own.X).nnz == 0


def test_a_batch_that_the_model_does_not_know_is_an_error(place: Path, call: Callable[..., Result]) -> None:
    arguments = ["augment", place / "cells.h5ad", "--model", place / "run", *OPTIONS]
    result = call(*arguments, "-o", place / "no.h5ad", "--batch", "d9")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1].startswith(
        "Error: The model knows no batch 'd9'. It was fitted on 'd0"
    )
    assert not (place / "no.h5ad").exists()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("lane", "There is no batch column 'lane' in `.obs`; it holds 'kind', 'donor', 'run'."),
        ("donor,lane", "There is no batch column 'lane' in `.obs`"),
    ],
)
def test_a_column_that_is_not_there_is_an_error_and_nothing_is_written(
    place: Path, call: Callable[..., Result], key: str, message: str
) -> None:
    arguments = ["fit", place / "cells.h5ad", "-o", place / "none", "--config", place / "tiny.toml"]
    result = call(*arguments, "--batch-key", key, *OPTIONS)
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[-1].startswith(f"Error: {message}")
    assert not (place / "none").exists()


def test_batches_that_are_numbers_in_a_table_are_no_features(
    place: Path, call: Callable[..., Result], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    row = np.arange(90)
    values = rng.normal(0, 1, (90, 8)) + rng.normal(0, 3, (3, 8))[row % 3] + (row >= 45)[:, None]
    table = pd.DataFrame(values, columns=[f"protein{n}" for n in range(8)], index=row.astype(str))
    table["site"] = np.where(row < 45, 1, 2)
    table.to_csv(tmp_path / "table.csv", index_label="id")
    arguments = ["fit", tmp_path / "table.csv", "-o", tmp_path / "run", "--config", place / "tiny.toml"]
    arguments += ["--no-report"]
    assert call(*arguments, "--batch-key", "site", *OPTIONS).code == 0
    run = read_json(tmp_path / "run" / "run.json")
    assert run["data"]["n_vars"] == 8
    assert run["config"]["batches"]["names"] == ["1", "2"]
    shared = ["augment", tmp_path / "table.csv", "--model", tmp_path / "run", "--batch", "2", *OPTIONS]
    assert call(*shared, "-o", tmp_path / "more.csv").code == 0
    assert io.read(tmp_path / "more.csv", obs_columns=["site"]).n_vars == 8


def test_a_fit_without_batches_says_so(place: Path, call: Callable[..., Result], tmp_path: Path) -> None:
    arguments = ["fit", place / "cells.h5ad", "-o", tmp_path / "run", "--config", place / "tiny.toml"]
    assert call(*arguments, "--no-report", *OPTIONS).code == 0
    run = read_json(tmp_path / "run" / "run.json")
    assert run["data"]["batch_key"] is None
    assert run["config"]["batches"]["names"] == []
    assert "--batch-key" not in (tmp_path / "run" / "model" / "README.md").read_text()
    assert "corrected by the fit" not in call("info", tmp_path / "run").out
