"""Running a benchmark: each cell in a process of its own, each result on the disk as soon as it is made."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import hashlib
import json
import logging
import os
import platform
import signal
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffaug_bio._checks import check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.benchmark._data import BenchmarkData
from diffaug_bio.benchmark._folder import SCORES, SETTINGS, SUMMARY, add, check_folder
from diffaug_bio.benchmark._methods import METHODS, choose_methods, missing_extra
from diffaug_bio.benchmark._processes import process_context
from diffaug_bio.benchmark._text import report
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.output.interrupts import interrupts_held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    import pandas as pd

    from diffaug_bio.config import DataKind

logger = logging.getLogger(__name__)

COLUMNS = ("data", "method", "seed", "metric", "value", "seconds", "peak_memory_mb")
_CELLS = "cells"
_PACKAGES = ("diffaug-bio", "torch", "numpy", "scipy", "scikit-learn", "igraph")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One method on one data set with one seed."""

    data: str
    """Name of the data set."""
    path: str
    """Where its rows lie, as :meth:`BenchmarkData.write` wrote them."""
    method: str
    """Name of the method."""
    seed: int
    """Seed."""
    config: DiffAugConfig
    """What all methods share."""
    held_out: bool
    """Whether a fifth of the rows is kept from everything."""
    threads: int
    """CPU threads."""
    digest: str
    """What the data are."""
    kind: DataKind
    """What they are, on which some defaults depend."""

    @property
    def key(self) -> str:
        """Everything that the result depends on: a stored result with another key is not used."""
        parts = dataclasses.asdict(self) | {name: version(name) for name in _PACKAGES}
        method = METHODS[self.method]
        # The configuration in effect: of two methods that come to the same, one is run.
        config = method.configured(self.config)
        kind = "sequence" if config.encoder.kind == "cnn" else self.kind
        with contextlib.suppress(InputError):  # of methods that take no encoder and no view, any will do
            config = config.for_kind(kind)
        parts["config"] = config.to_dict()
        parts["method"] = [method.kind, method.representation]
        del parts["path"]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """Name of the file that keeps its result; other settings have other files."""
        return f"{self.data}--{self.method}--{self.seed}--{self.key[:12]}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """What a benchmark gave."""

    scores: pd.DataFrame
    """A row for each number; columns data, method, seed, metric, value, seconds, peak_memory_mb."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Methods that could not run on all or some data, with the reason."""
    failed: dict[str, str] = field(default_factory=dict)
    """Cells that broke, with the error."""


