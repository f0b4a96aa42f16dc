"""`diffaug-bio benchmark`: what it prints and writes, what it refuses, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from tests.cli.conftest import Result

OPTIONS = ["--seeds", "1", "--jobs", "1", "--config", "quick"]
FILES = {"results.csv", "summary.md", "report.html", "benchmark.json", "cells", "files.json"}


@pytest.fixture
def cells(counts: AnnData, tmp_path: Path) -> Path:
    """A file with labels in `cluster`."""
    counts.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def test_a_recipe_is_compared_and_the_table_printed(call: Callable[..., Result], tmp_path: Path) -> None:
    arguments = ["benchmark", "recipe:pbmc68k", "--methods", "pca,raw, front_end", *OPTIONS]
    arguments += ["-o", str(tmp_path / "results")]
    result = call(*arguments)
    assert result.code == 0, result.err
    assert result.out.startswith("Data sets: 1, seeds: 1. ")
    for title in ("PCA of the same width", "raw features", "front end"):
        assert f"| {title}" in result.out
    assert f"See {tmp_path}/results/summary.md for each data set" in result.out
    assert "[3/3, 0 min left] pbmc68k, front_end, seed 0: linear probe 0." in result.err
    folder = tmp_path / "results"
    assert {path.name for path in folder.iterdir()} == FILES
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("# Benchmark\n")
    assert "\npbmc68k:\n" in summary
    scores = pd.read_csv(folder / "results.csv")
    assert set(scores["method"]) == {"pca", "raw", "front_end"}
    probe = scores[scores["metric"] == "linear_probe"].set_index("method")["value"]
    assert (probe > 0.7).all()

    printed = json.loads(call(*arguments, "--json").out)  # nothing is run again
    assert set(printed) == {"by_data", "overall", "left_out", "failed"}
    assert printed["failed"] == {}
    first = {row["method"]: row["mean"] for row in printed["by_data"] if row["metric"] == "linear_probe"}
    assert first == pytest.approx(probe.to_dict())
    assert call(*arguments, "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--label-key", "kind"],
            r"needs a label key ('kind'); its columns are 'cluster', 'batch', 'constant'",
        ),
        ([], "needs a label key (none was given); its columns are 'cluster', 'batch', 'constant'"),
        (["--label-key", "constant"], "cells.h5ad: Labels 'constant' cannot be scored: "),
        (["--label-key", "other=cluster"], "'other=cluster' is for a data set 'other'; there are cells."),
        (["--label-key", "cluster", "--methods", "umap"], "no method 'umap'. Methods are diffaug, "),
        (["--label-key", "cluster", "--batch-key", "cells=run"], "no batch column 'run'"),
        (["--label-key", "cluster", "--config", "nowhere.toml"], "nowhere.toml cannot be read"),
    ],
    ids=["missing label", "no label", "one class", "data set", "method", "batch", "configuration"],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(
    counts: AnnData, call: Callable[..., Result], tmp_path: Path, options: list[str], message: str
) -> None:
    counts.obs["batch"], counts.obs["constant"] = [f"b{i % 2}" for i in range(120)], "same"
    counts.write_h5ad(tmp_path / "cells.h5ad")
    result = call("benchmark", tmp_path / "cells.h5ad", "-o", tmp_path / "results", *OPTIONS, *options)
    assert result.code == 1
    assert result.out == ""
    assert result.err.splitlines()[-1].startswith("Error: ")
    assert message in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["cells.h5ad"]


def test_a_missing_file_and_missing_data_are_refused(call: Callable[..., Result], tmp_path: Path) -> None:
    result = call("benchmark", tmp_path / "cells.h5ad", "-o", tmp_path / "results", "--label-key", "kind")
    assert (result.code, result.out) == (1, "")
    assert "There is no file " in result.err
    assert call("benchmark", "-o", tmp_path / "results").code == 2


def test_what_breaks_is_told_and_the_rest_is_written(
    cells: Path, counts: AnnData, call: Callable[..., Result], tmp_path: Path
) -> None:
    matrix = np.full(counts.shape, 2.0, np.float32)
    anndata.AnnData(X=matrix, obs=counts.obs, var=counts.var).write_h5ad(tmp_path / "broken.h5ad")
    arguments = ["benchmark", cells, tmp_path / "broken.h5ad", "--label-key", "cluster", *OPTIONS]
    result = call(*arguments, "--methods", "pca", "-o", tmp_path / "results")
    assert result.code == 1
    assert "| PCA of the same width" in result.out
    assert "Error: 1 of the runs failed, the first pca on broken, seed 0: InputError: " in result.err
    assert "pca on broken, seed 0 failed: " in (tmp_path / "results" / "summary.md").read_text()


def test_data_that_no_method_can_use_are_named_at_once(
    cells: Path, counts: AnnData, call: Callable[..., Result], tmp_path: Path
) -> None:
    matrix = counts.X.toarray()
    matrix[2, 3] = np.inf
    anndata.AnnData(X=matrix, obs=counts.obs, var=counts.var).write_h5ad(tmp_path / "broken.h5ad")
    arguments = ["benchmark", cells, tmp_path / "broken.h5ad", "--label-key", "cluster", *OPTIONS]
    result = call(*arguments, "--methods", "pca", "-o", tmp_path / "results")
    assert (result.code, result.out) == (1, "")
    assert "broken.h5ad: The matrix holds infinite values" in result.err
    assert not (tmp_path / "results").exists()


def test_where_nothing_came_out_the_reason_is_told(
    cells: Path, call: Callable[..., Result], tmp_path: Path
) -> None:
    arguments = ["benchmark", cells, "--label-key", "cluster", "--methods", "pca_onehot", *OPTIONS]
    result = call(*arguments, "-o", tmp_path / "results", "--quiet")
    assert (result.code, result.out) == (1, "")
    assert "it needs DNA sequences" in result.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(
    cells: Path, call: Callable[..., Result], tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    arguments = ["benchmark", str(cells), "-o", str(folder), "--label-key", "cluster"]
    n_seeds = 25  # so many that a busy machine, which is slow to interrupt, does not finish them
    arguments += ["--methods", "pca", "--seeds", str(n_seeds), "--jobs", "1"]
    command = [sys.executable, "-m", "diffaug_bio.cli", *arguments]
    # A group of its own, all of which a terminal would interrupt.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        started = time.monotonic()
        while not list(folder.glob("cells/[!.]*.json")) and time.monotonic() - started < 120:
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert f"kept in {folder}." in err
    assert "Traceback" not in err
    done = {path: path.stat().st_mtime_ns for path in folder.glob("cells/[!.]*.json")}
    assert 1 <= len(done) < n_seeds
    assert not (folder / "results.csv").exists()

    again = call(*arguments)
    assert again.code == 0, again.err
    assert f"{len(done)} of {n_seeds} results are there already." in again.err
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(list(folder.glob("cells/[!.]*.json"))) == n_seeds
    assert {path.name for path in folder.iterdir()} == FILES


def test_another_checkout_in_the_current_folder_is_not_imported(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "diffaug_bio").mkdir()
    (tmp_path / "diffaug_bio" / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    script = Path(sys.executable).with_name("diffaug-bio")  # which, unlike `python -m`, leaves it out
    arguments = ["benchmark", str(cells), "--label-key", "cluster", "--methods", "pca"]
    command = [str(script), *arguments, *map(str, OPTIONS), "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "PCA of the same width" in done.stdout
