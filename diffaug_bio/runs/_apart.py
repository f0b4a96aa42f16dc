"""Files and folders that a run reads, from which its output has to be apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.model.folder import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.datasets.source import DataSource


def paths_read(
    source: DataSource, *, model_folder: Path | None = None, labels_from: Path | None = None
) -> dict[str, str | Path]:
    """List what a run reads, by what it is, for :func:`diffaug_bio.output.apart.check_apart`.

    Parameters
    ----------
    source
        The data, and the reference that they are cut from.
    model_folder
        The model, or the run folder around it; both count, whichever is named.
    labels_from
        A labelled file.

    Raises
    ------
    CheckpointError
        If there is no model.
    RecipeError
        If there is no such recipe.
    """
    read = source.paths()
    if labels_from is not None:
        read["labelled file"] = labels_from
    if model_folder is not None:
        read["folder of the model"] = model_folder
        read["model"] = model = find_model(model_folder)
        around = model.resolve().parent
        if model.resolve().name == "model" and (around / "run.json").is_file():
            read["run of the model"] = around
    return read