def run(
    data: Sequence[BenchmarkData],
    output: str | os.PathLike[str],
    *,
    methods: Iterable[str] = ("default",),
    n_seeds: int = 3,
    config: DiffAugConfig | None = None,
    held_out: bool = False,
    jobs: int = 1,
    threads: int = 1,
    on_result: Callable[[Cell, dict[str, float], int, int], None] | None = None,
) -> BenchmarkResult:
    """Score methods on data with several seeds, in the same budget for each.

    Results that a folder holds already, from the same data, settings and package versions, are taken from
    there: a run that was cut goes on where it was. `results.csv` and `summary.md` hold what was asked for
    last. Early stopping is off, so that all methods take the same number of encoder steps; as in a fit,
    each phase ends with its best weights by the held-out loss. A script that calls this needs the usual
    `if __name__ == "__main__":`, since each method runs in a process of its own.

    Parameters
    ----------
    data
        Labelled data with different names.
    output
        Folder for `results.csv`, `summary.md`, `benchmark.json` and, in `cells/`, one file for each method,
        data set and seed.
    methods
        Names of :data:`METHODS` or of groups of them.
    n_seeds
        Seeds are 0 up to one less.
    config
        What all methods share; the default preset if left out.
    held_out
        Whether a fifth of the rows, another one for each seed, is kept from preprocessing, method and
        probe, and only they are scored. Not with data that have a split of their own, which does the same.
    jobs
        Cells that run at the same time.
    threads
        CPU threads of each.
    on_result
        Called with each cell that is done, its scores, and how many of how many are done.

    Returns
    -------
    The scores, and what could not run.

    Raises
    ------
    InputError
        If names repeat, a method is unknown, rows are to be held out of data with a split of their own, or
        the folder holds something else or was changed.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> data = db.benchmark.BenchmarkData.from_anndata(adata, name="pbmc", label_key="bulk_labels")
    >>> result = db.benchmark.run([data], "results", methods=["pca", "raw"])  # doctest: +SKIP
    >>> db.benchmark.summarise(result.scores)  # doctest: +SKIP
    """
    folder = Path(output)
    _check_settings(data, folder, n_seeds=n_seeds, jobs=jobs, threads=threads)
    _check_held_out(data, held_out=held_out)
    chosen = choose_methods(methods)
    left_out = {name: reason for name in chosen if (reason := missing_extra(chosen[name]))}
    for name, reason in left_out.items():
        logger.warning("%s is left out: %s.", name, reason)
    runnable = [name for name in chosen if name not in left_out]
    if not runnable:
        msg = "None of the methods can run; see the log."
        raise InputError(msg)
    # All take the same number of steps: an early stop would give some methods fewer.
    config = (config or DiffAugConfig()).replace(train={"patience": 0})
    misfits = {
        f"{name} on {one.name}": reason
        for one in data
        for name in runnable
        if (reason := METHODS[name].misfit(config, one.kind))
    }
    with tempfile.TemporaryDirectory() as temporary:
        stored = [_stored_data(one, Path(temporary, f"{number}.h5ad")) for number, one in enumerate(data)]
        cells = [
            Cell(
                data=name,
                path=path,
                method=method,
                seed=seed,
                config=config,
                held_out=held_out,
                threads=threads,
                digest=digest,
                kind=kind,
            )
            # All data with the first seed first: what is there after a while is of use.
            for seed in range(n_seeds)
            for name, path, digest, kind in stored
            for method in runnable
            if f"{method} on {name}" not in misfits
        ]
        settings = {
            "config": config.to_dict(),
            "methods": runnable,
            "data": {one.name: one.n_obs for one in data},
            "n_seeds": n_seeds,
            "held_out": held_out,
            "own_split": [one.name for one in data if one.split is not None],
            "threads": threads,
            "jobs": jobs,
            "platform": platform.platform(),
            "versions": {name: version(name) for name in _PACKAGES},
        }
        folder.mkdir(parents=True, exist_ok=True)
        add(folder, {SETTINGS: json.dumps(settings, indent=2) + "\n"})
        outcomes = _run_cells(cells, folder, jobs=jobs, on_result=on_result)
    result = _collect(cells, outcomes, left_out, misfits)
    settings |= {"left_out": result.left_out, "failed": result.failed}
    texts = {
        SETTINGS: json.dumps(settings, indent=2) + "\n",
        SCORES: result.scores.to_csv(index=False),
        SUMMARY: "" if result.scores.empty else report(result),
    }
    add(folder, texts)
    return result


def _stored_data(data: BenchmarkData, path: Path) -> tuple[str, str, str, DataKind]:
    """Write a data set where the processes find it; gives name, path, digest and kind."""
    data.write(path)
    return data.name, str(path), data.digest(), data.kind


def _check_settings(
    data: Sequence[BenchmarkData], folder: Path, *, n_seeds: int, jobs: int, threads: int
) -> None:
    """Refuse settings that cannot be run, and a folder with something else in it."""
    if not data or min(n_seeds, jobs, threads) < 1:
        msg = (
            f"A benchmark needs data, and seeds, jobs and threads of at least 1; got {len(data)} data sets."
        )
        raise InputError(msg)
    check_unique([one.name for one in data], what="names of data sets", remedy="Rename the files.")
    if unfit := [one.name for one in data if Path(one.name).name != one.name]:
        msg = f"A data set cannot be named {unfit[0]!r}: the name becomes part of a file's."
        raise InputError(msg)
    check_folder(folder)


def _check_held_out(data: Sequence[BenchmarkData], *, held_out: bool) -> None:
    """Refuse to hold rows out of data whose own split says which those are."""
    if held_out and (own := [one.name for one in data if one.split is not None]):
        msg = (
            f"`held_out` chooses test rows, and the split of the data does so already in {shorten(own)}. "
            "Leave `held_out` out, or read the data without their split (`split_key` 'none')."
        )
        raise InputError(msg)


