"""Data with a split of their own in `diffaug-bio fit`, `evaluate` and `benchmark`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import DiffAug, metrics, tl
from diffaug_bio.features import FittedFeatures, widened
from tests.cli.test_evaluate import OPTIONS, write_toml

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio import DiffAugConfig
    from tests.cli.conftest import Result

USED = (
    "The own split of the data (column 'split') is used: 90 rows to train on, 30 to test (`split_key` "
    "'none' uses all rows alike)."
)
TEST = np.arange(3, 120, 4)
TRAIN = np.setdiff1d(np.arange(120), TEST)


def read_json(*parts: Path | str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(*parts).read_text(encoding="utf-8"))
    return found


def write_cells(path: Path, adata: AnnData) -> Path:
    adata.write_h5ad(path)
    return path


@pytest.fixture
def parted(counts: AnnData) -> AnnData:
    """`counts` of which every fourth row is for the test, and with four donors."""
    counts.obs["split"] = ["test" if number % 4 == 3 else "train" for number in range(120)]
    counts.obs["donor"] = [f"d{number % 4}" for number in range(120)]
    return counts


@pytest.fixture
def fit(tmp_path: Path, tiny_config: DiffAugConfig, call: Callable[..., Result]) -> Callable[..., Result]:
    """Fit `cells.h5ad` into a folder of this name."""
    toml = write_toml(tmp_path / "tiny.toml", tiny_config)
    always = ["--config", toml, "--label-key", "cluster", "--precision", "float32", *OPTIONS]

    def run(output: str, *options: str, data: str = "cells.h5ad") -> Result:
        return call("fit", tmp_path / data, "-o", tmp_path / output, "--no-report", *always, *options)

    return run


def wild(adata: AnnData, rows: NDArray[np.int64]) -> AnnData:
    """Change values and labels of rows, one of them into an outlier."""
    changed = adata.copy()
    dense = changed.X.toarray()
    dense[rows] = dense[rows][:, ::-1]
    dense[rows[0]] = 10_000
    changed.X = type(adata.X)(dense)
    labels = changed.obs["cluster"].to_numpy(dtype=object)
    labels[rows] = labels[rows][::-1]
    changed.obs["cluster"] = pd.Categorical(labels)
    return changed


def test_the_split_that_data_come_with_is_taken(
    parted: AnnData, fit: Callable[..., Result], call: Callable[..., Result], tmp_path: Path
) -> None:
    write_cells(tmp_path / "cells.h5ad", parted)
    result = fit("run")
    assert result.code == 0, result.err
    assert result.err.count(USED) == 1
    assert "120 rows embedded" in result.out
    assert read_json(tmp_path, "run", "run.json")["data"]["split_key"] == "split"
    result = call("evaluate", tmp_path / "run", "--json", *OPTIONS)
    assert result.code == 0, result.err
    printed = json.loads(result.out)
    assert printed["data"]["split_key"] == "split"
    expected = read_json(tmp_path, "run", "metrics.json")["embedding"]
    del expected["width"]
    assert printed["scores"] == {"X_diffaug": expected}


def test_test_rows_change_no_weight_and_no_component(
    parted: AnnData, fit: Callable[..., Result], tmp_path: Path
) -> None:
    write_cells(tmp_path / "cells.h5ad", parted)
    write_cells(tmp_path / "wild.h5ad", wild(parted, TEST))
    assert fit("run").code == 0
    assert fit("other", data="wild.h5ad").code == 0
    first, second = (tmp_path / name / "model" for name in ("run", "other"))
    for name in ("weights.safetensors", "config.json", "features.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    found, other = (anndata.read_h5ad(tmp_path / name / "embedded.h5ad") for name in ("run", "other"))
    np.testing.assert_array_equal(other.obsm["X_diffaug"][TRAIN], found.obsm["X_diffaug"][TRAIN])


def test_scores_are_those_of_the_test_rows_for_every_embedding(
    parted: AnnData, fit: Callable[..., Result], tmp_path: Path
) -> None:
    write_cells(tmp_path / "cells.h5ad", parted)
    assert fit("run").code == 0
    scores = read_json(tmp_path, "run", "metrics.json")
    assert (scores["split_key"], scores["group_key"]) == ("split", None)
    assert (scores["n_folds"], scores["n_scored"], scores["n_left_out"]) == (1, 120, 0)
    adata = anndata.read_h5ad(tmp_path / "run" / "embedded.h5ad")
    model = DiffAug.load(tmp_path / "run", device="cpu")
    # Components of the training rows alone, as for the embedding.
    assert isinstance(model.features_, FittedFeatures)
    fitted = widened(model.features_, adata.X[TRAIN], 6, seed=0)
    labels = np.asarray(adata.obs["cluster"].astype(str), np.str_)
    embeddings = {"embedding": adata.obsm["X_diffaug"], "pca": fitted.project(adata.X)[:, :6]}
    for name, embedding in embeddings.items():
        expected = metrics.evaluate(embedding, labels, splits=[(TRAIN, TEST)])
        found = {key: value for key, value in scores[name].items() if key != "width"}
        assert found == pytest.approx(expected, abs=1e-6), name


def test_more_components_than_the_networks_see_are_fitted_without_test_rows(
    parted: AnnData, fit: Callable[..., Result], tmp_path: Path
) -> None:
    write_cells(tmp_path / "cells.h5ad", parted)
    assert fit("run", "--n-latent", "20").code == 0  # of 8 that the networks see
    scores = read_json(tmp_path, "run", "metrics.json")
    model = DiffAug.load(tmp_path / "run", device="cpu")
    assert isinstance(model.features_, FittedFeatures)
    components = widened(model.features_, parted.X[TRAIN], 20, seed=0).project(parted.X)
    labels = np.asarray(parted.obs["cluster"].astype(str), np.str_)
    for name, width in (("pca", 20), ("front_end", 8)):
        expected = metrics.evaluate(components[:, :width], labels, splits=[(TRAIN, TEST)])
        found = dict(scores[name])
        assert found.pop("width") == width
        assert found == pytest.approx(expected, abs=1e-6), name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--split-key", "none"], {"split_key": None, "group_key": None}),
        (["--group-key", "donor"], {"split_key": None, "group_key": "donor"}),
        (["--split-key", "part"], {"split_key": "part", "group_key": None}),
    ],
    ids=["none", "groups", "another"],
)
def test_what_is_asked_for_goes_before_what_is_found(
    parted: AnnData,
    fit: Callable[..., Result],
    call: Callable[..., Result],
    tmp_path: Path,
    options: list[str],
    expected: dict[str, str | None],
) -> None:
    parted.obs["part"] = ["test"] * 30 + ["train"] * 70 + ["test"] * 20
    write_cells(tmp_path / "cells.h5ad", parted)
    result = fit("run", *options)
    assert result.code == 0, result.err
    assert USED not in result.err
    recorded, scores = (
        read_json(tmp_path, "run", "run.json")["data"],
        read_json(tmp_path, "run/metrics.json"),
    )
    for key, value in expected.items():
        assert (recorded[key], scores[key]) == (value, value)
    assert DiffAug.load(tmp_path / "run").source_["split_key"] == expected["split_key"]
    # A run knows what it was fitted and scored by, whatever column its data hold.
    printed = json.loads(call("evaluate", tmp_path / "run", "--json", *OPTIONS).out)
    assert {key: printed["data"][key] for key in expected} == expected
    adata = anndata.read_h5ad(tmp_path / "run" / "embedded.h5ad")
    keys = expected["split_key"], expected["group_key"]
    table = tl.evaluate(adata, "cluster", split_key=keys[0], group_key=keys[1])
    assert printed["scores"] == table.drop(index="chance").to_dict(orient="index")


def test_a_run_is_scored_in_another_way_on_request(
    parted: AnnData, fit: Callable[..., Result], call: Callable[..., Result], tmp_path: Path
) -> None:
    write_cells(tmp_path / "cells.h5ad", parted)
    assert fit("run").code == 0
    assert fit("grouped", "--group-key", "donor").code == 0
    cases: list[tuple[str, list[str], tuple[str | None, str | None]]] = [
        ("run", ["--split-key", "none"], (None, None)),
        ("run", ["--group-key", "donor"], (None, "donor")),
        ("grouped", ["--split-key", "split"], ("split", None)),
        ("grouped", ["--split-key", "none"], (None, "donor")),
    ]
    for name, options, keys in cases:
        printed = json.loads(call("evaluate", tmp_path / name, "--json", *options, *OPTIONS).out)
        assert (printed["data"]["split_key"], printed["data"]["group_key"]) == keys
        adata = anndata.read_h5ad(tmp_path / name / "embedded.h5ad")
        table = tl.evaluate(adata, "cluster", split_key=keys[0], group_key=keys[1])
        assert printed["scores"] == table.drop(index="chance").to_dict(orient="index")
        # Which rows were fitted is the model's to know.
        model = DiffAug.load(tmp_path / name, device="cpu")
        generated = tl.evaluate_generated(adata, model, label_key="cluster")
        assert printed["generated"] == pytest.approx(generated)


def test_a_file_is_scored_by_its_own_split(
    parted: AnnData, call: Callable[..., Result], tmp_path: Path
) -> None:
    parted.obsm["X_pca"] = parted.X.toarray()[:, :5]
    cells = write_cells(tmp_path / "cells.h5ad", parted)
    arguments = ["evaluate", cells, "--label-key", "cluster", "--use-rep", "X_pca", "--json", *OPTIONS]
    result = call(*arguments)
    assert result.err.count(USED) == 1
    table = tl.evaluate(parted, "cluster", use_rep="X_pca", split_key="split")
    assert json.loads(result.out)["scores"] == table.drop(index="chance").to_dict(orient="index")
    plain = call(*arguments, "--split-key", "none")
    assert "split" not in plain.err
    table = tl.evaluate(parted, "cluster", use_rep="X_pca")
    assert json.loads(plain.out)["scores"] == table.drop(index="chance").to_dict(orient="index")


def test_a_folder_with_training_and_test_sequences_is_fitted_by_them(
    letters_config: DiffAugConfig, call: Callable[..., Result], tmp_path: Path
) -> None:
    from tests.conftest import clustered_dna

    for number, letters in enumerate(clustered_dna(90)):
        part = "test" if number % 5 == 4 else "train"
        folder = tmp_path / "dna" / part / f"c{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(letters)
    toml = write_toml(tmp_path / "tiny.toml", letters_config)
    options = ["--config", toml, "--label-key", "label", *OPTIONS]
    result = call("fit", tmp_path / "dna", "-o", tmp_path / "run", *options)
    assert result.code == 0, result.err
    assert "(column 'split') is used: 72 rows to train on, 18 to test" in result.err
    scores = read_json(tmp_path, "run", "metrics.json")
    assert (scores["split_key"], scores["n_folds"], scores["n_labels"]) == ("split", 1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split-key", "part"], "no split column 'part' in `.obs`; it holds 'cluster', 'split', 'donor'"),
        (["--split-key", "donor"], "'donor' has no row 'train' and no row 'test'; it holds 'd0', 'd1'"),
        (
            ["--split-key", "split", "--group-key", "donor"],
            "`group_key` 'donor' and `split_key` 'split' would each say which rows are scored together",
        ),
    ],
    ids=["no column", "no split", "groups too"],
)
def test_a_split_that_cannot_be_used_is_said_and_nothing_written(
    parted: AnnData, fit: Callable[..., Result], tmp_path: Path, options: list[str], message: str
) -> None:
    write_cells(tmp_path / "cells.h5ad", parted)
    result = fit("run", *options)
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert not (tmp_path / "run").exists()


def test_rows_without_a_part_are_an_error_also_where_nothing_was_asked_for(
    parted: AnnData, fit: Callable[..., Result], tmp_path: Path
) -> None:
    parted.obs["split"] = parted.obs["split"].where(np.arange(120) != 7)
    write_cells(tmp_path / "cells.h5ad", parted)
    result = fit("run")
    assert result.code == 1
    assert "1 rows have no value in the split column 'split', the first 'cell7'" in result.err
    assert fit("run", "--split-key", "none").code == 0


def test_embedding_new_data_records_no_split(
    parted: AnnData, fit: Callable[..., Result], call: Callable[..., Result], tmp_path: Path
) -> None:
    cells = write_cells(tmp_path / "cells.h5ad", parted)
    assert fit("run").code == 0
    assert call("embed", cells, "--model", tmp_path / "run", "-o", tmp_path / "new", *OPTIONS).code == 0
    assert read_json(tmp_path, "new", "run.json")["data"]["split_key"] is None


def test_a_benchmark_takes_the_split_and_refuses_to_hold_out_beside_it(
    parted: AnnData, call: Callable[..., Result], tmp_path: Path
) -> None:
    cells = write_cells(tmp_path / "cells.h5ad", parted)
    arguments = ["benchmark", cells, "--label-key", "cluster", "--methods", "pca", "--config", "quick"]
    arguments += ["--seeds", "1", "--jobs", "1", "-o", tmp_path / "results"]
    refused = call(*arguments, "--held-out")
    assert (refused.code, refused.out) == (1, "")
    assert "`held_out`" in refused.err
    assert "'cells' has a split of its own" in refused.err
    assert not (tmp_path / "results").exists()
    for options, line, own in (
        ([], USED.replace("the data", "cells"), ["cells"]),
        (["--split-key", "none"], None, []),
        (["--split-key", "cells=none", "--held-out"], None, []),
    ):
        result = call(*arguments, *options)
        assert result.code == 0, result.err
        assert line is None or line in result.err
        assert ("own split" in result.err) == (line is not None)
        assert read_json(tmp_path, "results", "benchmark.json")["own_split"] == own
    assert len(list((tmp_path / "results" / "cells").iterdir())) == 3
