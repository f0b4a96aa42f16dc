"""A model that is given as such, or as the folder that it lies in."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from diffaug_bio._wording import told
from diffaug_bio.errors import InputError
from diffaug_bio.model.estimator import DiffAug


def model_of(model: DiffAug | str | PathLike[str], *, device: str = "auto") -> DiffAug:
    """Return a model, or read one from its folder to a device.

    Raises
    ------
    CheckpointError
        If the folder cannot be used.
    InputError
        If this is neither a model nor a path.
    """
    if isinstance(model, DiffAug):
        return model
    if not isinstance(model, str | PathLike):
        msg = f"`model` has to be a fitted `DiffAug`, or the path of its folder, got {told(model)}."
        raise InputError(msg)
    return DiffAug.load(Path(model), device=device)
