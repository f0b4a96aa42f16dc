"""What every run folder holds: the data with the embedding, and a record of what ran."""

from __future__ import annotations

import dataclasses
import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from diffaug_bio import __version__
from diffaug_bio._keys import OBSM_KEY
from diffaug_bio.machine.memory import peak_memory
from diffaug_bio.machine.threads import short_work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.choose.matrix import MatrixChoice
    from diffaug_bio.datasets.source import DataSource
    from diffaug_bio.mapping import Novelty
    from diffaug_bio.model.estimator import DiffAug

_PACKAGES = ("torch", "anndata", "scanpy", "numpy", "scipy", "scikit-learn")


def write_embedded(stage: Path, adata: AnnData) -> None:
    """Write the embedding as CSV and the data with it."""
    from diffaug_bio.io import write_embedding
    from diffaug_bio.io.h5ad import write_h5ad

    write_embedding(stage / "embedding.csv", adata.obsm[OBSM_KEY], adata.obs_names)
    write_h5ad(stage / "embedded.h5ad", adata)


def write_novelty(path: Path, adata: AnnData, novelty: Novelty | None) -> dict[str, Any] | None:
    """Write how unlike the training rows each row is, and return what `run.json` says of it."""
    import pandas as pd

    from diffaug_bio.tl._results import NOVELTY_COLUMNS

    if novelty is None:
        return None
    columns = {name: getattr(novelty, name) for name in NOVELTY_COLUMNS}
    table = pd.DataFrame(
        {name: scores for name, scores in columns.items() if scores is not None}, index=adata.obs_names
    )
    table.to_csv(path, index_label="id")
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
    """Everything that one needs to know, or to run it again."""
    from diffaug_bio.core.runtime import resolve_device, resolve_precision

    record = model.record()
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
        "config": record.config.to_dict(),
        "seed": record.seed,
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
    """Say on how many CPU threads was computed, and why."""
    found = getattr(model, "threads_", None)
    if found is None:  # read from a folder, so that nothing was trained
        return {"threads": short_work(model.threads)}
    return {"threads": found.number, "threads_reason": found.reason}


class Clock:
    """Seconds spent since the last lap, by name.

    Parameters
    ----------
    on_lap
        Called with the name of every lap, after it; may raise to end the run.
    """

    def __init__(self, on_lap: Callable[[str], None] = lambda _: None) -> None:
        self.laps: dict[str, float] = {}
        self._on_lap = on_lap
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now
        self._on_lap(name)
