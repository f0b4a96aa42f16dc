"""Benchmark runs: each cell in a process of its own, each result on disk as soon as it is there."""

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
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffaug_bio._checks import check_count, check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.benchmark._data import BenchmarkData
from diffaug_bio.benchmark._folder import SCORES, SETTINGS, SUMMARY, add, check_folder
from diffaug_bio.benchmark._methods import METHODS, choose_methods, missing_extra
from diffaug_bio.benchmark._processes import process_context
from diffaug_bio.benchmark._result import BenchmarkResult
from diffaug_bio.benchmark._text import report
from diffaug_bio.config import DiffAugConfig, resolve_config
from diffaug_bio.config.kinds import declared_kind
from diffaug_bio.errors import InputError
from diffaug_bio.output.interrupts import interrupts_held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from diffaug_bio.config import Config, DataKind

logger = logging.getLogger(__name__)

COLUMNS = ("data", "method", "seed", "metric", "value", "seconds", "peak_memory_mb")
_CELLS = "cells"
_PACKAGES = ("diffaug-bio", "torch", "numpy", "scipy", "scikit-learn", "igraph")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Cell of a benchmark: a method on a data set with a seed."""

    data: str
    path: str
    """File of the data, written by :meth:`BenchmarkData.write`."""
    method: str
    seed: int
    config: DiffAugConfig
    """Configuration that all methods share."""
    held_out: bool
    """True if a fifth of the rows is kept from all fitting."""
    threads: int
    digest: str
    """Hash of the data."""
    kind: DataKind

    @property
    def key(self) -> str:
        """Hash of everything that the result depends on; a stored result with another key is not used."""
        parts = dataclasses.asdict(self) | {name: version(name) for name in _PACKAGES}
        method = METHODS[self.method]
        # The settings in effect: of two methods with the same settings, one is run.
        config = method.configured(self.config)
        kind = declared_kind("auto", config.encoder.kind) or self.kind
        with contextlib.suppress(InputError):  # methods without encoder and view accept any
            config = config.for_kind(kind)
        parts["config"] = config.to_dict()
        parts["method"] = method.kind
        del parts["path"]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """Name of the file with the result; other settings have other files."""
        return f"{self.data}--{self.method}--{self.seed}--{self.key[:12]}.json"


def run(
    data: Sequence[BenchmarkData],
    output: str | os.PathLike[str],
    *,
    methods: Iterable[str] = ("default",),
    n_seeds: int = 3,
    config: Config | None = None,
    held_out: bool = False,
    jobs: int = 1,
    threads: int = 1,
    on_result: Callable[[Cell, dict[str, float], int, int], None] | None = None,
) -> BenchmarkResult:
    """Score methods on data sets with several seeds and the same number of training steps for each.

    Results in the folder from the same data, settings and package versions are used again: an interrupted
    run continues. `results.csv` and `summary.md` hold the methods, data and seeds of the last call. Early
    stopping is off, so that all methods take as many encoder steps; each phase ends with its best weights
    by the held-out loss. As every method runs in a process of its own, a script that calls this needs
    `if __name__ == "__main__":`.

    Parameters
    ----------
    data
        Labelled data with different names.
    output
        Folder for `results.csv`, `summary.md`, `benchmark.json` and a file for each cell in `cells/`.
    methods
        Names in :data:`METHODS` or of groups of them.
    n_seeds
        Number of seeds; they are 0, 1, ...
    config
        Configuration that all methods share, as in :func:`diffaug_bio.tl.embed`.
    held_out
        If True, a fifth of the rows, another one for each seed, is kept from preprocessing, method and
        probe, and only they are scored. Not for data with a split of their own, which does the same.
    jobs
        Number of cells (a method on a data set with a seed) that run at the same time.
    threads
        Number of CPU threads of each.
    on_result
        Called after each cell with the cell, its scores, the number of cells done and that of all cells.

    Returns
    -------
    Scores, and the methods that could not run.

    Raises
    ------
    InputError
        If names repeat, a method is unknown, `held_out` is given for data with a split of their own, or the
        folder holds other files or was changed.

    Examples
    --------
    >>> import diffaug_bio as db, scanpy as sc
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> data = db.benchmark.BenchmarkData.from_anndata(adata, name="pbmc", label_key="bulk_labels")
    >>> result = db.benchmark.run([data], "results", methods=["pca", "raw"])  # doctest: +SKIP
    >>> db.benchmark.summarise(result.scores)  # doctest: +SKIP
    """
    folder = Path(output)
    _check_settings(data, folder, held_out=held_out, n_seeds=n_seeds, jobs=jobs, threads=threads)
    chosen = choose_methods(methods)
    left_out = {name: reason for name in chosen if (reason := missing_extra(chosen[name]))}
    for name, reason in left_out.items():
        logger.warning("%s is left out: %s.", name, reason)
    runnable = [name for name in chosen if name not in left_out]
    if not runnable:
        msg = "None of the methods can run; see the log."
        raise InputError(msg)
    # An early stop would give some methods fewer steps.
    shared = resolve_config(config).replace(train={"patience": 0})
    misfits = {
        f"{name} on {one.name}": reason
        for one in data
        for name in runnable
        if (reason := METHODS[name].misfit(shared, one.kind))
    }
    with tempfile.TemporaryDirectory() as temporary:
        paths = [Path(temporary, f"{number}.h5ad") for number in range(len(data))]
        for one, path in zip(data, paths, strict=True):
            one.write(path)
        digests = [one.digest() for one in data]
        cells = [
            Cell(
                data=one.name,
                path=str(path),
                method=method,
                seed=seed,
                config=shared,
                held_out=held_out,
                threads=threads,
                digest=digest,
                kind=one.kind,
            )
            # All data sets with the first seed come first, so that early results can be used.
            for seed in range(n_seeds)
            for one, path, digest in zip(data, paths, digests, strict=True)
            for method in runnable
            if f"{method} on {one.name}" not in misfits
        ]
        settings = {
            "config": shared.to_dict(),
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


def _check_settings(
    data: Sequence[BenchmarkData], folder: Path, *, held_out: bool, n_seeds: int, jobs: int, threads: int
) -> None:
    """Refuse settings that cannot be run, and a folder with other files in it."""
    if not data:
        msg = "`data` is empty. Give at least one data set."
        raise InputError(msg)
    for name, value in (("n_seeds", n_seeds), ("jobs", jobs), ("threads", threads)):
        check_count(name, value)
    check_unique([one.name for one in data], what="names of data sets", remedy="Rename the files.")
    if unfit := [one.name for one in data if Path(one.name).name != one.name]:
        msg = f"A data set cannot be named {unfit[0]!r}: its name becomes part of file names."
        raise InputError(msg)
    check_folder(folder)
    if held_out and (own := [one.name for one in data if one.split is not None]):
        msg = (
            f"`held_out` chooses test rows, but {shorten(own)} has a split of its own. Leave out "
            "`held_out`, or read the data without their split (`split_key` 'none')."
        )
        raise InputError(msg)


def _run_cells(
    cells: Sequence[Cell],
    folder: Path,
    *,
    jobs: int,
    on_result: Callable[[Cell, dict[str, float], int, int], None] | None,
) -> dict[Cell, dict[str, Any]]:
    """Run the cells that are not stored yet, and return the outcomes of all."""
    different = {cell.key: cell for cell in reversed(cells)}  # the first of cells with the same settings
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
                    # A file that is there and was not used is damaged: nothing else has such a name.
                    with interrupts_held():  # keeps results that are done
                        add(folder, {f"{_CELLS}/{cell.file_name}": text}, force=True)
                    if on_result is not None and "scores" in outcome:
                        on_result(cell, outcome["scores"], len(outcomes), len(different))
    finally:
        for _, process in running.values():
            process.terminate()
    return {cell: outcomes[cell.key] for cell in cells}


def _stored(folder: Path, cell: Cell) -> dict[str, Any] | None:
    """Read the outcome of an earlier run with the same data and settings."""
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
    """Receive the outcome of a process; a process that was killed sends nothing."""
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
    os.environ["OMP_NUM_THREADS"] = str(cell.threads)  # for libraries that are loaded later
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
    except Exception as error:  # noqa: BLE001 - an error of one method must not stop the others
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
    """Put outcomes into one table, and log the missing ones."""
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
        logger.error("%s failed: %s", name, reason)
    return BenchmarkResult(
        scores=pd.DataFrame(rows, columns=list(COLUMNS)), left_out=missing, failed=failed
    )
