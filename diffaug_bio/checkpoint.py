"""Model folders: `config.json`, `features.json`, `history.json`, `weights.safetensors`; no pickle."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from diffaug_bio import __version__
from diffaug_bio._files import staged_folder, write_json
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_Row = TypeVar("_Row")

FORMAT_VERSION = 1
MODEL_FILES = frozenset({"config.json", "features.json", "history.json", "weights.safetensors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """Everything that a model folder holds, as plain values and arrays."""

    config: DiffAugConfig
    """The resolved configuration."""
    seed: int
    """Seed of the fit."""
    preprocessing: Mapping[str, Any]
    """Numbers and names of the fitted preprocessing; its arrays are in `arrays`."""
    source: Mapping[str, Any]
    """Which matrix of an AnnData was fitted, and by which split; empty for a plain matrix."""
    feature_names: Sequence[str] | None
    """Names of the training features in order, if they had any."""
    history: Mapping[str, Sequence[object]]
    """Columns of the training history."""
    arrays: Mapping[str, NDArray[np.generic]]
    """Weights and fitted arrays by dotted name."""


def save_model(folder: Path, record: ModelRecord, *, overwrite: bool) -> None:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    folder
        Where to; its parents are made.
    record
        What to write.
    overwrite
        Whether a model that is there may be replaced.

    Raises
    ------
    InputError
        If the folder exists and may not be replaced.
    """
    with staged_folder(folder, overwrite=overwrite, known=MODEL_FILES) as stage:
        write_model(stage, record)


def write_model(folder: Path, record: ModelRecord) -> None:
    """Write a model's files into a folder that the caller stages."""
    from safetensors.numpy import save

    write_json(
        folder / "config.json",
        {
            "format_version": FORMAT_VERSION,
            "diffaug_bio": __version__,
            "seed": record.seed,
            "source": dict(record.source),
            "preprocessing": dict(record.preprocessing),
            "config": record.config.to_dict(),
        },
    )
    names = None if record.feature_names is None else list(record.feature_names)
    write_json(folder / "features.json", {"names": names})
    write_json(folder / "history.json", {key: list(col) for key, col in record.history.items()})
    # Written by Python, so that a full disk is an ordinary OSError.
    (folder / "weights.safetensors").write_bytes(save(dict(record.arrays)))


def load_model(folder: Path) -> ModelRecord:
    """Read a model folder, or a run folder that holds one.

    Parameters
    ----------
    folder
        What :func:`save_model` or `diffaug-bio fit` wrote.

    Raises
    ------
    CheckpointError
        If the folder is missing, incomplete, damaged, or of a newer format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = folder / "model" if (folder / "model" / "config.json").is_file() else folder
    if not folder.is_dir():
        msg = (
            f"{folder} is not a model folder: there is no such folder. Name the one that `diffaug-bio fit` "
            "or `DiffAug.save` wrote."
        )
        raise CheckpointError(msg)
    if missing := sorted(name for name in MODEL_FILES if not (folder / name).is_file()):
        msg = (
            f"{folder} is not a model folder: it lacks {', '.join(missing)}. Name the folder that "
            "`diffaug-bio fit` or `DiffAug.save` wrote."
        )
        raise CheckpointError(msg)
    try:
        description = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        version = description["format_version"]
        if version > FORMAT_VERSION:
            msg = (
                f"{folder} has format {version}, written by diffaug-bio {description['diffaug_bio']}; "
                f"this is {__version__}, which reads up to format {FORMAT_VERSION}. Upgrade it: "
                "pip install -U diffaug-bio."
            )
            raise CheckpointError(msg)
        return ModelRecord(
            config=DiffAugConfig.from_dict(_renamed(description["config"]), source=f"{folder}/config.json"),
            seed=description["seed"],
            source=description["source"],
            preprocessing=description["preprocessing"],
            feature_names=json.loads((folder / "features.json").read_text(encoding="utf-8"))["names"],
            history=json.loads((folder / "history.json").read_text(encoding="utf-8")),
            arrays=load_file(folder / "weights.safetensors"),
        )
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, CheckpointError | InputError):
            raise
        msg = f"{folder} is damaged: {error!r}. Fit the model again, or restore the folder."
        raise CheckpointError(msg) from error


def columns_of(rows: Sequence[Any]) -> dict[str, list[object]]:
    """Turn a list of dataclasses into columns; nan, which JSON does not know, becomes None."""
    table = [asdict(row) for row in rows]
    names = [entry.name for entry in fields(rows[0])] if rows else []
    return {name: [None if row[name] != row[name] else row[name] for row in table] for name in names}


def rows_of(kind: type[_Row], columns: Mapping[str, Sequence[object]]) -> list[_Row]:
    """Turn columns back into a list of dataclasses; None becomes nan.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, unknown, or shorter than another.
    """
    filled = {
        name: [math.nan if value is None else value for value in values] for name, values in columns.items()
    }
    return [kind(**dict(zip(filled, row, strict=True))) for row in zip(*filled.values(), strict=True)]


def _renamed(config: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give settings of earlier versions the names that they have now."""
    sections = {section: dict(values) for section, values in config.items()}
    generator = sections.get("generator", {})
    if "sequence_noising" in generator:
        generator["partial_noising"] = generator.pop("sequence_noising")
    return sections
