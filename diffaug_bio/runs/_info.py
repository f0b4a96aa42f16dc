"""`info`: what a model folder, or a run folder, holds."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from diffaug_bio._printable import printable
from diffaug_bio._validation import shorten
from diffaug_bio.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NEEDED_OF_RUN: Mapping[str, type] = {"data.data": str, "data.n_obs": int}
_SCORES = ("width", "linear_probe", "knn_accuracy", "kmeans_nmi", "kmeans_ari")
_NEEDED_OF_METRICS: Mapping[str, type] = {
    "label_key": str,
    **{f"{row}.{score}": float for row in ("embedding", "pca") for score in _SCORES},
}
_OF_RUN = ("diffaug_bio", "data", "device", "precision", "threads", "seconds", "versions")


def info(folder: Path) -> dict[str, Any]:
    """Describe a model folder, or a run folder around one, without reading any weights.

    Parameters
    ----------
    folder
        What `diffaug-bio fit` or `DiffAug.save` wrote.

    Returns
    -------
    `model`
        What :class:`~diffaug_bio._description.ModelDescription` says.
    `run`
        Data, device, versions and times, as `run.json` has them; None for a model folder.
    `metrics`
        What `metrics.json` holds; None without one.

    Raises
    ------
    CheckpointError
        If the folder is missing, incomplete, damaged, or of a newer format.
    """
    from diffaug_bio.checkpoint import describe_model, find_model

    model = find_model(folder)
    around = model.parent if model.name == "model" else model
    run = _read(around / "run.json", needed=_NEEDED_OF_RUN)
    return {
        "folder": printable(str(model)),
        "model": describe_model(model).to_dict(),
        "run": None if run is None else {key: run[key] for key in _OF_RUN if key in run},
        "metrics": None if run is None else _read(around / "metrics.json", needed=_NEEDED_OF_METRICS),
    }


def _read(path: Path, *, needed: Mapping[str, type]) -> dict[str, Any] | None:
    """Read a file of a run folder, where there is one; `needed` has a kind for each dotted name."""
    if not path.is_file():
        return None
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        why = str(error)
    else:
        unfit = [name for name, kind in needed.items() if not _is_of_kind(_found(table, name), kind)]
        if not unfit:
            return table
        why = f"it lacks, or holds in another form, {shorten(unfit)}"
    msg = f"{path} is damaged: {why}. Fit the model again, or name the model folder alone."
    raise CheckpointError(msg)


def _found(table: object, name: str) -> object:
    """Find what a dotted name stands for, None where there is nothing."""
    for part in name.split("."):
        table = table.get(part) if isinstance(table, dict) else None
    return table


def _is_of_kind(value: object, kind: type) -> bool:
    """Whether a value is text, a whole number, or a number that is finite and no larger than floats are."""
    if kind is not float:
        return isinstance(value, kind) and not isinstance(value, bool)
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False
