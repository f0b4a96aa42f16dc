"""CPU threads: their number is decided here, set during a computation, and restored after it."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diffaug_bio._checks import check_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

MAX_THREADS = 1024

_VARIABLES = ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")
# With more rows, a second thread shortens a fit on idle cores (tests/benchmarks/threads.py); more than two
# threads were not faster for networks of this size.
_ROWS_FOR_TWO = 3000
_LEAST_SECONDS = 0.2  # of a measurement of the load
_SECONDS_BETWEEN_LOOKS = 1.0
_CORES_LEFT_OUT = 0.3  # cores that other processes may use on a machine that counts as idle


@dataclass(frozen=True, slots=True)
class Threads:
    """Number of threads, and the reason for it."""

    number: int
    reason: str
    """End of the sentence "2 threads: ...", for the log and `run.json`."""
    is_fixed: bool
    """True if the user asked for the number, which stays the same whatever else runs on the machine."""


def asked_for(threads: int | None, environment: Mapping[str, str] = os.environ) -> Threads | None:
    """Return the number asked for: `threads` (1-1024), OMP_NUM_THREADS, SLURM_CPUS_PER_TASK, or None."""
    if threads is not None:
        check_count("threads", threads, most=MAX_THREADS)
        return Threads(int(threads), "asked for", is_fixed=True)
    for variable in _VARIABLES:
        # OpenMP allows a list, a number for each level of nesting.
        text = environment.get(variable, "").partition(",")[0].strip().lstrip("0")
        if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= MAX_THREADS:
            return Threads(int(text), variable, is_fixed=True)
    return None


def short_work(threads: int | None) -> int:
    """Return the number of threads for other work than training: one, unless the user asks for more."""
    asked = asked_for(threads)
    return 1 if asked is None else asked.number


def training_threads(threads: int | None, *, n_rows: int, is_on_cpu: bool, load: Load) -> Threads:
    """Return the number of threads to train on: as asked, or two with many rows and idle cores.

    Two threads wait for each other many times in every step. If another process uses one of their cores,
    each wait lasts until that process pauses, and a fit takes ten times as long.
    """
    asked = asked_for(threads)
    if asked is not None:
        return asked
    if not is_on_cpu:
        return Threads(1, "an accelerator computes", is_fixed=False)
    if n_rows < _ROWS_FOR_TWO:
        return Threads(1, f"fewer than {_ROWS_FOR_TWO} rows", is_fixed=False)
    if available_cores() < 2:
        return Threads(1, "one core is available", is_fixed=False)
    if load.leaves_no_room_for(2):
        return Threads(1, "other processes use the cores", is_fixed=False)
    return Threads(2, "idle cores", is_fixed=False)


def available_cores() -> int:
    """Return the number of cores that this process may use, by affinity and the quota of its container."""
    from joblib import cpu_count

    return int(cpu_count())


class Load:
    """Load of other processes on the cores that this process may use."""

    def __init__(self) -> None:
        self._last = _Reading.take()

    def leaves_no_room_for(self, threads: int) -> bool:
        """Return True if others use cores that `threads` need: since the last call, or for a moment now."""
        waited = time.perf_counter() - self._last.clock
        if waited < _LEAST_SECONDS:
            time.sleep(_LEAST_SECONDS - waited)
        before, self._last = self._last, _Reading.take()
        seconds = self._last.clock - before.clock
        others = (self._last.busy - before.busy) - (self._last.own - before.own)
        return others / seconds > self._last.n_cores - threads + _CORES_LEFT_OUT


@dataclass(frozen=True, slots=True)
class _Reading:
    """Seconds that the cores of this process were busy, with all processes and with this one."""

    clock: float
    busy: float
    own: float
    n_cores: int

    @classmethod
    def take(cls) -> _Reading:
        import psutil

        cores = psutil.cpu_times(percpu=True)
        if hasattr(os, "sched_getaffinity"):
            allowed = [number for number in os.sched_getaffinity(0) if number < len(cores)]
            cores = [cores[number] for number in allowed]
        # Guests are counted as user processes already.
        idle = ("idle", "iowait", "guest", "guest_nice")
        busy = sum(sum(core) - sum(getattr(core, name, 0.0) for name in idle) for core in cores)
        return cls(clock=time.perf_counter(), busy=busy, own=time.process_time(), n_cores=len(cores))


class Watch:
    """Callback after each training step: lowers the threads to one when other processes need the cores."""

    def __init__(self, threads: Threads, load: Load) -> None:
        self.lowered = False
        self._threads, self._load = threads, load
        self._next = time.perf_counter() + _SECONDS_BETWEEN_LOOKS
        self._is_off = threads.is_fixed or threads.number == 1

    def __call__(self) -> None:
        """Measure the load of the cores, at most once a second."""
        if self._is_off or time.perf_counter() < self._next:
            return
        self._next = time.perf_counter() + _SECONDS_BETWEEN_LOOKS
        if self._load.leaves_no_room_for(self._threads.number):
            import torch

            torch.set_num_threads(1)
            self._is_off = self.lowered = True
            logger.info(
                "Other processes use the cores: 1 thread from now on. With `threads` (`--threads`) the "
                "number stays the same, and a seed gives the same bits again."
            )


@contextlib.contextmanager
def limited_to(number: int) -> Iterator[None]:
    """Limit torch and every loaded BLAS and OpenMP library to so many threads during the block."""
    import sklearn.utils  # noqa: F401 - loads an OpenMP of its own, to be limited as well
    from threadpoolctl import threadpool_limits

    with threadpool_limits(number), torch_limited_to(number):
        yield


@contextlib.contextmanager
def torch_limited_to(number: int) -> Iterator[None]:
    """Limit torch to so many threads during the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
