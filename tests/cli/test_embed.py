"""`diffaug-bio embed`: new data with a fitted model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import runs
from diffaug_bio.datasets import DataSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig
    from tests.cli.conftest import Result


ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ["--threads", "1", "--device", "cpu"]


@pytest.fixture
def run_folder(counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path) -> Path:
    """What `fit` wrote about `cells.h5ad` beside it."""
    counts.write_h5ad(tmp_path / "cells.h5ad")
    source = DataSource(data=str(tmp_path / "cells.h5ad"))
    runs.fit(source, tmp_path / "run", config=tiny_config, device="cpu")
    return tmp_path / "run"


def read_embedding(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "embedding.csv", index_col=0)


@pytest.mark.parametrize("model", ["run", "run/model"])
def test_a_saved_model_gives_the_embedding_of_its_training(
    run_folder: Path, call: Callable[..., Result], model: str
) -> None:
    folder = run_folder.parent
    result = call("embed", folder / "cells.h5ad", "--model", folder / model, "-o", folder / "new", *OPTIONS)
    assert result.code == 0
    assert result.out.startswith("120 rows embedded; see ")
    assert {path.name for path in (folder / "new").iterdir()} == {
        "embedding.csv",
        "embedded.h5ad",
        "files.json",
        "novelty.csv",
        "run.json",
    }
    pd.testing.assert_frame_equal(read_embedding(folder / "new"), read_embedding(run_folder), atol=1e-5)
    embedded = anndata.read_h5ad(folder / "new" / "embedded.h5ad")
    np.testing.assert_array_equal(
        embedded.obsm["X_diffaug"], read_embedding(folder / "new").to_numpy(np.float32)
    )


def test_new_rows_with_other_genes_are_embedded(
    run_folder: Path, counts: AnnData, call: Callable[..., Result]
) -> None:
    folder = run_folder.parent
    counts[:30, ::-2].copy().write_h5ad(folder / "new.h5ad")
    result = call("embed", folder / "new.h5ad", "--model", run_folder, "-o", folder / "new", *OPTIONS)
    assert result.code == 0
    assert "20 of the 40 features that the model uses are in the data." in result.err
    assert list(read_embedding(folder / "new").index) == [f"cell{i}" for i in range(30)]


def test_a_table_is_embedded_with_a_model_of_an_h5ad(
    run_folder: Path, counts: AnnData, call: Callable[..., Result]
) -> None:
    folder = run_folder.parent
    counts.to_df().T.to_csv(folder / "genes.tsv", sep="\t", index_label="gene")
    result = call(
        "embed", folder / "genes.tsv", "--transpose", "--model", run_folder, "-o", folder / "new", *OPTIONS
    )
    assert result.code == 0
    pd.testing.assert_frame_equal(read_embedding(folder / "new"), read_embedding(run_folder), atol=1e-5)


def test_json_is_all_that_is_printed_and_is_what_is_written(
    run_folder: Path, call: Callable[..., Result]
) -> None:
    folder = run_folder.parent
    result = call(
        "embed", folder / "cells.h5ad", "--model", run_folder, "-o", folder / "new", "--json", *OPTIONS
    )
    printed = json.loads(result.out)
    assert printed.pop("output") == str(folder / "new")
    assert printed == json.loads((folder / "new" / "run.json").read_text())
    assert printed["command"] == "embed"
    assert printed["model"] == str(run_folder)
    assert len(printed["data"]["sha256"]) == 64


def test_quiet_prints_nothing_and_force_replaces(run_folder: Path, call: Callable[..., Result]) -> None:
    folder = run_folder.parent
    arguments = [
        "embed",
        folder / "cells.h5ad",
        "--model",
        run_folder,
        "-o",
        folder / "new",
        "--quiet",
        *OPTIONS,
    ]
    assert call(*arguments) == (0, "", "")
    refused = call(*arguments)
    assert refused.code == 1
    assert refused.out == ""
    assert "exists already" in refused.err
    assert call(*arguments, "--force") == (0, "", "")


def test_a_layer_can_be_named(run_folder: Path, counts: AnnData, call: Callable[..., Result]) -> None:
    folder = run_folder.parent
    counts.layers["counts"] = counts.X
    counts.X = counts.X * 0
    counts.write_h5ad(folder / "layers.h5ad")
    arguments = ["embed", folder / "layers.h5ad", "--model", run_folder, "-o", folder / "new", *OPTIONS]
    assert call(*arguments, "--layer", "counts").code == 0
    pd.testing.assert_frame_equal(read_embedding(folder / "new"), read_embedding(run_folder), atol=1e-5)


def test_novelty_is_written(run_folder: Path, counts: AnnData, call: Callable[..., Result]) -> None:
    folder = run_folder.parent
    strange = counts.copy()
    strange.X = strange.X[:, ::-1]
    mixed = anndata.concat([counts[:80], strange[:40]], index_unique="-", join="inner")
    mixed.write_h5ad(folder / "mixed.h5ad")
    words = ["embed", folder / "mixed.h5ad", "--model", run_folder, "-o", folder / "new", *OPTIONS]
    result = call(*words)
    assert result.code == 0, result.err
    table = pd.read_csv(folder / "new" / "novelty.csv", index_col="id")
    assert list(table) == ["distance", "denoising", "density"]
    assert list(table.index) == list(mixed.obs_names)
    embedded = anndata.read_h5ad(folder / "new" / "embedded.h5ad")
    for name in table:
        np.testing.assert_allclose(embedded.obs[f"diffaug_{name}"], table[name], rtol=1e-5)
    assert table["density"][80:].median() > table["density"][:80].median()
    found = json.loads((folder / "new" / "run.json").read_text())["novelty"]
    n_far = int((table["distance"] > found["limit"]).sum())
    assert (found["n_far"], found["share_far"]) == (n_far, n_far / 120)
    assert f"{n_far} of 120 rows (" in result.err


def test_novelty_can_be_left_out(run_folder: Path, call: Callable[..., Result]) -> None:
    folder = run_folder.parent
    arguments = ["embed", folder / "cells.h5ad", "--model", run_folder, "-o", folder / "new", *OPTIONS]
    assert call(*arguments).code == 0
    with_novelty = read_embedding(folder / "new")
    result = call(*arguments, "--no-novelty", "--force", "--json")
    assert result.code == 0
    assert not (folder / "new" / "novelty.csv").exists()
    assert json.loads(result.out)["novelty"] is None
    assert list(anndata.read_h5ad(folder / "new" / "embedded.h5ad").obs) == ["cluster"]
    pd.testing.assert_frame_equal(read_embedding(folder / "new"), with_novelty)


def test_a_correction_is_written_and_recorded(run_folder: Path, call: Callable[..., Result]) -> None:
    folder = run_folder.parent
    arguments = ["embed", folder / "cells.h5ad", "--model", run_folder, "-o", folder / "new", *OPTIONS]
    assert call(*arguments, "--correct", "harmony").code == 2
    result = call(*arguments, "--correct", "mnn", "--json")
    assert result.code == 0
    assert json.loads(result.out)["correct"] == "mnn"
    embedded = anndata.read_h5ad(folder / "new" / "embedded.h5ad")
    assert json.loads(embedded.uns["diffaug"]["params"])["correct"] == "mnn"
    found = read_embedding(folder / "new")
    np.testing.assert_array_equal(embedded.obsm["X_diffaug"], found.to_numpy(np.float32))
    assert not np.allclose(found, read_embedding(run_folder), atol=1e-3)
