"""Processes for the cells of a benchmark, which start with all modules imported."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_PRELOADED = (
    "diffaug_bio.benchmark._score",
    "diffaug_bio.model.estimator",
    "anndata",
    "igraph",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.manifold",
    "torch._dynamo",  # imported by the first step of an optimizer
)


def process_context() -> Any:
    """Return a context whose processes start with all modules imported, where the platform can do so."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver  # not there on every platform

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    with _safe_path():
        _start_server(forkserver)
    return context


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Keep the current folder, which may hold another checkout, off the import path of new processes."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _start_server(forkserver: ModuleType) -> None:
    """Start the process that others are forked from; it ignores Ctrl-C."""
    if threading.current_thread() is threading.main_thread():
        # Ctrl-C reaches all processes of a terminal. The server and its processes inherit that they ignore
        # it: this process ends them.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            forkserver.ensure_running()
        finally:
            signal.signal(signal.SIGINT, before)
    else:
        forkserver.ensure_running()
