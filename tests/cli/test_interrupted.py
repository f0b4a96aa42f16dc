"""A fit that is interrupted while it scores keeps what it has, and says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import DiffAugConfig, runs
from diffaug_bio.datasets import DataSource
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

TINY = """
[features]
n_components = 8
[encoder]
n_latent = 6
hidden = [16]
projector_hidden = [16]
n_projection = 8
[generator]
width = 16
n_blocks = 1
n_steps = 50
n_sampling_steps = 5
[train]
warmup_epochs = 1
generator_epochs = 1
encoder_epochs = 1
min_steps = 1
"""
KEPT = {"embedding.csv", "embedded.h5ad", "files.json", "model", "run.json"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with `cells.h5ad` and `tiny.toml`."""
    rng = np.random.default_rng(0)
    kinds = np.arange(90) % 3
    obs = pd.DataFrame({"kind": pd.Categorical([f"k{kind}" for kind in kinds])}, index=None)
    obs.index = pd.Index([f"cell{number}" for number in range(90)])
    counts = rng.poisson(rng.gamma(1.0, 1.0, (3, 30))[kinds]).astype(np.float32)
    anndata.AnnData(counts, obs=obs).write_h5ad(tmp_path / "cells.h5ad")
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals differ")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_fitted_is_kept(place: Path, call: Callable[..., Result], number: signal.Signals) -> None:
    words = ["fit", "cells.h5ad", "--config", "tiny.toml", "--label-key", "kind", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "diffaug_bio.cli", *words], cwd=place, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("scoring"))
    process.send_signal(number)
    last = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == 128 + number
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
