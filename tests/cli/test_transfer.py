"""`diffaug-bio transfer`: labels of a run for new data."""

from __future__ import annotations

import json
import shutil
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
FILES = {"embedding.csv", "embedded.h5ad", "files.json", "labels.csv", "novelty.csv", "run.json"}


@pytest.fixture
def folder(counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path) -> Path:
    """A run on every second cell, `run`, and the other cells without labels, `new.h5ad`."""
    counts[::2].copy().write_h5ad(tmp_path / "atlas.h5ad")
    new = counts[1::2].copy()
    del new.obs["cluster"]
    new.write_h5ad(tmp_path / "new.h5ad")
    source = DataSource(data=str(tmp_path / "atlas.h5ad"))
    runs.fit(source, tmp_path / "run", config=tiny_config, device="cpu")
    return tmp_path


def command(folder: Path, *further: object, data: str = "new.h5ad", model: str = "run") -> list[object]:
    """Words of a call that transfers the clusters."""
    return [
        "transfer",
        folder / data,
        "--model",
        folder / model,
        "--label-key",
        "cluster",
        "-o",
        folder / "out",
        *OPTIONS,
        *further,
    ]


def test_new_cells_are_labelled(folder: Path, counts: AnnData, call: Callable[..., Result]) -> None:
    result = call(*command(folder))
    assert result.code == 0, result.err
    assert result.out.endswith(f"of 60 rows unassigned; see {folder}/out/labels.csv.\n")
    assert {path.name for path in (folder / "out").iterdir()} == FILES
    labels = pd.read_csv(folder / "out" / "labels.csv", index_col="id")
    assert list(labels) == ["label", "confidence"]
    truth = counts.obs["cluster"][1::2].astype(str)
    assert list(labels.index) == list(truth.index)
    assert (labels["label"] == truth).mean() > 0.9
    embedded = anndata.read_h5ad(folder / "out" / "embedded.h5ad")
    assert embedded.obs["cluster_transferred"].astype(str).tolist() == labels["label"].tolist()
    np.testing.assert_allclose(
        embedded.obs["cluster_transferred_confidence"], labels["confidence"], rtol=1e-6
    )


def test_json_counts_labels_and_is_what_is_written(folder: Path, call: Callable[..., Result]) -> None:
    further = ["--min-confidence", "1", "--n-neighbors", "60", "--metric", "euclidean"]
    result = call(*command(folder, "--json", *further))
    assert result.code == 0
    printed = json.loads(result.out)
    assert printed.pop("output") == str(folder / "out")
    assert printed == json.loads((folder / "out" / "run.json").read_text())
    found = printed["transfer"]
    assert found["labels"] == {"c0": 0, "c1": 0, "c2": 0, "unassigned": 60}
    assert found["n_unassigned"] == 60
    assert found["share_unassigned"] == 1.0
    assert (found["n_reference"], found["n_without_label"]) == (60, 0)
    assert (found["n_neighbors"], found["metric"], found["min_confidence"]) == (60, "euclidean", 1.0)
    assert printed["command"] == "transfer"


def test_quiet_prints_nothing_and_force_replaces(folder: Path, call: Callable[..., Result]) -> None:
    assert call(*command(folder, "--quiet")) == (0, "", "")
    assert "exists already" in call(*command(folder, "--quiet")).err
    assert call(*command(folder, "--quiet", "--force")) == (0, "", "")


def test_another_file_gives_the_labels(folder: Path, counts: AnnData, call: Callable[..., Result]) -> None:
    counts.obs["cluster"] = counts.obs["cluster"].cat.rename_categories(["x", "y", "z"])
    counts.write_h5ad(folder / "other.h5ad")
    result = call(*command(folder, "--labels-from", folder / "other.h5ad", "--json"))
    assert result.code == 0
    assert "Embedding " in result.err
    found = json.loads(result.out)["transfer"]
    # The very cells are among them.
    assert found["labels"] == {"x": 20, "y": 20, "z": 20, "unassigned": 0}
    assert found["n_reference"] == 120
    # What the model embedded already is taken as it is, from a table without features even.
    embedded = anndata.read_h5ad(folder / "run" / "embedded.h5ad")
    embedded[:, :0].copy().write_h5ad(folder / "held.h5ad")
    result = call(*command(folder, "--labels-from", folder / "held.h5ad", "--force"))
    assert result.code == 0
    assert "was embedded with this model already" in result.err


def test_a_table_gives_the_labels(folder: Path, counts: AnnData, call: Callable[..., Result]) -> None:
    table = counts.to_df()
    table["cluster"] = counts.obs["cluster"].astype(str)
    table.to_csv(folder / "labelled.csv", index_label="id")
    result = call(*command(folder, "--labels-from", folder / "labelled.csv", "--json"))
    assert result.code == 0
    assert json.loads(result.out)["transfer"]["labels"]["c0"] == 20


