"""Threads: who decides their number, where it is set, and that it is put back."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

import diffaug_bio as db
from diffaug_bio.errors import InputError
from diffaug_bio.machine.threads import (
    MAX_THREADS,
    Load,
    Threads,
    Watch,
    asked_for,
    available_cores,
    limited_to,
    short_work,
    torch_limited_to,
    training_threads,
)
from tests.cli.conftest import run_here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import EpochEnd

VARIABLES = ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")
BUSY = "import time\nprint(flush=True)\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture(autouse=True)
def _nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def busy_cores() -> Iterator[None]:
    """Keep every core that this process may use busy."""
    command = [sys.executable, "-c", BUSY]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(CORES)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # it is at work
    yield
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("threads", "environment", "expected"),
    [
        (None, {}, None),
        (3, {"OMP_NUM_THREADS": "5"}, (3, "asked for")),
        (None, {"OMP_NUM_THREADS": "5", "SLURM_CPUS_PER_TASK": "7"}, (5, "OMP_NUM_THREADS")),
        (None, {"OMP_NUM_THREADS": "4,2"}, (4, "OMP_NUM_THREADS")),
        (None, {"SLURM_CPUS_PER_TASK": "7"}, (7, "SLURM_CPUS_PER_TASK")),
        (None, {"OMP_NUM_THREADS": "many"}, None),
        (None, {"OMP_NUM_THREADS": "0"}, None),
        (None, {"OMP_NUM_THREADS": "9" * 5000}, None),
        (None, {"OMP_NUM_THREADS": "0000000011024"}, None),
        (None, {"OMP_NUM_THREADS": "08"}, (8, "OMP_NUM_THREADS")),
    ],
    ids=[
        "nothing",
        "argument first",
        "openmp next",
        "nested",
        "slurm last",
        "word",
        "zero",
        "absurd",
        "too many",
        "leading zero",
    ],
)
def test_the_argument_goes_before_the_environment(
    threads: int | None, environment: dict[str, str], expected: tuple[int, str] | None
) -> None:
    found = asked_for(threads, environment)
    assert (None if found is None else (found.number, found.reason)) == expected


@pytest.mark.parametrize("threads", [0, -1, MAX_THREADS + 1, 10**20, True, 2.0, "2"], ids=repr)
def test_other_numbers_are_refused(threads: int) -> None:
    with pytest.raises(InputError, match=str(MAX_THREADS)):
        asked_for(threads)


@given(number=st.integers(1, MAX_THREADS), n_rows=st.integers(0, 10**9), is_on_cpu=st.booleans())
def test_a_number_that_is_asked_for_stands(number: int, n_rows: int, *, is_on_cpu: bool) -> None:
    found = training_threads(number, n_rows=n_rows, is_on_cpu=is_on_cpu, load=Load())
    assert (found.number, found.is_fixed) == (number, True)
    assert short_work(number) == number


@pytest.mark.parametrize(("n_rows", "is_on_cpu"), [(700, True), (10**6, False)])
def test_small_work_and_accelerators_take_one_thread(n_rows: int, *, is_on_cpu: bool) -> None:
    assert training_threads(None, n_rows=n_rows, is_on_cpu=is_on_cpu, load=Load()).number == 1


@pytest.mark.usefixtures("busy_cores")
def test_busy_cores_take_one_thread() -> None:
    load = Load()
    assert load.leaves_no_room_for(CORES)
    assert training_threads(None, n_rows=10**6, is_on_cpu=True, load=load).number == 1


@pytest.mark.usefixtures("busy_cores")
def test_a_training_on_two_threads_goes_down_to_one_when_cores_get_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("diffaug_bio.machine.threads._SECONDS_BETWEEN_LOOKS", 0.0)
    with torch_limited_to(CORES):
        fixed = Watch(Threads(CORES, "asked for", is_fixed=True), Load())
        fixed()
        assert (fixed.lowered, torch.get_num_threads()) == (False, CORES)
        watch = Watch(Threads(max(2, CORES), "idle cores", is_fixed=False), Load())
        watch()
        assert (watch.lowered, torch.get_num_threads()) == (True, 1)


def test_cores_are_those_of_this_process() -> None:
    assert 1 <= available_cores() <= CORES


def test_numbers_are_put_back_even_after_an_error() -> None:
    with torch_limited_to(3):
        before = [(entry["filepath"], entry["num_threads"]) for entry in threadpool_info()]
        inside = []
        with contextlib.suppress(ZeroDivisionError), limited_to(2):
            inside = [torch.get_num_threads(), *(entry["num_threads"] for entry in threadpool_info())]
            raise ZeroDivisionError
        assert max(inside) == 2
        assert torch.get_num_threads() == 3
        assert [(entry["filepath"], entry["num_threads"]) for entry in threadpool_info()] == before


@pytest.mark.parametrize("threads", [None, 2])
def test_a_fit_holds_its_number_whatever_was_set_before(
    counts: AnnData, tiny_config: DiffAugConfig, threads: int | None
) -> None:
    seen: list[int] = []

    def look(_: EpochEnd, /) -> None:
        seen.append(torch.get_num_threads())

    with torch_limited_to(4):  # as scanpy's functions leave it behind
        model = db.tl.fit(counts, config=tiny_config, threads=threads, callbacks=[look], device="cpu")
        assert torch.get_num_threads() == 4
    assert set(seen) == {threads or 1}
    assert model.threads_.number == (threads or 1)


@pytest.mark.parametrize(
    ("arguments", "environment", "number", "reason"),
    [
        ((), {"OMP_NUM_THREADS": "1"}, 1, "OMP_NUM_THREADS"),
        (("--threads", "1"), {"OMP_NUM_THREADS": "2"}, 1, "asked for"),
    ],
    ids=["variable", "option"],
)
def test_the_command_line_says_whose_number_it_took(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    counts: AnnData,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    number: int,
    reason: str,
) -> None:
    counts.write_h5ad(tmp_path / "data.h5ad")
    (tmp_path / "tiny.toml").write_text(
        "[train]\nwarmup_epochs = 1\ngenerator_epochs = 1\nencoder_epochs = 1\nmin_steps = 1\n"
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    words = ["fit", "data.h5ad", "-o", "run", "--no-report", "--config", "tiny.toml", "--quiet"]
    assert run_here(*words, *arguments, folder=tmp_path).code == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert (record["threads"], record["threads_reason"]) == (number, reason)
