"""Model folders: JSON, `weights.safetensors` and a card for people, `README.md`; no pickle."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from diffaug_bio import __version__
from diffaug_bio._keys import SOURCE_ENTRIES
from diffaug_bio._wording import shorten
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.features.records import CONFIG, WEIGHTS
from diffaug_bio.model.arrays import ITEM_BYTES, check_header
from diffaug_bio.model.card import CARD_FILE, model_card
from diffaug_bio.model.description import describe
from diffaug_bio.model.fields import (
    check_agreement,
    check_description,
    check_history,
    check_names,
    check_version,
)
from diffaug_bio.model.files import (
    DIGEST_ENTRY,
    FEATURES,
    HISTORY,
    damage_told,
    digest_of,
    read_arrays,
    read_header,
    read_table,
)
from diffaug_bio.output.apart import check_apart
from diffaug_bio.output.files import staged_folder, write_json
from diffaug_bio.output.ownership import write_record
from diffaug_bio.output.swap import check_finished

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from diffaug_bio.model.about import Run
    from diffaug_bio.model.description import ModelDescription
    from diffaug_bio.model.files import ArrayHeader

_Row = TypeVar("_Row")

FORMAT_VERSION = 1
NEEDED_FILES = frozenset({CONFIG, FEATURES, HISTORY, WEIGHTS})
"""Files that are read; beside them lie the card for people, and the record `files.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """Content of a model folder, as plain values and arrays."""

    config: DiffAugConfig
    seed: int
    preprocessing: Mapping[str, Any]
    """Numbers and names of the fitted preprocessing; its arrays are in `arrays`."""
    source: Mapping[str, Any]
    """Matrix of an AnnData that was fitted, and its split; empty for a plain matrix."""
    n_vars: int
    """Number of columns of the training matrix."""
    feature_names: Sequence[str] | None
    history: Mapping[str, Sequence[object]]
    """Columns of the training history."""
    arrays: Mapping[str, NDArray[np.generic]]
    """Weights and fitted arrays by dotted name."""


def save_model(folder: Path, record: ModelRecord, *, overwrite: bool, model_license: str | None) -> None:
    """Write a model folder, whole or not at all; an `InputError` if it is there and not to be replaced."""
    check_apart(folder, {})
    with staged_folder(folder, overwrite=overwrite) as stage:
        write_model(stage, record, model_license=model_license)


def write_model(
    folder: Path, record: ModelRecord, *, model_license: str | None = None, run: Run | None = None
) -> ModelDescription:
    """Write a model's files into a folder that the caller stages, and describe it."""
    from safetensors.numpy import save

    description: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "diffaug_bio": __version__,
        "seed": record.seed,
        "source": dict(record.source),
        "preprocessing": dict(record.preprocessing),
        "config": record.config.to_dict(),
    }
    names = None if record.feature_names is None else list(record.feature_names)
    write_json(folder / CONFIG, {**description, DIGEST_ENTRY: digest_of(description, names)})
    write_json(folder / FEATURES, {"names": names})
    write_json(folder / HISTORY, {key: list(col) for key, col in record.history.items()})
    # Written by Python, so that a full disk is an ordinary OSError.
    (folder / WEIGHTS).write_bytes(save(dict(record.arrays)))
    described = describe(
        description,
        record.config,
        n_vars=record.n_vars,
        names=names,
        phases=cast("Sequence[str]", record.history["phase"]),
        sizes={name: (array.size, array.nbytes) for name, array in record.arrays.items()},
    )
    card = model_card(described, model_license=model_license, run=run)
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
    write_record(folder)  # its own, also within a run folder: people copy models out of there
    return described


def load_model(folder: Path) -> ModelRecord:
    """Read a model folder, or a run folder that holds one; a `CheckpointError` if it cannot be used."""
    folder = find_model(folder)
    with damage_told(folder):
        parts = _read_parts(folder)
        arrays = read_arrays(folder)
        return ModelRecord(
            config=parts.config,
            seed=parts.description["seed"],
            source=parts.description["source"],
            preprocessing=parts.description["preprocessing"],
            n_vars=parts.n_vars,
            feature_names=parts.names,
            history=parts.history,
            arrays=arrays,
        )


def describe_model(folder: Path) -> ModelDescription:
    """Describe a model folder, or a run folder that holds one, without reading the weights."""
    folder = find_model(folder)
    with damage_told(folder):
        parts = _read_parts(folder)
        return describe(
            parts.description,
            parts.config,
            n_vars=parts.n_vars,
            names=parts.names,
            phases=parts.history["phase"],
            sizes={name: _size(array) for name, array in parts.header.items()},
        )


def find_model(folder: Path) -> Path:
    """Find the model folder that is named, or that of a run; a `CheckpointError` if there is none."""
    for place in (folder, folder.parent):
        check_finished(place)
    folder = folder / "model" if (folder / "model" / "config.json").is_file() else folder
    if not folder.is_dir():
        msg = (
            f"{folder} is not a model folder: there is no such folder. Name the one that `diffaug-bio fit` "
            "or `DiffAug.save` wrote."
        )
        raise CheckpointError(msg)
    if missing := sorted(name for name in NEEDED_FILES if not (folder / name).is_file()):
        msg = (
            f"{folder} is not a model folder: it lacks {', '.join(missing)}. Name the folder that "
            "`diffaug-bio fit` or `DiffAug.save` wrote."
        )
        raise CheckpointError(msg)
    return folder


def columns_of(rows: Sequence[Any]) -> dict[str, list[object]]:
    """Turn a list of dataclasses into columns; nan, which JSON does not know, becomes None."""
    table = [asdict(row) for row in rows]
    names = [entry.name for entry in fields(rows[0])] if rows else []
    return {name: [None if row[name] != row[name] else row[name] for row in table] for name in names}


def rows_of(kind: type[_Row], columns: Mapping[str, Sequence[object]]) -> list[_Row]:
    """Turn columns back into a list of dataclasses; None becomes nan."""
    filled = {
        name: [math.nan if value is None else value for value in values] for name, values in columns.items()
    }
    return [kind(**dict(zip(filled, row, strict=True))) for row in zip(*filled.values(), strict=True)]


class _Parts(NamedTuple):
    """Checked content of a model folder but the values of its arrays."""

    description: Mapping[str, Any]
    config: DiffAugConfig
    n_vars: int
    names: list[str] | None
    history: Mapping[str, Sequence[Any]]
    header: Mapping[str, ArrayHeader]


def _read_parts(folder: Path) -> _Parts:
    """Read and check what a model is."""
    description = _read_description(folder)
    config = _config_of(description, folder)
    names = check_names(read_table(folder, FEATURES))
    n_vars = check_agreement(description, config, names)
    history = read_table(folder, HISTORY)
    check_history(history)
    header = read_header(folder)
    check_header(header)
    return _Parts(description, config, n_vars, names, history, header)


def _read_description(folder: Path) -> Mapping[str, Any]:
    """Read `config.json`, and refuse a format that this version does not know."""
    description = read_table(folder, CONFIG)
    check_version(description)
    version = description["format_version"]
    if version > FORMAT_VERSION:
        msg = (
            f"{folder} has format {version}, written by diffaug-bio {description['diffaug_bio']}; "
            f"this is {__version__}, which reads up to format {FORMAT_VERSION}. Upgrade it: "
            "pip install -U diffaug-bio."
        )
        raise CheckpointError(msg)
    source = description.get("source")
    if isinstance(source, dict) and (unknown := sorted(set(source) - SOURCE_ENTRIES)):
        msg = (
            f"{folder}/config.json says {shorten(unknown)} of the matrix that was fitted, which is not "
            f"known here. {_other_version(description)}"
        )
        raise CheckpointError(msg)
    check_description(description)
    return description


def _config_of(description: Mapping[str, Any], folder: Path) -> DiffAugConfig:
    """Read the configuration; one that another version wrote may hold what this one does not know."""
    try:
        return DiffAugConfig.from_dict(description["config"], source=f"{folder}/{CONFIG}")
    except InputError as error:
        is_ours = description["diffaug_bio"] == __version__
        remedy = "Fit the model again, or restore the folder." if is_ours else _other_version(description)
        msg = f"{error} {remedy}"
        raise CheckpointError(msg) from error


def _other_version(description: Mapping[str, Any]) -> str:
    """Name the version that wrote a model and this one, and say which to take."""
    return (
        f"It was written by diffaug-bio {description['diffaug_bio']}; this is {__version__}. Take that "
        "version, or upgrade: pip install -U diffaug-bio."
    )


def _size(array: ArrayHeader) -> tuple[int, int]:
    """Numbers and bytes of an array."""
    n_values = math.prod(array.shape)
    return n_values, n_values * ITEM_BYTES[array.dtype]
