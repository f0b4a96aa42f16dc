"""Cases in forked children, with limits of time and memory, and what each of them came to.

A case is a function of a random generator and an empty folder: it makes an input there, reads it and judges
what came out. A find is told by its kind and one number, the seed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
import zlib
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from diffaug_bio.errors import DiffAugError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection

    Case: TypeAlias = Callable[[np.random.Generator, Path], None]

CASES = {
    "h5ad": "h5ad",
    "tenx": "stores",
    "zarr": "stores",
    "store": "stores",
    "frame": "stores",
    "table": "tables",
    "fasta": "sequences",
    "fastq": "sequences",
    "bed": "sequences",
    "idx": "images",
    "npz": "images",
    "cifar": "images",
    "images": "images",
    "stack": "images",
    "model": "models",
    "toml": "configs",
    "archive": "archives",
    "arguments": "arguments",
}
"""Kinds of cases, and the module beside this one whose function of that name makes one."""

SECONDS = 20.0
"""How long a case may take; the slowest honest one takes a second on an idle core."""
_START_SECONDS = 120
_BYTES = 2**30  # that a case may take beyond what the imports have
_LARGEST_FILE = 2**28
_LONGEST_MESSAGE = 1500
_IMPORTED = (
    "torch",
    "scanpy",
    "diffaug_bio.model.estimator",
    "diffaug_bio.io",
    "diffaug_bio.datasets._archives",
)


class Outcome(StrEnum):
    """What a case came to."""

    OK = "ok"
    CLEAR = "clear error"
    UNCLEAR = "unclear error"
    RAW = "raw exception"
    CRASH = "crash"
    HANG = "hang"
    MEMORY = "out of memory"
    WRONG = "silently wrong"


GOOD = frozenset({Outcome.OK, Outcome.CLEAR})


class Finding(NamedTuple):
    """One case and its outcome."""

    kind: str
    seed: int
    outcome: Outcome
    detail: str


class SilentlyWrongError(Exception):
    """What was read is not what the file holds, and nothing said so."""


class UnclearError(Exception):
    """What went wrong is told, but not in one sentence."""


class UnforeseenError(Exception):
    """What went wrong was caught, but only as something that nobody foresaw."""


def run_cases(kind: str, seeds: Iterable[int], *, seconds: float = SECONDS) -> Iterator[Finding]:
    """Run the cases of these seeds in a child, in a new one after each crash or hang.

    Parameters
    ----------
    kind
        One of :data:`CASES`.
    seeds
        The cases.
    seconds
        How long each may take.
    """
    context = multiprocessing.get_context("forkserver")
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    context.set_forkserver_preload(list(_IMPORTED))
    left = list(seeds)[::-1]
    with tempfile.TemporaryDirectory(prefix="robustness.") as folder:
        while left:
            here, there = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(kind, left[::-1], Path(folder), there, seconds))
            worker.start()
            there.close()
            try:
                yield from _listen(kind, left, here, worker, seconds)
            finally:
                worker.kill()
                worker.join()
                here.close()


def _listen(
    kind: str,
    left: list[int],
    here: Connection,
    worker: multiprocessing.process.BaseProcess,
    seconds: float,
) -> Iterator[Finding]:
    """Pass on what a child reports until it has done all cases or ended on one."""
    try:
        is_ready = here.poll(_START_SECONDS) and here.recv() == "ready"
    except EOFError:
        is_ready = False
    if not is_ready:
        msg = "The child that runs the cases did not start."
        raise RuntimeError(msg)
    while left:
        if not here.poll(seconds):
            yield Finding(kind, left.pop(), Outcome.HANG, f"no end after {seconds:g} seconds")
            return
        try:
            outcome, detail = here.recv()
        except EOFError:
            worker.join()
            yield Finding(kind, left.pop(), Outcome.CRASH, _name_of_exit(worker.exitcode))
            return
        yield Finding(kind, left.pop(), Outcome(outcome), detail)


def _name_of_exit(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"


def _work(kind: str, seeds: list[int], folder: Path, there: Connection, seconds: float) -> None:
    """Run cases one after the other, and report each."""
    case = case_of(kind)
    _be_quiet(folder / "output.txt")
    os.chdir(folder)
    _limit()
    there.send("ready")
    for seed in seeds:
        place = folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        _limit_processor(4 * seconds)
        there.send(run_case(case, kind, seed, place))


def case_of(kind: str) -> Case:
    """Find the function that makes the cases of a kind."""
    module = import_module(f"tests.robustness.{CASES.get(kind, 'probes')}")
    case: Case = getattr(module, f"{kind}_case")
    return case


def run_case(case: Case, kind: str, seed: int, folder: Path) -> tuple[str, str]:
    """Run one case in this process, and say what came out."""
    try:
        case(generator(kind, seed), folder)
    except (SilentlyWrongError, UnclearError, UnforeseenError) as error:
        of_class = {
            SilentlyWrongError: Outcome.WRONG,
            UnclearError: Outcome.UNCLEAR,
            UnforeseenError: Outcome.RAW,
        }
        return of_class[type(error)], str(error)
    except DiffAugError as error:
        return (Outcome.CLEAR if is_clear(str(error)) else Outcome.UNCLEAR), str(error)
    except MemoryError as error:
        return Outcome.MEMORY, _place(error)
    except BaseException as error:  # noqa: BLE001 - the point of the matter
        return Outcome.RAW, _place(error)
    return Outcome.OK, ""


def generator(kind: str, seed: int) -> np.random.Generator:
    """Make the generator of a case."""
    return np.random.default_rng([zlib.crc32(kind.encode()), seed])


def is_clear(message: str) -> bool:
    """Tell whether a message can be read on one line: no dump, no control characters, no bare exception."""
    is_dump = message.count("\\n") > 2 or "Traceback" in message  # line ends, as errors show them
    return (
        not is_dump
        and 0 < len(message.strip()) <= _LONGEST_MESSAGE
        and not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in message)
        and not re.fullmatch(r"\w*(Error|Exception)\(.*\)", message)
    )


def _place(error: BaseException) -> str:
    """Say what was raised, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames if "diffaug" in frame.filename]
    last = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {str(error)[:200]!r} in {' '.join(own[-2:])} {last}"


def _be_quiet(output: Path) -> None:
    """Send what libraries print to a file, and ignore warnings as the command line does."""
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    sys.stdout.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    warnings.simplefilter("ignore")
    logging.getLogger("diffaug_bio").addHandler(logging.NullHandler())
    logging.getLogger("diffaug_bio").propagate = False


def _limit_processor(seconds: float) -> None:
    """Bound the processor's time of a case, in case that nobody is left to end it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _limit() -> None:
    """Bound memory, the size of files, and leave no core behind."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(r"VmSize:\s+(\d+) kB", text)
    in_use = int(match[1]) * 1024 if match else 0
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _BYTES, in_use + _BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