def _run_cells(
    cells: Sequence[Cell],
    folder: Path,
    *,
    jobs: int,
    on_result: Callable[[Cell, dict[str, float], int, int], None] | None,
) -> dict[Cell, dict[str, Any]]:
    """Run what is not stored yet, and give all outcomes."""
    different = {cell.key: cell for cell in reversed(cells)}  # of cells that come to the same, the first
    outcomes = {key: stored for key, cell in different.items() if (stored := _stored(folder, cell))}
    if outcomes:
        logger.info("%d of %d results are there already.", len(outcomes), len(different))
    waiting = [cell for key, cell in different.items() if key not in outcomes]
    context = process_context()
    running: dict[Any, tuple[Cell, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop()
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_run_cell, args=(cell, sender), daemon=True)
                with interrupts_held():
                    process.start()
                    sender.close()
                    running[receiver] = cell, process
            for receiver in wait(list(running)):
                cell, process = running.pop(receiver)
                outcomes[cell.key] = outcome = _received(receiver, process)
                if "error" not in outcome:
                    text = json.dumps({"key": cell.key, **outcome}, indent=1)
                    # One that is there and was not taken is damaged: nothing else has such a name.
                    with interrupts_held():  # what is done is kept
                        add(folder, {f"{_CELLS}/{cell.file_name}": text}, force=True)
                    if on_result is not None and "scores" in outcome:
                        on_result(cell, outcome["scores"], len(outcomes), len(different))
    finally:
        for _, process in running.values():
            process.terminate()
    return {cell: outcomes[cell.key] for cell in cells}


def _stored(folder: Path, cell: Cell) -> dict[str, Any] | None:
    """Outcome that an earlier run left, if data and settings were the same."""
    paths = list((folder / _CELLS).glob(f"{glob.escape(cell.data)}--*--{cell.seed}--{cell.key[:12]}.json"))
    if not paths:
        return None
    path = paths[0]
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        logger.warning("%s is damaged and is made again.", path)
        return None
    return stored if stored.pop("key", None) == cell.key else None


def _received(receiver: Any, process: BaseProcess) -> dict[str, Any]:
    """Outcome of a process; one that was killed sends nothing."""
    try:
        outcome: dict[str, Any] = receiver.recv()
    except EOFError:
        process.join()
        why = ", perhaps for lack of memory" if process.exitcode == -signal.SIGKILL else ""
        outcome = {"error": f"its process ended with code {process.exitcode}{why}"}
    receiver.close()
    process.join()
    return outcome


def _run_cell(cell: Cell, sender: Connection) -> None:
    """Score one cell; runs in a process of its own."""
    import warnings

    import torch
    from threadpoolctl import threadpool_limits

    from diffaug_bio.benchmark._embedders import NotApplicableError
    from diffaug_bio.benchmark._score import score_method

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first ends the others
    warnings.simplefilter("ignore")
    os.environ["OMP_NUM_THREADS"] = str(cell.threads)  # for what is loaded and decided later
    torch.set_num_threads(cell.threads)
    logging.getLogger("diffaug_bio").setLevel(logging.ERROR)
    try:
        with threadpool_limits(cell.threads):
            scores = score_method(
                BenchmarkData.read(Path(cell.path)),
                METHODS[cell.method],
                cell.config,
                seed=cell.seed,
                held_out=cell.held_out,
            )
        outcome: dict[str, Any] = {"scores": scores}
    except NotApplicableError as error:
        outcome = {"not_applicable": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever breaks one method must not break the others
        outcome = {"error": f"{type(error).__name__}: {error}"}
    with contextlib.suppress(BrokenPipeError):  # after Ctrl-C nobody waits
        sender.send(outcome)
    sender.close()


def _collect(
    cells: Sequence[Cell],
    outcomes: dict[Cell, dict[str, Any]],
    left_out: dict[str, str],
    misfits: dict[str, str],
) -> BenchmarkResult:
    """Bring outcomes into one table, and say what is missing."""
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    missing, failed = left_out | misfits, {}
    for cell in cells:
        outcome = outcomes[cell]
        if "error" in outcome:
            failed[f"{cell.method} on {cell.data}, seed {cell.seed}"] = outcome["error"]
        elif "not_applicable" in outcome:
            missing[f"{cell.method} on {cell.data}"] = outcome["not_applicable"]
        else:
            scores = dict(outcome["scores"])
            cost = (scores.pop("seconds"), scores.pop("peak_memory_mb", None))
            rows += [
                (cell.data, cell.method, cell.seed, name, value, *cost) for name, value in scores.items()
            ]
    for name, reason in missing.items():
        if name not in left_out:
            logger.info("%s is left out: %s.", name, reason)
    for name, reason in failed.items():
        logger.error("%s broke: %s", name, reason)
    return BenchmarkResult(
        scores=pd.DataFrame(rows, columns=list(COLUMNS)), left_out=missing, failed=failed
    )
