"""A fit that is interrupted while it scores keeps what it has, and says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import DiffAugConfig, runs
from diffaug_bio.datasets import DataSource
from diffaug_bio.errors import InputError
from tests.cli.cells import write_cells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

KEPT = {"embedding.csv", "embedded.h5ad", "files.json", "model", "run.json"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with `cells.h5ad` and `tiny.toml`."""
    return write_cells(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals differ")
def test_what_was_fitted_is_kept(place: Path, call: Callable[..., Result]) -> None:
    words = ["fit", "cells.h5ad", "--config", "tiny.toml", "--label-key", "kind", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "diffaug_bio.cli", *words], cwd=place, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("scoring"))
    process.send_signal(signal.SIGINT)
    last = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == 128 + signal.SIGINT
    for word in (
        "Interrupted",
        "kept",
        "diffaug-bio evaluate cells.diffaug",
        "diffaug-bio report cells.diffaug",
    ):
        assert word in last
    run = place / "cells.diffaug"
    assert {path.name for path in run.iterdir()} == KEPT
    assert {path.name for path in place.iterdir()} == {"cells.h5ad", "tiny.toml", "cells.diffaug"}
    assert "Scores" not in (run / "model" / "README.md").read_text()

    assert call("evaluate", run, "--threads", "1").code == 0  # it knows the label
    assert call("report", run).code == 0
    assert {path.name for path in run.iterdir()} == KEPT | {"report.html"}


def test_scores_that_cannot_be_written_cost_no_fit(place: Path) -> None:
    run = place / "run"

    def take(_step: runs.ScoringStep) -> None:
        (run / "metrics.json").write_text("mine")

    config = DiffAugConfig.from_toml(place / "tiny.toml")
    source = DataSource(data=str(place / "cells.h5ad"), label_key="kind")
    with pytest.raises(InputError, match=r"metrics\.json") as caught:
        runs.fit(source, run, config=config, on_score=take, device="cpu")
    assert f"diffaug-bio evaluate {run}" in caught.value.__notes__[0]
    assert (run / "metrics.json").read_text() == "mine"
    assert {path.name for path in run.iterdir()} == KEPT | {"metrics.json"}
