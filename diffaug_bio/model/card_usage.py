"""What a model card says about using a model: commands, and limits, for each kind of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffaug_bio.config.kinds import KINDS, STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diffaug_bio.model.description import ModelDescription

_READ = (
    ".csv",
    ".tsv",
    ".txt",
    ".tab",
    ".bed",
    ".fastq",
    ".fq",
    ".npz",
)  # as they are; .fa stands for FASTA
_MATCHED = (
    "Features are matched by name and may stand in any order. Missing ones are filled in: below "
    "80 % found is warned of, below 20 % is an error."
)
_ORDERED = "The features of the fit had no names: new data need the same ones in the same order."


def usage(model: ModelDescription, data: Mapping[str, Any]) -> str:
    """Say how to use a model, on the command line and in Python."""
    new = f"new{_ending(model, data)}"
    image_size = f" --image-size {model.image_shape[0]}" if data.get("image_size") else ""
    in_python = f", image_size={model.image_shape[0]}" if image_size else ""
    lines = [f"diffaug-bio embed {new} --model MODEL -o embedded{image_size}"]
    if model.can_generate:
        made = f"more{KINDS[model.kind].made_ending}"
        lines.append(f"diffaug-bio augment {new} --model MODEL -o {made}{image_size}")
    commands = "\n".join(lines)
    python = "\n".join(
        [
            "import diffaug_bio as db",
            "",
            f'adata = db.io.read("{new}"{in_python})',
            'db.tl.project(adata, "MODEL")  # fills adata.obsm["X_diffaug"]',
            'model = db.DiffAug.load("MODEL")  # for plain matrices: model.transform(X)',
        ]
    )
    return (
        "`MODEL` is this folder.\n\n"
        f"```bash\npip install diffaug-bio\n{commands}\n```\n\n```python\n{python}\n```"
    )


def limits(model: ModelDescription) -> str:
    """Say what a model cannot be used for."""
    said = [_of_values(model)]
    if KINDS[model.kind].has_names:
        said.append(_ORDERED if model.feature_names is None else _MATCHED)
    if KINDS[model.kind].has_totals:
        said.append(
            "Batches are corrected only where that is asked for (`diffaug-bio embed --correct mnn`)."
        )
    if not model.can_generate:
        said.append("It cannot generate rows (`diffaug-bio augment`).")
    unlike = "Data unlike those of the fit (another organism, tissue, instrument or protocol) are embedded "
    if model.n_reference:
        said.append(f"{unlike}all the same: look at `novelty.csv`, and whether the result makes sense.")
        said.append(
            f"It holds embeddings of {model.n_reference:,} training rows, without their names or features."
        )
    else:
        said.append(f"{unlike}without complaint: look whether the result makes sense.")
    return "\n".join(f"- {sentence}" for sentence in said)


def _ending(model: ModelDescription, data: Mapping[str, Any]) -> str:
    """Find the ending of files like the one that was fitted."""
    name = str(data.get("data", "")).lower().removesuffix(".gz")
    if name.startswith("recipe:") or name.endswith((".h5ad", ".h5")) or model.source.get("layer"):
        return ".h5ad"
    return next((ending for ending in _READ if name.endswith(ending)), KINDS[model.kind].file_ending)


def _of_values(model: ModelDescription) -> str:
    """Say which values it takes."""
    state = STATES[model.input_state]
    if model.image_shape:
        height, width, channels = model.image_shape
        colors = "grey" if channels == 1 else "in color"
        return f"It reads images of {height} x {width} pixels, {colors}, as bytes."
    if model.source.get("kmers") is not None:
        return "It reads sequences of DNA, of which it counts words as in the fit."
    if not KINDS[model.kind].has_names:
        return (
            f"It reads {state.reads} of up to {model.n_features} letters; what is longer is cut, and "
            "letters other than A, C, G and T count as unknown."
        )
    values = state.reads
    if model.config.features.totals == "kept":
        values = "raw counts, which it logs itself and of which it keeps each row's total"
    return f"It reads {values}; embeddings of other kinds of values mean nothing."
