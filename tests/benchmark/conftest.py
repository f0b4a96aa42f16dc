"""Small labelled data, a first run on them, and score tables made by hand."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import benchmark
from diffaug_bio.benchmark import BenchmarkData, BenchmarkResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from diffaug_bio import DiffAugConfig
    from diffaug_bio.benchmark._run import Cell

# metric -> data set -> method -> one value a seed
Values: TypeAlias = "Mapping[str, Mapping[str, Mapping[str, list[float]]]]"


FILES = {"results.csv", "summary.md", "benchmark.json", "cells", "files.json"}
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


@pytest.fixture(scope="package")
def first(
    make_data: Callable[..., BenchmarkData],
    tiny_config: DiffAugConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> First:
    """Three methods on two data sets with two seeds, two at a time; must not be changed."""
    folder = tmp_path_factory.mktemp("first") / "results"
    data = [make_data("one"), make_data("two", seed=1)]
    recorder = Recorder()
    result = benchmark.run(
        data, folder, methods=METHOD_NAMES, n_seeds=2, config=tiny_config, jobs=2, on_result=recorder
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


@pytest.fixture(scope="package")
def make_data() -> Callable[..., BenchmarkData]:
    """Counts of three clusters, with a sequence for each row; the labels are the clusters.

    With a split, a row of five is for the test, and one of five for neither.
    """

    def make(
        name: str = "cells", *, n_obs: int = 60, seed: int = 0, has_split: bool = False
    ) -> BenchmarkData:
        rng = np.random.default_rng(seed)
        cluster = np.arange(n_obs) % 3
        rates = rng.gamma(1.0, 1.0, size=(3, 30))
        letters = np.array(list("ACGT"))
        shares = rng.dirichlet(np.ones(4), size=3)
        return BenchmarkData(
            name=name,
            matrix=rng.poisson(rates[cluster]).astype(np.float32),
            input_state="counts",
            labels=np.array([f"c{number}" for number in cluster]),
            scored=np.arange(n_obs) % 5 < 4 if has_split else np.ones(n_obs, dtype=bool),
            split=np.array(["train", "train", "train", "test", "other"])[np.arange(n_obs) % 5]
            if has_split
            else None,
            sequences=np.array(
                ["".join(rng.choice(letters, size=20, p=shares[number])) for number in cluster]
            ),
        )

    return make


@pytest.fixture(scope="package")
def make_scores() -> Callable[[Values], pd.DataFrame]:
    """Write nested numbers as the table of a benchmark."""

    def make(values: Values) -> pd.DataFrame:
        rows = [
            (data, method, seed, metric, value, 1.0, 100.0)
            for metric, by_data in values.items()
            for data, by_method in by_data.items()
            for method, found in by_method.items()
            for seed, value in enumerate(found)
        ]
        columns = ["data", "method", "seed", "metric", "value", "seconds", "peak_memory_mb"]
        return pd.DataFrame(rows, columns=columns)

    return make
