"""Files and folders that a run reads, which its output must not overwrite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.model.folder import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.datasets.source import DataSource


def paths_read(
    source: DataSource, *, model_folder: Path | None = None, labels_from: Path | None = None
) -> dict[str, str | Path]:
    """List the files and folders that a run reads, for :func:`diffaug_bio.output.apart.check_apart`.

    A model counts with the run folder around it, whichever is named. Raises a `CheckpointError` or
    `RecipeError` if there is no such model or recipe.
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
