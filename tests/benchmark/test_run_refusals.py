"""What a benchmark leaves out, what may break in it, and what it refuses."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import benchmark
from diffaug_bio.benchmark import METHODS
from diffaug_bio.benchmark._methods import missing_extra
from diffaug_bio.errors import InputError
from tests.benchmark.conftest import First, file_of, go_on

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio import DiffAugConfig
    from diffaug_bio.benchmark._run import Cell


def test_a_method_that_does_not_apply_is_left_out_with_the_reason(
    first: First, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    without = dataclasses.replace(first[2][0], sequences=None)
    for expected in (["pca"], []):  # the second time both outcomes are there
        result, recorder = go_on(
            first,
            tmp_path / "results",
            tiny_config,
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
    first: First, copied: Path, tiny_config: DiffAugConfig, name: str
) -> None:
    reason = missing_extra(METHODS[name])
    if reason is None:
        pytest.skip(f"{name} is installed")
    result, _ = go_on(first, copied, tiny_config, methods=["pca", name])
    assert result.left_out == {name: reason}
    assert set(result.scores["method"]) == {"pca"}
    with pytest.raises(InputError, match=r"None of the methods can run"):
        go_on(first, copied, tiny_config, methods=[name])


def test_what_breaks_is_told_and_not_stored_and_the_rest_is_kept(
    first: First, copied: Path, tiny_config: DiffAugConfig
) -> None:
    broken = dataclasses.replace(first[2][1], matrix=np.full_like(first[2][1].matrix, 2.0))
    for _ in range(2):
        result, recorder = go_on(
            first, copied, tiny_config, data=[first[2][0], broken], methods=["pca"], n_seeds=1
        )
        assert recorder.cells == []
        assert list(result.failed) == ["pca on two, seed 0"]
        assert "InputError: Every feature has the same value" in result.failed["pca on two, seed 0"]
        assert set(result.scores["data"]) == {"one"}


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_process_that_is_killed_is_told_and_the_others_go_on(
    first: First, tiny_config: DiffAugConfig, tmp_path: Path
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
        config=tiny_config.replace(**long),
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
    first: First, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(InputError, match="other than those of a benchmark"):
        go_on(first, tmp_path, tiny_config)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]
    shutil.copytree(first[0], tmp_path / "old")
    (tmp_path / "old" / "files.json").unlink()
    with pytest.raises(InputError, match=r"files\.json"):
        go_on(first, tmp_path / "old", tiny_config)
    with pytest.raises(InputError, match=r"thesis\.doc exists and is not a folder"):
        go_on(first, tmp_path / "thesis.doc", tiny_config)
    (tmp_path / "empty").mkdir()
    result, _ = go_on(first, tmp_path / "empty", tiny_config, data=first[2][:1], methods=["pca"], n_seeds=1)
    assert len(result.scores)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": []}, "`data` is empty"),
        ({"n_seeds": 0}, "`n_seeds`"),
        ({"jobs": 0}, "`jobs`"),
        ({"threads": 0}, "`threads`"),
        ({"methods": ["umap"]}, "umap"),
        ({"methods": []}, r"None of the methods can run"),
    ],
    ids=["no data", "no seeds", "no jobs", "no threads", "unknown method", "no method"],
)
def test_settings_that_cannot_run_write_nothing(
    first: First,
    tiny_config: DiffAugConfig,
    tmp_path: Path,
    arguments: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        go_on(first, tmp_path / "results", tiny_config, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_part_of_a_file_name_is_an_error(
    first: First, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    renamed = dataclasses.replace(first[2][0], name="mice/liver")
    with pytest.raises(InputError, match="mice/liver"):
        go_on(first, tmp_path / "results", tiny_config, data=[renamed])
    assert list(tmp_path.iterdir()) == []


def test_data_sets_of_one_name_are_an_error(
    first: First, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    twice = [first[2][0], dataclasses.replace(first[2][1], name="one")]
    with pytest.raises(InputError, match=r"data sets .*'one'"):
        go_on(first, tmp_path / "results", tiny_config, data=twice)
