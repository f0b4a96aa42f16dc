"""`diffaug-bio fit recipe:NAME` works end to end for a table, for DNA and for images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.recipes.genuine import GENUINE

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
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
n_steps = 20
n_sampling_steps = 4
[train]
warmup_epochs = 1
generator_epochs = 1
encoder_epochs = 1
min_steps = 2
batch_size = 16
"""


def run(*arguments: object, cache: Path) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own, with a folder for files."""
    environment = os.environ | {"DIFFAUG_BIO_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "diffaug_bio.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=300
    )


@pytest.mark.parametrize(
    ("name", "n_obs", "is_known"),
    [("uci_har", 30, False), ("uci_promoters", 20, False), ("cifar10", 24, True)],
    ids=["table", "dna", "image"],
)
def test_a_recipe_is_fetched_and_fitted(tmp_path: Path, name: str, n_obs: int, is_known: bool) -> None:  # noqa: FBT001
    (tmp_path / "given").mkdir()
    GENUINE[name](tmp_path / "given")
    (tmp_path / "tiny.toml").write_text(CONFIG)
    cache = tmp_path / "cache"
    unchecked = ["--unchecked"] if is_known else []  # tiny files have another size and hash
    fetched = run("recipes", "fetch", name, "--from", tmp_path / "given", *unchecked, cache=cache)
    assert fetched.returncode == 0, fetched.stderr
    output = tmp_path / "run"
    fitted = run(
        *("fit", f"recipe:{name}", "-o", output, "--config", tmp_path / "tiny.toml"),
        *("--device", "cpu", "--threads", 1, "--quiet"),
        cache=cache,
    )
    assert fitted.returncode == 0, fitted.stderr
    embedding = pd.read_csv(output / "embedding.csv", index_col=0)
    assert embedding.shape == (n_obs, 6)
    assert embedding.notna().all(axis=None)
    assert json.loads((output / "metrics.json").read_text())
