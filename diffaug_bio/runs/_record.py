"""Contents of every run folder: the data with the embedding, and a record of the run."""

from __future__ import annotations

import dataclasses
import logging
import platform
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from diffaug_bio import __version__
from diffaug_bio._keys import OBSM_KEY
from diffaug_bio.choose.results import novelty_table
from diffaug_bio.machine.memory import peak_memory
from diffaug_bio.machine.threads import short_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.datasets.source import DataSource
    from diffaug_bio.mapping import Novelty
    from diffaug_bio.model.estimator import DiffAug
    from diffaug_bio.model.source import MatrixChoice

_LOGGER = "diffaug_bio"
_PROGRESS = f"{_LOGGER}.progress"  # messages about training, not about the data
_PACKAGES = ("torch", "anndata", "scanpy", "numpy", "scipy", "scikit-learn")


def write_embedded(stage: Path, adata: AnnData) -> None:
    """Write the embedding as CSV, and the data with the embedding as h5ad."""
    from diffaug_bio.io import write_embedding
    from diffaug_bio.io.h5ad import write_h5ad

    write_embedding(stage / "embedding.csv", adata.obsm[OBSM_KEY], adata.obs_names)
    write_h5ad(stage / "embedded.h5ad", adata)


def write_novelty(path: Path, adata: AnnData, novelty: Novelty | None) -> dict[str, Any] | None:
    """Write the scores of novelty of each row, and return their entry of `run.json`."""
    if novelty is None:
        return None
    novelty_table(adata, novelty).to_csv(path, index_label="id")
    return {
        "limit": novelty.limit,
        "n_far": novelty.n_far,
        "share_far": novelty.n_far / max(1, adata.n_obs),
    }


def make_record(
    command: str,
    source: DataSource,
    adata: AnnData,
    model: DiffAug,
    choice: MatrixChoice,
    *,
    seconds: dict[str, float],
    fingerprint: dict[str, object],
) -> dict[str, Any]:
    """Collect all settings and versions that are needed to repeat a run."""
    from diffaug_bio.core.runtime import resolve_device, resolve_precision

    kmers = choice.kmers or source.kmers
    device = resolve_device(model.device)
    precision = resolve_precision(model.precision, device)
    return {
        "diffaug_bio": __version__,
        "command": command,
        "data": {
            **dataclasses.asdict(source.as_text()),
            **choice.to_dict(),
            "kmers": None if kmers is None else kmers.to_dict(),
            "n_obs": adata.n_obs,
            "n_vars": adata.n_vars,
            "input_state": model.features_.state,
            **fingerprint,
        },
        "config": model.config_.to_dict(),
        "seed": int(model.random_state),
        "device": str(device),
        "precision": str(precision).removeprefix("torch."),
        **_threads_of(model),
        "n_epochs": len(model.history_),
        "seconds": seconds,
        "peak_memory_mb": peak_memory(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "platform": platform.platform(),
    }


def _threads_of(model: DiffAug) -> dict[str, Any]:
    """Give the number of CPU threads, and the reason for it where the model was trained now."""
    found = getattr(model, "threads_", None)
    if found is None:  # read from a folder, so that nothing was trained
        return {"threads": short_work(model.threads)}
    return {"threads": found.number, "threads_reason": found.reason}


class Clock:
    """Seconds spent since the last lap, by name; `on_lap` gets the name after every lap, and may raise."""

    def __init__(self, on_lap: Callable[[str], None] = lambda _: None) -> None:
        self.laps: dict[str, float] = {}
        self._on_lap = on_lap
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now
        self._on_lap(name)


@contextmanager
def kept_log() -> Iterator[list[dict[str, str]]]:
    """Collect the messages that this package logs while the block runs, as `level` and `text`.

    Messages below the level of the logger are left out: without a level, only warnings are kept.
    """
    kept: list[dict[str, str]] = []
    handler = _Keeper(kept)
    logger = logging.getLogger(_LOGGER)
    logger.addHandler(handler)
    try:
        yield kept
    finally:
        logger.removeHandler(handler)


class _Keeper(logging.Handler):
    """Append messages to a list."""

    def __init__(self, kept: list[dict[str, str]]) -> None:
        super().__init__()
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != _PROGRESS:
            self._kept.append({"level": record.levelname.lower(), "text": record.getMessage()})
