"""Running a benchmark in processes: what is written, and what is used again."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import benchmark
from tests.benchmark.conftest import COSTS, FILES, METHOD_NAMES, First, file_of, go_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from diffaug_bio import DiffAugConfig
    from diffaug_bio.benchmark import BenchmarkData
    from diffaug_bio.benchmark._run import Cell


def test_every_cell_gives_a_row_for_every_metric(first: First) -> None:
    scores = first[1].scores
    assert list(scores.columns) == ["data", "method", "seed", "metric", "value", *COSTS]
    assert not scores.duplicated(["data", "method", "seed", "metric"]).any()
    cells = scores.groupby(["data", "method", "seed"])["metric"].agg(set)
    assert len(cells) == 12
    common = {"linear_probe", "knn_accuracy", "kmeans_nmi", "leiden_nmi", "trustworthiness", "width"}
    common |= {"chance_linear_probe", "chance_leiden_nmi"}
    for (_, method, _), metrics in dict(cells).items():
        assert metrics > common
        assert ("encoder_steps" in metrics) == (method == "gaussian")
        assert not {name for name in metrics if name.startswith("generated_")}
    width = scores[scores["metric"] == "width"].groupby("method")["value"].agg(set)
    assert width.to_dict() == {"pca": {6.0}, "raw": {30.0}, "gaussian": {6.0}}
    assert (scores["seconds"] > 0).all()
    assert first[1].left_out == {}
    assert first[1].failed == {}


def test_seeds_and_data_make_a_difference(first: First) -> None:
    scores = first[1].scores
    chosen = scores[(scores["metric"] == "silhouette") & (scores["method"] == "gaussian")]
    assert chosen["value"].nunique() == 4


def test_the_table_on_the_disk_is_that_in_memory(first: First) -> None:
    read = pd.read_csv(first[0] / "results.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(read, first[1].scores, check_exact=True)


def test_settings_are_written(first: First, tiny_config: DiffAugConfig) -> None:
    settings = json.loads((first[0] / "benchmark.json").read_text())
    # Early stops would give some methods fewer steps.
    shared = tiny_config.replace(train={"patience": 0})
    assert settings["config"] == shared.to_dict()
    assert settings["methods"] == ["gaussian", "raw", "pca"]
    assert settings["data"] == {"one": 60, "two": 60}
    assert (settings["n_seeds"], settings["held_out"]) == (2, False)
    assert {"torch", "numpy"} <= set(settings["versions"])


def test_every_cell_has_a_file_and_nothing_else_is_left(first: First) -> None:
    assert {path.name for path in first[0].iterdir()} == FILES
    expected = {
        f"{data}--{method}--{seed}" for data in ("one", "two") for method in METHOD_NAMES for seed in (0, 1)
    }
    found = [path.stem.rpartition("--")[0] for path in (first[0] / "cells").iterdir()]
    assert len(found) == 12
    assert set(found) == expected


def test_a_second_run_runs_nothing_and_gives_the_same_table(
    first: First, copied: Path, tiny_config: DiffAugConfig
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (copied / "cells").iterdir()}
    result, recorder = go_on(first, copied, tiny_config)
    assert recorder.cells == []
    assert {path: path.stat().st_mtime_ns for path in (copied / "cells").iterdir()} == before
    pd.testing.assert_frame_equal(result.scores, first[1].scores, check_exact=True)
    assert (copied / "results.csv").read_bytes() == (first[0] / "results.csv").read_bytes()


def test_fewer_seeds_and_other_orders_use_what_is_there(
    first: First, copied: Path, tiny_config: DiffAugConfig
) -> None:
    result, recorder = go_on(
        first, copied, tiny_config, data=first[2][::-1], methods=["raw", "pca"], n_seeds=1, jobs=2
    )
    assert recorder.cells == []
    assert len(result.scores.groupby(["data", "method", "seed"])) == 4


def test_one_job_gives_the_same_bits_as_two(
    first: First, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    result, _ = go_on(first, tmp_path / "results", tiny_config, methods=["pca", "gaussian"], n_seeds=1)
    of_two = first[1].scores
    of_two = of_two[(of_two["seed"] == 0) & (of_two["method"] != "raw")]
    order = ["data", "method", "metric"]
    pd.testing.assert_frame_equal(
        result.scores.drop(columns=COSTS).sort_values(order, ignore_index=True),
        of_two.drop(columns=COSTS).sort_values(order, ignore_index=True),
        check_exact=True,
    )


def test_a_cell_that_was_deleted_is_run_again_alone(
    first: First, copied: Path, tiny_config: DiffAugConfig
) -> None:
    file_of(copied, "two--pca--1").unlink()
    result, recorder = go_on(first, copied, tiny_config)
    assert recorder.cells == [("two", "pca", 1)]
    assert recorder.progress == [(12, 12)]
    pd.testing.assert_frame_equal(
        result.scores.drop(columns=COSTS), first[1].scores.drop(columns=COSTS), check_exact=True
    )


def test_a_result_of_other_settings_is_not_used(
    first: First, copied: Path, tiny_config: DiffAugConfig
) -> None:
    path = file_of(copied, "one--raw--0")
    stored = json.loads(path.read_text())
    stored["key"] = "0" * 64
    stored["scores"]["linear_probe"] = 9.9
    path.write_text(json.dumps(stored))
    result, recorder = go_on(first, copied, tiny_config)
    assert recorder.cells == [("one", "raw", 0)]
    probe = result.scores[result.scores["metric"] == "linear_probe"]
    assert probe["value"].max() <= 1


def test_a_damaged_result_is_made_again(first: First, copied: Path, tiny_config: DiffAugConfig) -> None:
    file_of(copied, "one--pca--1").write_text('{"key": ')
    result, recorder = go_on(first, copied, tiny_config)
    assert recorder.cells == [("one", "pca", 1)]
    assert len(result.scores) == len(first[1].scores)


def test_another_configuration_is_run_again(first: First, copied: Path, tiny_config: DiffAugConfig) -> None:
    config = tiny_config.replace(encoder={"n_latent": 3})
    result, recorder = go_on(first, copied, config, data=first[2][:1], methods=["pca"], n_seeds=1)
    assert recorder.cells == [("one", "pca", 0)]
    width = result.scores.loc[result.scores["metric"] == "width", "value"]
    assert list(width) == [3.0]
    _, recorder = go_on(first, copied, tiny_config)  # what was there before still is
    assert recorder.cells == []


def test_held_out_rows_are_another_benchmark(
    first: First, copied: Path, tiny_config: DiffAugConfig
) -> None:
    _, recorder = go_on(
        first, copied, tiny_config, data=first[2][:1], methods=["pca"], n_seeds=1, held_out=True
    )
    assert recorder.cells == [("one", "pca", 0)]


def test_other_data_of_the_same_name_are_run_again(
    first: First, copied: Path, tiny_config: DiffAugConfig
) -> None:
    labels = np.roll(first[2][0].labels, 1)
    changed = dataclasses.replace(first[2][0], labels=labels)
    _, recorder = go_on(first, copied, tiny_config, data=[changed, first[2][1]], methods=["pca"], n_seeds=1)
    assert recorder.cells == [("one", "pca", 0)]


def test_a_run_that_was_cut_after_its_first_result_goes_on(
    first: First, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    def stop(*_: object) -> None:
        msg = "stop"
        raise KeyboardInterrupt(msg)

    short: dict[str, Any] = {"data": first[2][:1], "methods": ["pca", "raw"], "n_seeds": 1}
    with pytest.raises(KeyboardInterrupt, match="stop"):
        benchmark.run(output=tmp_path / "results", config=tiny_config, on_result=stop, **short)
    assert multiprocessing.active_children() == []
    assert not (tmp_path / "results" / "results.csv").exists()
    assert len(list((tmp_path / "results" / "cells").iterdir())) == 1
    result, recorder = go_on(first, tmp_path / "results", tiny_config, **short)
    assert len(recorder.cells) == 1
    assert set(result.scores["method"]) == {"pca", "raw"}


def test_of_methods_that_come_to_the_same_one_is_run(
    make_data: Callable[..., BenchmarkData], tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    told: list[str] = []

    def tell(cell: Cell, scores: dict[str, float], done: int, total: int) -> None:
        told.append(cell.method)
        assert total == 1

    # The default view of expression is Gaussian noise.
    result = benchmark.run(
        [make_data()],
        tmp_path / "results",
        methods=["no_generator", "gaussian"],
        n_seeds=1,
        config=tiny_config,
        on_result=tell,
    )
    assert told == ["no_generator"]
    tables = [rows.drop(columns="method") for _, rows in result.scores.groupby("method")]
    assert tables[0].reset_index(drop=True).equals(tables[1].reset_index(drop=True))