def test_features_are_named_by_a_column(folder: Path, counts: AnnData, call: Callable[..., Result]) -> None:
    new = counts[1::2, ::-1].copy()
    new.var["symbol"] = new.var_names.str.upper()
    new.var_names = [f"ENSG{number:011}" for number in range(40)]
    new.write_h5ad(folder / "ids.h5ad")
    failed = call(*command(folder, data="ids.h5ad"))
    assert failed.code == 1
    assert "pass var_key='symbol' (`--var-key symbol`)" in failed.err
    result = call(*command(folder, "--var-key", "symbol", data="ids.h5ad"))
    assert result.code == 0
    assert "40 features were matched although their case differs: GENE39 -> gene39" not in result.err
    assert "40 features were matched although their case differs: GENE0 -> gene0" in result.err
    assert json.loads((folder / "out" / "run.json").read_text())["data"]["var_key"] == "symbol"


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--label-key", "cell"], "label column 'cell'"),
        (["--labels-from", "nowhere.h5ad"], "There is no file nowhere.h5ad to take labels from."),
        (["--var-key", "symbol"], "'symbol' in `.var`"),
        (["--use-rep", "X_pca", "--var-key", "a"], "`var_key` 'a' names the columns of"),
    ],
)
def test_what_is_not_there_is_an_error(
    folder: Path, call: Callable[..., Result], further: list[str], message: str
) -> None:
    result = call(*command(folder, *further))
    assert result.code == 1
    assert message in result.err
    assert not (folder / "out").exists()


def test_a_model_without_its_data_is_an_error(folder: Path, call: Callable[..., Result]) -> None:
    result = call(*command(folder, model="run/model"))
    assert result.code == 1
    assert f"Name the run folder around it ({folder / 'run'}), or a labelled file" in result.err
    shutil.copytree(folder / "run" / "model", folder / "bare")
    result = call(*command(folder, model="bare"))
    assert result.code == 1
    assert "no embedded.h5ad to take labels from. Name a labelled file (`--labels-from`)" in result.err
    (folder / "broken.h5ad").write_bytes(b"nothing")
    result = call(*command(folder, "--labels-from", folder / "broken.h5ad", model="bare"))
    assert result.code == 1
    assert "broken.h5ad is not a complete h5ad file" in result.err
    assert call(*command(folder, "--labels-from", folder / "atlas.h5ad", model="bare")).code == 0


def test_data_of_another_run_are_refused(
    folder: Path, counts: AnnData, tiny_config: DiffAugConfig, call: Callable[..., Result]
) -> None:
    source = DataSource(data=str(folder / "atlas.h5ad"))
    runs.fit(source, folder / "second", config=tiny_config, random_state=1, device="cpu")
    shutil.copy(folder / "second" / "embedded.h5ad", folder / "run" / "embedded.h5ad")
    result = call(*command(folder))
    assert result.code == 1
    assert "were made by different models" in result.err
    # Named as labelled data, they are embedded anew.
    result = call(*command(folder, "--labels-from", folder / "second" / "embedded.h5ad"))
    assert result.code == 0
    assert "Embedding " in result.err


def test_the_column_of_a_fit_is_remembered(
    counts: AnnData, folder: Path, call: Callable[..., Result]
) -> None:
    counts.var["gene_ids"] = [f"ENSG{number:011}" for number in range(40)]
    counts.write_h5ad(folder / "ids.h5ad")
    config = folder / "tiny.toml"
    config.write_text('preset = "quick"\n[train]\nwarmup_epochs = 1\nrounds = 0\nmin_steps = 1\n')
    result = call(
        "fit",
        folder / "ids.h5ad",
        "-o",
        folder / "by",
        "--config",
        config,
        "--var-key",
        "gene_ids",
        *OPTIONS,
    )
    assert result.code == 0
    counts.var_names = [f"other{number}" for number in range(40)]
    counts.write_h5ad(folder / "renamed.h5ad")
    result = call("embed", folder / "renamed.h5ad", "--model", folder / "by", "-o", folder / "e", *OPTIONS)
    assert result.code == 0
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "e" / "embedding.csv"), pd.read_csv(folder / "by" / "embedding.csv"), atol=1e-5
    )
    result = call(
        "evaluate",
        folder / "atlas.h5ad",
        *["--model", folder / "run", "--label-key", "cluster", "--var-key", "nothing", *OPTIONS],
    )
    assert result.code == 1
    assert "'nothing' in `.var`" in result.err
    result = call("evaluate", folder / "by", "--label-key", "cluster", "--var-key", "gene_ids", *OPTIONS)
    assert result.code == 1
    assert "Give a model (`--model`), or leave it out." in result.err


def test_a_query_of_another_protocol_is_corrected_before_it_is_labelled(
    folder: Path, counts: AnnData, call: Callable[..., Result]
) -> None:
    new = counts[1::2].copy()
    matrix = new.X.toarray()
    matrix[:, ::3] *= 20
    new.X = matrix
    del new.obs["cluster"]
    new.write_h5ad(folder / "batch.h5ad")
    results = [
        call(*command(folder, "--json", "--force", *further, data="batch.h5ad"))
        for further in ([], ["--correct", "mnn"], ["--no-novelty"])
    ]
    assert [result.code for result in results] == [0, 0, 0]
    runs_ = [json.loads(result.out) for result in results]
    assert [run["correct"] for run in runs_] == ["none", "mnn", "none"]
    assert runs_[0]["novelty"] == runs_[1]["novelty"]  # of the embedding before the correction
    assert runs_[2]["novelty"] is None
    assert runs_[1]["transfer"]["key"] == "cluster_transferred"
    assert not (folder / "out" / "novelty.csv").exists()
