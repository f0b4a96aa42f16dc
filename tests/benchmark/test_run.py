"""Running a benchmark in processes: what is written, what is used again, and what may break."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import benchmark
from diffaug_bio.benchmark import METHODS, BenchmarkData, BenchmarkResult
from diffaug_bio.benchmark._methods import missing_extra
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from diffaug_bio import DiffAugConfig
    from diffaug_bio.benchmark._run import Cell

FILES = {"results.csv", "summary.md", "benchmark.json", "cells"}
METHOD_NAMES = ["pca", "raw", "gaussian"]
COSTS = ["seconds", "peak_memory_mb"]  # differ from run to run
First: TypeAlias = "tuple[Path, BenchmarkResult, list[BenchmarkData]]"


class Recorder:
    """Keeps what `on_result` is told."""

    def __init__(self) -> None:
        self.cells: list[tuple[str, str, int]] = []
        self.progress: list[tuple[int, int]] = []

    def __call__(self, cell: Cell, scores: dict[str, float], done: int, total: int) -> None:
        assert 0 <= scores["linear_probe"] <= 1
        self.cells.append((cell.data, cell.method, cell.seed))
        self.progress.append((done, total))


@pytest.fixture(scope="module")
def first(
    make_data: Callable[..., BenchmarkData],
    shared_config: DiffAugConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> First:
    """Three methods on two data sets with two seeds, two at a time; must not be changed."""
    folder = tmp_path_factory.mktemp("first") / "results"
    data = [make_data("one"), make_data("two", seed=1)]
    recorder = Recorder()
    result = benchmark.run(
        data, folder, methods=METHOD_NAMES, n_seeds=2, config=shared_config, jobs=2, on_result=recorder
    )
    assert len(set(recorder.cells)) == 12
    assert recorder.progress == [(done, 12) for done in range(1, 13)]
    return folder, result, data


@pytest.fixture
def copied(first: First, tmp_path: Path) -> Path:
    """The results of `first`, to go on from."""
    shutil.copytree(first[0], tmp_path / "results")
    return tmp_path / "results"


def go_on(
    first: First, folder: Path, config: DiffAugConfig, **arguments: Any
) -> tuple[BenchmarkResult, Recorder]:
    """Run `first` again with some arguments changed."""
    recorder = Recorder()
    arguments = {"data": first[2], "methods": METHOD_NAMES, "n_seeds": 2, **arguments}
    result = benchmark.run(output=folder, config=config, on_result=recorder, **arguments)
    return result, recorder


def file_of(folder: Path, cell: str) -> Path:
    """The file of a data set, a method and a seed, of which there is one."""
    [path] = (folder / "cells").glob(f"{cell}--*.json")
    return path


def test_every_cell_gives_a_row_for_every_metric(first: First) -> None:
    scores = first[1].scores
    assert list(scores.columns) == ["data", "method", "seed", "metric", "value", *COSTS]
    assert not scores.duplicated(["data", "method", "seed", "metric"]).any()
    cells = scores.groupby(["data", "method", "seed"])["metric"].agg(set)
    assert len(cells) == 12
    common = {"linear_probe", "knn_accuracy", "kmeans_nmi", "leiden_nmi", "trustworthiness", "width"}
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


def test_settings_are_written(first: First, shared_config: DiffAugConfig) -> None:
    settings = json.loads((first[0] / "benchmark.json").read_text())
    # Early stops would give some methods fewer steps.
    shared = shared_config.updated({"train": {"patience": 0}}, source="test")
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
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (copied / "cells").iterdir()}
    result, recorder = go_on(first, copied, shared_config)
    assert recorder.cells == []
    assert {path: path.stat().st_mtime_ns for path in (copied / "cells").iterdir()} == before
    pd.testing.assert_frame_equal(result.scores, first[1].scores, check_exact=True)
    assert (copied / "results.csv").read_bytes() == (first[0] / "results.csv").read_bytes()


def test_fewer_seeds_and_other_orders_use_what_is_there(
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    result, recorder = go_on(
        first, copied, shared_config, data=first[2][::-1], methods=["raw", "pca"], n_seeds=1, jobs=2
    )
    assert recorder.cells == []
    assert len(result.scores.groupby(["data", "method", "seed"])) == 4


def test_one_job_gives_the_same_bits_as_two(
    first: First, shared_config: DiffAugConfig, tmp_path: Path
) -> None:
    result, _ = go_on(first, tmp_path / "results", shared_config, methods=["pca", "gaussian"], n_seeds=1)
    of_two = first[1].scores
    of_two = of_two[(of_two["seed"] == 0) & (of_two["method"] != "raw")]
    order = ["data", "method", "metric"]
    pd.testing.assert_frame_equal(
        result.scores.drop(columns=COSTS).sort_values(order, ignore_index=True),
        of_two.drop(columns=COSTS).sort_values(order, ignore_index=True),
        check_exact=True,
    )


def test_a_cell_that_was_deleted_is_run_again_alone(
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    file_of(copied, "two--pca--1").unlink()
    result, recorder = go_on(first, copied, shared_config)
    assert recorder.cells == [("two", "pca", 1)]
    assert recorder.progress == [(12, 12)]
    pd.testing.assert_frame_equal(
        result.scores.drop(columns=COSTS), first[1].scores.drop(columns=COSTS), check_exact=True
    )


def test_a_result_of_other_settings_is_not_used(
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    path = file_of(copied, "one--raw--0")
    stored = json.loads(path.read_text())
    stored["key"] = "0" * 64
    stored["scores"]["linear_probe"] = 9.9
    path.write_text(json.dumps(stored))
    result, recorder = go_on(first, copied, shared_config)
    assert recorder.cells == [("one", "raw", 0)]
    probe = result.scores[result.scores["metric"] == "linear_probe"]
    assert probe["value"].max() <= 1


def test_a_damaged_result_is_made_again(first: First, copied: Path, shared_config: DiffAugConfig) -> None:
    file_of(copied, "one--pca--1").write_text('{"key": ')
    result, recorder = go_on(first, copied, shared_config)
    assert recorder.cells == [("one", "pca", 1)]
    assert len(result.scores) == len(first[1].scores)


def test_another_configuration_is_run_again(
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    config = shared_config.updated({"encoder": {"n_latent": 3}}, source="test")
    result, recorder = go_on(first, copied, config, data=first[2][:1], methods=["pca"], n_seeds=1)
    assert recorder.cells == [("one", "pca", 0)]
    width = result.scores.loc[result.scores["metric"] == "width", "value"]
    assert list(width) == [3.0]
    _, recorder = go_on(first, copied, shared_config)  # what was there before still is
    assert recorder.cells == []


def test_held_out_rows_are_another_benchmark(
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    _, recorder = go_on(
        first, copied, shared_config, data=first[2][:1], methods=["pca"], n_seeds=1, held_out=True
    )
    assert recorder.cells == [("one", "pca", 0)]


def test_other_data_of_the_same_name_are_run_again(
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    labels = np.roll(first[2][0].labels, 1)
    changed = dataclasses.replace(first[2][0], labels=labels)
    _, recorder = go_on(
        first, copied, shared_config, data=[changed, first[2][1]], methods=["pca"], n_seeds=1
    )
    assert recorder.cells == [("one", "pca", 0)]


def test_a_method_that_does_not_apply_is_left_out_with_the_reason(
    first: First, shared_config: DiffAugConfig, tmp_path: Path
) -> None:
    without = dataclasses.replace(first[2][0], sequences=None)
    for expected in (["pca"], []):  # the second time both outcomes are there
        result, recorder = go_on(
            first,
            tmp_path / "results",
            shared_config,
            data=[without],
            methods=["pca_onehot", "pca"],
            n_seeds=1,
        )
        assert [method for _, method, _ in recorder.cells] == expected
        assert result.left_out == {"pca_onehot on one": "it needs DNA sequences"}
        assert result.failed == {}
        assert set(result.scores["method"]) == {"pca"}


@pytest.mark.parametrize("name", ["scvi", "harmony"])
def test_a_method_that_is_not_installed_is_left_out_and_others_run(
    first: First, copied: Path, shared_config: DiffAugConfig, name: str
) -> None:
    reason = missing_extra(METHODS[name])
    if reason is None:
        pytest.skip(f"{name} is installed")
    result, _ = go_on(first, copied, shared_config, methods=["pca", name])
    assert result.left_out == {name: reason}
    assert set(result.scores["method"]) == {"pca"}
    with pytest.raises(InputError, match=r"None of the methods can run"):
        go_on(first, copied, shared_config, methods=[name])


def test_what_breaks_is_told_and_not_stored_and_the_rest_is_kept(
    first: First, copied: Path, shared_config: DiffAugConfig
) -> None:
    broken = dataclasses.replace(first[2][1], matrix=np.full_like(first[2][1].matrix, 2.0))
    for _ in range(2):
        result, recorder = go_on(
            first, copied, shared_config, data=[first[2][0], broken], methods=["pca"], n_seeds=1
        )
        assert recorder.cells == []
        assert list(result.failed) == ["pca on two, seed 0"]
        assert "InputError: Every feature has the same value" in result.failed["pca on two, seed 0"]
        assert set(result.scores["data"]) == {"one"}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_process_that_is_killed_is_told_and_the_others_go_on(
    first: First, shared_config: DiffAugConfig, tmp_path: Path
) -> None:
    long = {"train": {"warmup_epochs": 10**6, "patience": 0}}
    killed = []

    def kill_the_rest(cell: Cell, scores: dict[str, float], done: int, total: int) -> None:
        # Only the endless one is left when the other has told its result.
        for process in multiprocessing.active_children():
            killed.append(process.pid)
            os.kill(process.pid or 0, signal.SIGKILL)

    result = benchmark.run(
        first[2][:1],
        tmp_path / "results",
        methods=["gaussian", "pca"],
        n_seeds=1,
        config=shared_config.updated(long, source="long"),
        jobs=2,
        on_result=kill_the_rest,
    )
    assert len(killed) == 1
    assert list(result.failed) == ["gaussian on one, seed 0"]
    assert "its process ended with code -9" in result.failed["gaussian on one, seed 0"]
    assert set(result.scores["method"]) == {"pca"}
    assert list((tmp_path / "results" / "cells").iterdir()) == [
        file_of(tmp_path / "results", "one--pca--0")
    ]


def test_a_folder_with_something_else_is_left_alone(
    first: First, shared_config: DiffAugConfig, tmp_path: Path
) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(InputError, match=r"holds something else than a benchmark"):
        go_on(first, tmp_path, shared_config)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]
    with pytest.raises(InputError, match=r"thesis\.doc exists and is not a folder"):
        go_on(first, tmp_path / "thesis.doc", shared_config)
    (tmp_path / "empty").mkdir()
    result, _ = go_on(
        first, tmp_path / "empty", shared_config, data=first[2][:1], methods=["pca"], n_seeds=1
    )
    assert len(result.scores)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": []}, r"needs data, .* got 0 data sets"),
        ({"n_seeds": 0}, r"seeds, jobs and threads of at least 1"),
        ({"jobs": 0}, r"seeds, jobs and threads of at least 1"),
        ({"threads": 0}, r"seeds, jobs and threads of at least 1"),
        ({"methods": ["umap"]}, r"no method 'umap'"),
        ({"methods": []}, r"None of the methods can run"),
    ],
    ids=["no data", "no seeds", "no jobs", "no threads", "unknown method", "no method"],
)
def test_settings_that_cannot_run_write_nothing(
    first: First,
    shared_config: DiffAugConfig,
    tmp_path: Path,
    arguments: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        go_on(first, tmp_path / "results", shared_config, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_part_of_a_file_name_is_an_error(
    first: First, shared_config: DiffAugConfig, tmp_path: Path
) -> None:
    renamed = dataclasses.replace(first[2][0], name="mice/liver")
    with pytest.raises(InputError, match=r"cannot be named 'mice/liver'"):
        go_on(first, tmp_path / "results", shared_config, data=[renamed])
    assert list(tmp_path.iterdir()) == []


def test_data_sets_of_one_name_are_an_error(
    first: First, shared_config: DiffAugConfig, tmp_path: Path
) -> None:
    twice = [first[2][0], dataclasses.replace(first[2][1], name="one")]
    with pytest.raises(InputError, match=r"names of data sets occur more than once: 'one'"):
        go_on(first, tmp_path / "results", shared_config, data=twice)


def test_a_run_that_was_cut_after_its_first_result_goes_on(
    first: First, shared_config: DiffAugConfig, tmp_path: Path
) -> None:
    def stop(*_: object) -> None:
        msg = "stop"
        raise KeyboardInterrupt(msg)

    short: dict[str, Any] = {"data": first[2][:1], "methods": ["pca", "raw"], "n_seeds": 1}
    with pytest.raises(KeyboardInterrupt, match="stop"):
        benchmark.run(output=tmp_path / "results", config=shared_config, on_result=stop, **short)
    assert multiprocessing.active_children() == []
    assert not (tmp_path / "results" / "results.csv").exists()
    assert len(list((tmp_path / "results" / "cells").iterdir())) == 1
    result, recorder = go_on(first, tmp_path / "results", shared_config, **short)
    assert len(recorder.cells) == 1
    assert set(result.scores["method"]) == {"pca", "raw"}


def test_of_methods_that_come_to_the_same_one_is_run(
    make_data: Callable[..., BenchmarkData], shared_config: DiffAugConfig, tmp_path: Path
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
        config=shared_config,
        on_result=tell,
    )
    assert told == ["no_generator"]
    tables = [rows.drop(columns="method") for _, rows in result.scores.groupby("method")]
    assert tables[0].reset_index(drop=True).equals(tables[1].reset_index(drop=True))
