"""Whole runs: from a data file to a folder with embedding, model, scores and a record of what ran."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffaug_bio import __version__, metrics
from diffaug_bio._files import staged_folder, write_json
from diffaug_bio._keys import OBSM_KEY
from diffaug_bio._validation import check_unique, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.tl._matrix import MatrixChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Callback
    from diffaug_bio.core.runtime import Precision
    from diffaug_bio.estimator import DiffAug

logger = logging.getLogger(__name__)

RECIPE_PREFIX = "recipe:"
RUN_FILES = frozenset({"embedding.csv", "embedded.h5ad", "metrics.json", "model", "run.json"})
_PACKAGES = ("torch", "anndata", "scanpy", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data file or recipe, and how to read it."""

    data: str
    """A path, or `recipe:NAME`."""
    label_key: str | None = None
    """Column of `.obs`, or of a table, with labels to score against; a recipe knows its own."""
    transpose: bool = False
    """Whether a table has features in rows."""


def fit(
    source: DataSource,
    output: Path,
    *,
    config: DiffAugConfig,
    choice: MatrixChoice | None = None,
    random_state: int = 0,
    device: str = "auto",
    precision: Precision = "auto",
    callbacks: Sequence[Callback] = (),
    force: bool = False,
) -> dict[str, Any]:
    """Fit DiffAug to a data file and write a run folder, whole or not at all.

    The folder holds `embedding.csv`, `embedded.h5ad`, `model/`, `run.json` and, where labels are known,
    `metrics.json`.

    Parameters
    ----------
    source
        What to read.
    output
        The run folder.
    config
        The whole configuration.
    choice
        Which matrix to embed.
    random_state, device, precision, callbacks
        As for :func:`diffaug_bio.tl.embed`.
    force
        Whether a run that is there may be replaced.

    Returns
    -------
    What `run.json` holds, with the scores under `metrics`.

    Raises
    ------
    InputError
        If data, labels or output folder cannot be used.
    """
    from diffaug_bio.checkpoint import write_model
    from diffaug_bio.tl._embed import fit_model

    choice = choice or MatrixChoice()
    clock = _Clock()
    with staged_folder(output, overwrite=force, known=RUN_FILES) as stage:
        adata, label_key = read_source(source)
        fingerprint = _fingerprint(source)
        scored = _scored_rows(adata, label_key)
        # Found before any training: what was read may hold parts that cannot be written back.
        _write_h5ad(stage / "embedded.h5ad", adata)
        clock.lap("read")
        model = fit_model(
            adata,
            config=config,
            choice=choice,
            random_state=random_state,
            device=device,
            precision=precision,
            callbacks=callbacks,
        )
        clock.lap("fit")
        scores = None
        if label_key is not None:
            logger.info("Scoring the embedding against %r, beside PCA of the same width.", label_key)
            scores = _score(adata, model, choice, label_key, scored, seed=random_state)
            write_json(stage / "metrics.json", scores)
            clock.lap("evaluate")
        _write_embedded(stage, adata)
        (stage / "model").mkdir()
        write_model(stage / "model", model.record())
        clock.lap("write")
        run = _record(
            "fit",
            dataclasses.replace(source, label_key=label_key),
            adata,
            model,
            choice,
            seconds=clock.laps,
            fingerprint=fingerprint,
        )
        write_json(stage / "run.json", run)
    return {**run, "metrics": scores}


def embed(
    source: DataSource,
    model_folder: Path,
    output: Path,
    *,
    choice: MatrixChoice | None = None,
    device: str = "auto",
    force: bool = False,
) -> dict[str, Any]:
    """Embed a data file with a fitted model and write a folder, whole or not at all.

    The folder holds `embedding.csv`, `embedded.h5ad` and `run.json`.

    Parameters
    ----------
    source
        What to read.
    model_folder
        The model, or the run folder around it.
    output
        The folder to write.
    choice
        Which matrix to embed.
    device
        As for :func:`diffaug_bio.tl.embed`.
    force
        Whether a folder that an earlier run wrote may be replaced.

    Returns
    -------
    What `run.json` holds.

    Raises
    ------
    CheckpointError
        If the model cannot be used.
    InputError
        If the data do not fit the model, or the output folder cannot be used.
    """
    from diffaug_bio.estimator import DiffAug
    from diffaug_bio.tl import project

    choice = choice or MatrixChoice()
    clock = _Clock()
    with staged_folder(output, overwrite=force, known=RUN_FILES) as stage:
        model = DiffAug.load(model_folder, device=device)
        adata, _ = read_source(source)
        fingerprint = _fingerprint(source)
        clock.lap("read")
        if choice == MatrixChoice():
            choice = MatrixChoice(**model.source_)
        project(adata, model, **dataclasses.asdict(choice))
        clock.lap("embed")
        _write_embedded(stage, adata)
        clock.lap("write")
        run = _record("embed", source, adata, model, choice, seconds=clock.laps, fingerprint=fingerprint)
        run["model"] = str(model_folder)
        write_json(stage / "run.json", run)
    return run


