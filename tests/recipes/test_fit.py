"""`diffaug-bio fit recipe:NAME` works end to end for a table, for DNA and for images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.cli.conftest import run_here
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


@pytest.mark.parametrize(
    ("name", "n_obs", "is_known"),
    [("uci_har", 30, False), ("uci_promoters", 20, False), ("cifar10", 24, True)],
    ids=["table", "dna", "image"],
)
def test_a_recipe_is_fetched_and_fitted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    n_obs: int,
    is_known: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "given").mkdir()
    GENUINE[name](tmp_path / "given")
    (tmp_path / "tiny.toml").write_text(CONFIG)
    monkeypatch.setenv("DIFFAUG_BIO_CACHE", str(tmp_path / "cache"))
    unchecked = ["--unchecked"] if is_known else []  # tiny files have another size and hash
    fetched = run_here("recipes", "fetch", name, "--from", tmp_path / "given", *unchecked)
    assert fetched.code == 0, fetched.err
    output = tmp_path / "run"
    fitted = run_here(
        *("fit", f"recipe:{name}", "-o", output, "--config", tmp_path / "tiny.toml"),
        *("--device", "cpu", "--threads", 1, "--quiet", "--no-report"),
    )
    assert fitted.code == 0, fitted.err
    embedding = pd.read_csv(output / "embedding.csv", index_col=0)
    assert embedding.shape == (n_obs, 6)
    assert embedding.notna().all(axis=None)
    assert json.loads((output / "metrics.json").read_text())
