"""`info`: contents of a model folder or a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio._wording import printable
from diffaug_bio.output.json_files import METRICS, RUN, read_json

if TYPE_CHECKING:
    from pathlib import Path

_OF_RUN = ("diffaug_bio", "data", "device", "precision", "threads", "seconds", "versions")


def info(folder: Path) -> dict[str, Any]:
    """Describe a model folder, or a run folder around one, without reading any weights.

    Parameters
    ----------
    folder
        Folder that `diffaug-bio fit` or `DiffAug.save` wrote.

    Returns
    -------
    `model`
        Values of :class:`~diffaug_bio.model.description.ModelDescription`.
    `run`
        Data, device, versions and times, as `run.json` has them; None for a model folder.
    `metrics`
        Content of `metrics.json`; None without one.

    Raises
    ------
    CheckpointError
        If the model is missing, incomplete, damaged, or of a newer format.
    InputError
        If `run.json` or `metrics.json` is damaged.
    """
    from diffaug_bio.model.folder import describe_model, find_model

    model = find_model(folder)
    around = model.parent if model.name == "model" else model
    run = read_json(around / RUN)
    return {
        "folder": printable(str(model)),
        "model": describe_model(model).to_dict(),
        "run": None if run is None else {key: run[key] for key in _OF_RUN if key in run},
        "metrics": None if run is None else read_json(around / METRICS),
    }