def read_source(source: DataSource) -> tuple[AnnData, str | None]:
    """Read a data file or recipe, and find its labels.

    Returns
    -------
    The data, and the column of `.obs` to score against, if any.

    Raises
    ------
    InputError
        If the data cannot be read, a name of an observation is repeated, or the labels are not there.
    RecipeError
        If there is no such recipe.
    """
    from diffaug_bio import datasets, io

    label_key = source.label_key
    if source.data.startswith(RECIPE_PREFIX):
        recipe = datasets.load_recipe(source.data.removeprefix(RECIPE_PREFIX))
        adata = datasets.load(recipe.name)
        label_key = label_key or recipe.label_key
    else:
        columns = [label_key] if label_key and not source.data.endswith((".h5ad", ".h5")) else []
        adata = io.read(source.data, obs_columns=columns, transpose=source.transpose)
    check_unique(
        adata.obs_names.astype(str),
        what="observation names",
        remedy="Make them unique, for example with `adata.obs_names_make_unique()`, and save again.",
    )
    if label_key is not None and label_key not in adata.obs:
        msg = f"There is no label column {label_key!r} in `.obs`; it holds {shorten(adata.obs) or 'none'}."
        raise InputError(msg)
    return adata, label_key


def _scored_rows(adata: AnnData, label_key: str | None) -> NDArray[np.bool_]:
    """Rows whose label can be scored; unusable labels are found before any training."""
    if label_key is None:
        return np.zeros(adata.n_obs, bool)
    return metrics.check_labels(adata.obs[label_key].to_numpy(dtype=object), key=label_key)


def _score(
    adata: AnnData,
    model: DiffAug,
    choice: MatrixChoice,
    label_key: str,
    scored: NDArray[np.bool_],
    *,
    seed: int,
) -> dict[str, Any]:
    """Score the embedding, as many principal components, and those the networks saw."""
    from diffaug_bio.features import principal_axes
    from diffaug_bio.tl._matrix import choose_matrix

    n_latent = model.config_.encoder.n_latent
    matrix, _ = choose_matrix(adata, choice)
    features = model.features_
    possible = min(n_latent, adata.n_obs - 1, len(features.selected))
    if features.components.shape[1] < possible:
        uncentered = dataclasses.replace(features, center=np.zeros_like(features.center))
        center, axes = principal_axes(matrix, uncentered, n_components=possible, seed=seed)
        features = dataclasses.replace(features, center=center, components=axes)
    components = features.project(matrix)[:, :n_latent]
    width = min(model.features_.components.shape[1], components.shape[1])
    labels = adata.obs[label_key].to_numpy(dtype=object)[scored].astype(str)
    return {
        "label_key": label_key,
        "n_scored": int(scored.sum()),
        "n_left_out": int((~scored).sum()),
        "n_labels": len(np.unique(labels)),
        "n_folds": metrics.N_FOLDS,
        "n_neighbors": metrics.N_NEIGHBORS,
        "embedding": {
            "width": n_latent,
            **metrics.evaluate(adata.obsm[OBSM_KEY][scored], labels, seed=seed),
        },
        "pca": {
            "width": components.shape[1],
            **metrics.evaluate(components[scored], labels, seed=seed),
        },
        "front_end": {
            "width": width,
            **metrics.evaluate(components[scored, :width], labels, seed=seed),
        },
    }


def _write_embedded(stage: Path, adata: AnnData) -> None:
    """Write the embedding as CSV and the data with it."""
    from diffaug_bio.io import write_embedding

    write_embedding(stage / "embedding.csv", adata.obsm[OBSM_KEY], adata.obs_names)
    _write_h5ad(stage / "embedded.h5ad", adata)


def _write_h5ad(path: Path, adata: AnnData) -> None:
    """Write an AnnData, or say which of its parts cannot be written."""
    try:
        adata.write_h5ad(path)
    except (TypeError, ValueError, NotImplementedError) as error:
        lines = str(error).splitlines()
        msg = (
            f"The data hold something that h5ad cannot: {lines[0] if lines else type(error).__name__} "
            "Remove or rename it, and save the file again."
        )
        raise InputError(msg) from error


def _record(
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
    import torch

    from diffaug_bio.core.runtime import resolve_device, resolve_precision

    record = model.record()
    device = resolve_device(model.device)
    precision = resolve_precision(model.precision, device)
    return {
        "diffaug_bio": __version__,
        "command": command,
        "data": {
            **dataclasses.asdict(source),
            **dataclasses.asdict(choice),
            "n_obs": adata.n_obs,
            "n_vars": adata.n_vars,
            "input_state": model.features_.state,
            **fingerprint,
        },
        "config": record.config.to_dict(),
        "seed": record.seed,
        "device": str(device),
        "precision": str(precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "n_epochs": len(model.history_),
        "seconds": seconds,
        "peak_memory_mb": _peak_memory(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "platform": platform.platform(),
    }


def _fingerprint(source: DataSource) -> dict[str, object]:
    """Size and SHA-256 of a data file; a recipe is known by its name and scanpy's version."""
    if source.data.startswith(RECIPE_PREFIX):
        return {}
    path = Path(source.data)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _peak_memory() -> float | None:
    """Largest resident memory of this process so far in MB, from the operating system."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: unlike getrusage, this leaves out what the parent process held
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return round(int(lines["VmHWM"].split()[0]) * 1024 / 1e6, 1) if "VmHWM" in lines else None
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


class _Clock:
    """Seconds spent since the last lap, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now
