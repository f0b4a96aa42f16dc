"""`diffaug-bio evaluate`, and groups in `diffaug-bio fit`."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest

from diffaug_bio import runs, tl
from diffaug_bio.datasets import DataSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig
    from tests.cli.conftest import Result

OPTIONS = ["--threads", "1", "--device", "cpu"]


def write_toml(path: Path, config: DiffAugConfig) -> Path:
    lines = []
    for section, values in config.to_dict().items():
        lines += [
            f"[{section}]",
            *(f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None),
        ]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def place(counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path) -> Path:
    """A folder with `cells.h5ad`, and `run`, which was fitted to it with labels and groups."""
    counts.obs["donor"] = [f"d{number % 4}" for number in range(120)]
    counts.obsm["X_pca"] = counts.X.toarray()[:, :5]
    counts.write_h5ad(tmp_path / "cells.h5ad")
    source = DataSource(data=str(tmp_path / "cells.h5ad"), label_key="cluster", group_key="donor")
    runs.fit(source, tmp_path / "run", config=tiny_config, device="cpu", precision="float32")
    return tmp_path


def test_fit_keeps_groups_together_and_says_so(
    place: Path, tiny_config: DiffAugConfig, call: Callable[..., Result]
) -> None:
    toml = write_toml(place / "tiny.toml", tiny_config)
    options = ["--config", toml, "--label-key", "cluster", "--precision", "float32", *OPTIONS]
    for name, group_key in (("grouped", "donor"), ("plain", None)):
        given = ["--group-key", group_key] if group_key else []
        assert (
            call("fit", place / "cells.h5ad", "-o", place / name, "--no-report", *options, *given).code == 0
        )
        run = json.loads((place / name / "run.json").read_text())
        assert run["data"]["group_key"] == group_key
        assert json.loads((place / name / "metrics.json").read_text())["group_key"] == group_key
    grouped, plain = (
        json.loads((place / name / "metrics.json").read_text()) for name in ("grouped", "plain")
    )
    adata = anndata.read_h5ad(place / "grouped" / "embedded.h5ad")
    for scores, key in ((grouped, "donor"), (plain, None)):
        table = tl.evaluate(adata, "cluster", group_key=key)
        width = scores["embedding"].pop("width")
        assert (width, scores["embedding"]) == (6, table.loc["X_diffaug"].to_dict())


def test_fit_refuses_groups_that_are_not_there(place: Path, call: Callable[..., Result]) -> None:
    options = ["--label-key", "cluster", "--group-key", "mouse", *OPTIONS]
    result = call("fit", place / "cells.h5ad", "-o", place / "other", "--no-report", *options)
    assert (result.code, result.out) == (1, "")
    assert "no group column 'mouse' in `.obs`; it holds 'cluster', 'donor'" in result.err
    assert not (place / "other").exists()


def test_a_run_folder_knows_its_labels_groups_and_generator(
    place: Path, call: Callable[..., Result]
) -> None:
    result = call("evaluate", place / "run", "--json", *OPTIONS)
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    assert printed["command"] == "evaluate"
    assert printed["data"]["label_key"] == "cluster"
    assert printed["data"]["group_key"] == "donor"
    assert printed["data"]["n_obs"] == 120
    assert len(printed["data"]["sha256"]) == 64
    expected = json.loads((place / "run" / "metrics.json").read_text())["embedding"]
    expected.pop("width")
    assert printed["scores"] == {"X_diffaug": expected}
    metrics = json.loads((place / "run" / "metrics.json").read_text())
    assert printed["chance"] == metrics["chance"]
    assert printed["chance"]["linear_probe"] < 0.5
    assert (printed["data"]["label_kind"], metrics["label_kind"]) == ("classes", "classes")
    assert {"label_kept", "real_or_generated", "memorised"} <= set(printed["generated"])


def test_scores_are_printed_as_a_table(place: Path, call: Callable[..., Result]) -> None:
    result = call(
        "evaluate", place / "run", "--use-rep", "X_pca", "--use-rep", "X_diffaug", "--quiet", *OPTIONS
    )
    assert (result.code, result.err) == (0, "")
    header, *lines = result.out.splitlines()
    assert header.split() == ["against", "'cluster'", "X_pca", "X_diffaug", "chance"]
    empty = lines.index("")
    assert lines[empty + 1] == "generated rows"
    assert all(len(line.split()) == 4 for line in lines[:empty])
    levels = {line.split()[0]: line.split()[-1] for line in lines[:empty]}
    assert (levels["kmeans_ari"], levels["silhouette"]) == ("0.000", "-")
    assert all(len(line.split()) == 2 for line in lines[empty + 2 :])


def test_a_file_is_scored_without_a_model(place: Path, call: Callable[..., Result]) -> None:
    arguments = ["evaluate", place / "cells.h5ad", "--label-key", "cluster", "--use-rep", "X_pca", "--json"]
    printed = json.loads(call(*arguments, *OPTIONS).out)
    assert printed["generated"] is None
    assert printed["data"]["group_key"] is None
    table = tl.evaluate(anndata.read_h5ad(place / "cells.h5ad"), "cluster", use_rep="X_pca")
    assert printed["scores"] == table.drop(index="chance").to_dict(orient="index")
    grouped = json.loads(call(*arguments, "--group-key", "donor", "--seed", "2", *OPTIONS).out)
    assert grouped["seed"] == 2
    assert grouped["scores"] != printed["scores"]


def test_data_are_embedded_with_a_model_first(place: Path, call: Callable[..., Result]) -> None:
    arguments = ["evaluate", place / "cells.h5ad", "--label-key", "cluster", "--json", *OPTIONS]
    printed = json.loads(call(*arguments, "--model", place / "run", "--group-key", "donor").out)
    expected = json.loads((place / "run" / "metrics.json").read_text())["embedding"]
    expected.pop("width")
    # The embedding was written as it was trained, and is made again here: equal but for rounding.
    assert printed["scores"]["X_diffaug"]["linear_probe"] == pytest.approx(
        expected["linear_probe"], abs=0.02
    )
    assert "X_diffaug" not in anndata.read_h5ad(place / "cells.h5ad").obsm


def test_a_run_scored_by_a_number_says_so_everywhere(
    tmp_path: Path, tiny_config: DiffAugConfig, call: Callable[..., Result]
) -> None:
    """A table of proteins, with age as its label: R2 in all that is written and printed."""
    rng = np.random.default_rng(0)
    proteins = rng.normal(size=(90, 6))
    age = np.rint(50 + 12 * proteins[:, 0] + 2 * rng.normal(size=90)).astype(int)
    lines = ["id,age," + ",".join(f"p{number}" for number in range(6))]
    for row in range(90):
        shown = "" if row < 4 else str(age[row])
        lines.append(f"s{row},{shown}," + ",".join(f"{value:.4f}" for value in proteins[row]))
    (tmp_path / "clinic.csv").write_text("\n".join(lines) + "\n")
    toml = write_toml(tmp_path / "tiny.toml", tiny_config)
    labelled = ["--label-key", "age", "--config", toml, "--precision", "float32", *OPTIONS]
    result = call("fit", tmp_path / "clinic.csv", "-o", tmp_path / "run", *labelled)
    assert result.code == 0, result.err
    assert "scored as one number, by R2" in result.err
    assert "--label-kind" in result.err
    assert {"linear", "R2", "kNN", "chance"} <= set(result.out.split())
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["label_kind"], metrics["n_scored"], metrics["n_left_out"]) == ("number", 86, 4)
    assert set(metrics["chance"]) == {"linear_r2", "knn_r2"}
    assert metrics["pca"]["linear_r2"] > 0.8 > metrics["chance"]["linear_r2"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Linear regression, R2" in page
    assert "Chance" in page
    assert "Linear regression, R2" in (tmp_path / "run" / "model" / "README.md").read_text()
    assert "Chance" in call("info", tmp_path / "run").out
    printed = json.loads(call("evaluate", tmp_path / "run", "--json", *OPTIONS).out)
    assert printed["data"]["label_kind"] == "number"
    expected = metrics["embedding"] | {}
    expected.pop("width")
    assert printed["scores"]["X_diffaug"] == pytest.approx(expected)
    assert "label_kept" not in printed["generated"]
    refused = call("evaluate", tmp_path / "run", "--label-kind", "classes", *OPTIONS)
    assert refused.code == 1
    assert "'age' cannot be scored" in refused.err


def test_mixing_of_batches_is_scored_where_they_are_named(place: Path, call: Callable[..., Result]) -> None:
    labelled = ["evaluate", place / "cells.h5ad", "--label-key", "cluster", "--use-rep", "X_pca"]
    batches = ["--batch-key", "donor", "--before-rep", "X_pca"]
    printed = json.loads(call(*labelled, *batches, "--json", *OPTIONS).out)
    assert (printed["data"]["batch_key"], printed["data"]["before_rep"]) == ("donor", "X_pca")
    table = tl.evaluate(
        anndata.read_h5ad(place / "cells.h5ad"),
        "cluster",
        use_rep="X_pca",
        batch_key="donor",
        before_rep="X_pca",
    )
    assert printed["scores"]["X_pca"] == pytest.approx(table.loc["X_pca"].to_dict())
    shown = call(*labelled, *batches, "--quiet", *OPTIONS).out
    assert {"batch_mixing", "bio_conservation", "integration_total"} <= set(shown.split())
    assert "batch_mixing" not in call(*labelled, "--quiet", *OPTIONS).out


def test_input_that_cannot_be_scored_is_said_in_a_sentence(
    place: Path, counts: AnnData, call: Callable[..., Result]
) -> None:
    (place / "empty").mkdir()
    shutil.copytree(place / "run", place / "headless")
    (place / "headless" / "run.json").unlink()
    counts.obsm["X_bad"] = np.full((120, 2), np.nan)
    counts.write_h5ad(place / "bad.h5ad")
    cells = place / "cells.h5ad"
    labelled = ["--label-key", "cluster"]
    cases: list[tuple[list[object], str]] = [
        ([place / "empty"], "is no run folder: it has no run.json. Name a file, or what `fit` wrote."),
        ([place / "headless"], "is no run folder: it has no run.json"),
        ([place / "nowhere.h5ad", *labelled], "There is no file "),
        ([cells], "name the column of `.obs` that holds the labels (the label key); there are 'cluster'"),
        ([cells, "--label-key", "kind"], "no label column 'kind' in `.obs`; it holds 'cluster', 'donor'"),
        ([cells, *labelled], "'X_diffaug' in `.obsm`; it holds 'X_pca'"),
        ([cells, *labelled, "--model", place / "empty"], "empty"),
        ([cells, *labelled, "--use-rep", "X_pca", "--group-key", "id:_"], "hold no '_', as 'id:_' needs"),
        (
            [cells, *labelled, "--use-rep", "X_pca", "--batch-key", "lane"],
            "no batch column 'lane' in `.obs`",
        ),
        (
            [cells, *labelled, "--use-rep", "X_pca", "--before-rep", "X_pca"],
            "of batches (`batch_key`), or leave it out",
        ),
        ([place / "bad.h5ad", *labelled, "--use-rep", "X_bad"], "holds missing or infinite values"),
    ]
    for arguments, message in cases:
        result = call("evaluate", *arguments, *OPTIONS)
        assert (result.code, result.out) == (1, ""), message
        assert result.err.splitlines()[-1].startswith("Error: "), message
        assert message in result.err
