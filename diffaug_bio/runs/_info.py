"""`info`: what a model folder, or a run folder, holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from diffaug_bio.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

_OF_SCORES = ("label_key", "embedding", "pca")
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
    run = _read(around / "run.json", needed=("data",))
    return {
        "folder": str(model),
        "model": describe_model(model).to_dict(),
        "run": None if run is None else {key: run[key] for key in _OF_RUN if key in run},
        "metrics": None if run is None else _read(around / "metrics.json", needed=_OF_SCORES),
    }


def _read(path: Path, *, needed: tuple[str, ...]) -> dict[str, Any] | None:
    """Read a file of a run folder, where there is one."""
    if not path.is_file():
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(table, dict) and all(name in table for name in needed):
            return table
        why = f"it holds no {', '.join(needed)}"
    except ValueError as error:
        why = str(error)
    msg = f"{path} is damaged: {why}. Fit the model again, or name the model folder alone."
    raise CheckpointError(msg)
