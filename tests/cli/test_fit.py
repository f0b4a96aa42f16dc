"""`diffaug-bio fit`: what it writes and prints."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

from tests.cli.cells import make_cells, write_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

FILES = {"embedding.csv", "embedded.h5ad", "files.json", "metrics.json", "model", "report.html", "run.json"}
SCORES = {"linear_probe", "knn_accuracy", "kmeans_nmi", "kmeans_ari"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a configuration, and `run`, which the installed command wrote."""
    folder = write_cells(tmp_path_factory.mktemp("place"))
    command = [str(Path(sys.executable).with_name("diffaug-bio")), *arguments_in(folder, "run")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (folder / "stdout.txt").write_text(result.stdout)
    (folder / "stderr.txt").write_text(result.stderr)
    return folder


def arguments_in(folder: Path, output: str) -> list[str]:
    data, config = str(folder / "cells.h5ad"), str(folder / "tiny.toml")
    options = ["--config", config, "--label-key", "kind", "--threads", "1", "--device", "cpu"]
    return ["fit", data, "-o", str(folder / output), *options]


def test_all_files_are_written_and_no_other(place: Path) -> None:
    assert {path.name for path in (place / "run").iterdir()} == FILES
    assert not [path.name for path in place.iterdir() if path.name.startswith(".")]


def test_csv_holds_a_row_for_every_observation(place: Path) -> None:
    frame = pd.read_csv(place / "run" / "embedding.csv", index_col=0)
    assert list(frame.index) == [f"cell{i}" for i in range(90)]
    assert list(frame.columns) == [f"diffaug_{i}" for i in range(1, 7)]
    assert np.isfinite(frame.to_numpy()).all()


def test_h5ad_holds_data_and_embedding(place: Path) -> None:
    adata = anndata.read_h5ad(place / "run" / "embedded.h5ad")
    original = anndata.read_h5ad(place / "cells.h5ad")
    assert (adata.X != original.X).nnz == 0
    pd.testing.assert_frame_equal(adata.obs, original.obs)
    frame = pd.read_csv(place / "run" / "embedding.csv", index_col=0)
    np.testing.assert_array_equal(adata.obsm["X_diffaug"], frame.to_numpy(np.float32))
    assert json.loads(adata.uns["diffaug"]["params"])["seed"] == 0


def test_scores_stand_beside_those_of_pca(place: Path) -> None:
    scores = json.loads((place / "run" / "metrics.json").read_text())
    assert scores["label_key"] == "kind"
    assert (scores["n_scored"], scores["n_left_out"], scores["n_labels"]) == (90, 0, 3)
    for name in ("embedding", "pca"):
        assert scores[name]["width"] == 6
        assert set(scores[name]) > SCORES
        assert 0 <= scores[name]["linear_probe"] <= 1


def test_run_says_everything_needed_to_run_it_again(place: Path) -> None:
    run = json.loads((place / "run" / "run.json").read_text())
    assert run["command"] == "fit"
    assert run["config"]["encoder"]["n_latent"] == 6
    assert run["seed"] == 0
    assert run["device"] == "cpu"
    assert run["threads"] == 1
    assert {"python", "torch", "anndata", "numpy"} <= set(run["versions"])
    content = (place / "cells.h5ad").read_bytes()
    assert run["data"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert run["data"]["bytes"] == len(content)
    assert (run["data"]["n_obs"], run["data"]["n_vars"]) == (90, 30)
    assert run["data"]["input_state"] == "counts"
    assert set(run["seconds"]) == {"read", "fit", "evaluate", "write"}


def test_summary_goes_to_stdout_and_the_log_to_stderr(place: Path) -> None:
    out, err = (place / "stdout.txt").read_text(), (place / "stderr.txt").read_text()
    assert "90 rows embedded" in out
    assert "against 'kind'" in out
    assert "DiffAug, 6 wide" in out
    assert "PCA, 6 wide" in out
    assert "counts as detected" in err
    assert re.search(r"^warm-up: epoch (\d+)/\1, loss ", err, flags=re.MULTILINE)
    assert "Warning" not in err


def test_the_same_seed_gives_the_same_bytes_and_json_is_all_that_is_printed(
    place: Path, call: Callable[..., Result]
) -> None:
    result = call(*arguments_in(place, "again"), "--json")
    assert result.code == 0, result.err
    first, second = (place / name / "embedding.csv" for name in ("run", "again"))
    assert first.read_bytes() == second.read_bytes()
    weights = [place / name / "model" / "weights.safetensors" for name in ("run", "again")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    printed = json.loads(result.out)
    assert printed["metrics"] == json.loads((place / "again" / "metrics.json").read_text())
    assert printed["metrics"] == json.loads((place / "run" / "metrics.json").read_text())
    run = json.loads((place / "again" / "run.json").read_text())
    assert printed.pop("output") == str(place / "again")
    assert {key: value for key, value in printed.items() if key != "metrics"} == run
    shutil.rmtree(place / "again")


def test_quiet_prints_nothing(place: Path, tmp_path: Path, call: Callable[..., Result]) -> None:
    arguments = arguments_in(place, "run")
    arguments[3] = str(tmp_path / "run")
    assert call(*arguments, "--quiet") == (0, "", "")
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_output_that_exists_is_replaced_only_by_force(
    place: Path, tmp_path: Path, call: Callable[..., Result]
) -> None:
    shutil.copytree(place / "run", tmp_path / "run")
    arguments = arguments_in(place, "run")
    arguments[3] = str(tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_bytes()
    refused = call(*arguments, "--seed", "5")
    assert refused.code == 1
    assert refused.err.startswith("Error: ")
    assert "exists already. Choose another output folder (`-o`), or overwrite it (`--force`" in refused.err
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    assert call(*arguments, "--seed", "5", "--force").code == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seed"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_force_never_replaces_a_folder_of_other_files(
    place: Path, tmp_path: Path, call: Callable[..., Result]
) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    arguments = arguments_in(place, "run")
    arguments[3] = str(tmp_path)
    result = call(*arguments, "--force")
    assert result.code == 1
    assert "did not write or that were changed since: 'thesis.doc'" in result.err
    assert (tmp_path / "thesis.doc").read_text() == "years of work"


def test_a_table_is_embedded_and_scored_against_a_column(
    place: Path, tmp_path: Path, call: Callable[..., Result]
) -> None:
    adata = make_cells()
    frame = pd.DataFrame(adata.X.toarray() * 1.5, index=adata.obs_names, columns=adata.var_names)
    frame["age"] = np.arange(90) % 2
    frame.to_csv(tmp_path / "table.csv.gz", index_label="id")
    options = ["--config", place / "tiny.toml", "--label-key", "age", "--threads", 1, "--device", "cpu"]
    result = call("fit", tmp_path / "table.csv.gz", "-o", tmp_path / "run", *options)
    assert result.code == 0
    scores = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (scores["label_key"], scores["n_labels"]) == ("age", 2)
    embedded = anndata.read_h5ad(tmp_path / "run" / "embedded.h5ad")
    assert embedded.shape == (90, 30)
    assert list(embedded.obs_names) == [f"cell{i}" for i in range(90)]


def test_without_labels_there_are_no_scores(
    place: Path, tmp_path: Path, call: Callable[..., Result]
) -> None:
    options = ["--config", place / "tiny.toml", "--n-latent", 3, "--threads", 1, "--device", "cpu"]
    result = call("fit", place / "cells.h5ad", "-o", tmp_path / "run", *options)
    assert result.code == 0
    assert "against" not in result.out
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES - {"metrics.json"}
    assert pd.read_csv(tmp_path / "run" / "embedding.csv", index_col=0).shape == (90, 3)


def test_a_recipe_knows_its_labels(place: Path, tmp_path: Path, call: Callable[..., Result]) -> None:
    options = ["--config", place / "tiny.toml", "--threads", 1, "--device", "cpu", "--json"]
    result = call("fit", "recipe:pbmc68k", "-o", tmp_path / "run", *options)
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    assert printed["metrics"]["label_key"] == "bulk_labels"
    assert printed["metrics"]["n_labels"] == 10
    assert printed["metrics"]["pca"]["width"] == 6
    assert anndata.read_h5ad(tmp_path / "run" / "embedded.h5ad").obsm["X_diffaug"].shape == (700, 6)


def test_rows_whose_label_is_missing_or_rare_are_not_scored(
    place: Path, tmp_path: Path, call: Callable[..., Result]
) -> None:
    adata = make_cells()
    labels = adata.obs["kind"].astype(object).to_numpy()
    labels[:2], labels[2:5] = None, "rare"
    adata.obs["kind"] = pd.Categorical(labels)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    options = ["--config", place / "tiny.toml", "--label-key", "kind", "--threads", 1, "--device", "cpu"]
    assert call("fit", tmp_path / "cells.h5ad", "-o", tmp_path / "run", *options).code == 0
    scores = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (scores["n_scored"], scores["n_left_out"], scores["n_labels"]) == (85, 5, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "cells.h5ad", "-o", "run", "--epochs", "3"],
        ["fit", "-o", "run"],
        ["fit", "cells.h5ad", "-o", "run", "--n-latent", "0"],
        ["fit", "cells.h5ad", "-o", "run", "--seed", "one"],
        ["embed", "cells.h5ad", "-o", "run"],
        ["train"],
    ],
    ids=["unknown option", "no data", "width", "seed", "no model", "command"],
)
def test_wrong_calls_exit_with_two(
    arguments: list[str],
    call: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.code == 2
    assert "Error: " in result.err
    assert result.out == ""
    assert list(tmp_path.iterdir()) == []


def test_version_is_printed(call: Callable[..., Result]) -> None:
    result = call("--version")
    assert (result.code, result.out.split(",")[0]) == (0, "diffaug-bio")
