"""Keeping what a run reads out of the folder that it replaces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.checkpoint import find_model
from diffaug_bio.errors import InputError
from diffaug_bio.runs._source import RECIPE_PREFIX

if TYPE_CHECKING:
    from diffaug_bio.runs._source import DataSource

_REMEDY = "Choose another output folder."


def check_apart(
    output: Path, *, model_folder: Path, source: DataSource, labels_from: Path | None = None
) -> None:
    """Refuse an output folder that is, holds or lies within what is still to be read or kept.

    Links are followed. Files are refused only in the folder, since writing replaces all that it holds.

    Parameters
    ----------
    output
        The folder to write.
    model_folder
        The model, or the run folder around it.
    source
        The data, and the reference that they are cut from.
    labels_from
        A labelled file.

    Raises
    ------
    CheckpointError
        If there is no model.
    InputError
        If the output folder overlaps with the model's, or holds a file that is read.
    """
    target = output.resolve()
    for folder in (model_folder, find_model(model_folder)):
        held = folder.resolve()
        if target.is_relative_to(held) or held.is_relative_to(target):
            msg = (
                f"The output folder {output} overlaps with {folder}, whose model is used: writing there "
                f"could replace it. {_REMEDY}"
            )
            raise InputError(msg)
    files: dict[str, str | Path | None] = {
        "data": None if source.data.startswith(RECIPE_PREFIX) else source.data,
        "reference": source.reference,
        "labelled file": labels_from,
    }
    for what, file in files.items():
        if file is not None and Path(file).resolve().is_relative_to(target):
            msg = (
                f"The {what} {file} would be deleted: it lies in the output folder {output}, which is "
                f"replaced. {_REMEDY}"
            )
            raise InputError(msg)
