"""The formats of files and folders, and which one is at a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from diffaug_bio._keys import ANNDATA_ENDINGS, HDF5_ENDINGS
from diffaug_bio.errors import InputError
from diffaug_bio.io._elsewhere import how_to_convert
from diffaug_bio.io._files import FASTA_ENDINGS, FASTQ_ENDINGS, bare_name
from diffaug_bio.io.dna import BED_ENDINGS, first_letter
from diffaug_bio.io.frames import FRAME_ENDINGS
from diffaug_bio.io.images import is_image_folder, is_image_name
from diffaug_bio.io.stores import hdf5_format, is_zarr
from diffaug_bio.io.tenx import has_tenx

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio.config.kinds import ReadAs

Store = Literal["h5ad", "10x", "zarr", "h5mu", "loom"]  # a matrix with its annotations
Text = Literal["table", "table or sequences", "sequence table", "sequences", "bed"]
Format = Store | Literal["frame"] | Text | Literal["folder", "image"]  # noqa: PYI030
STORES: frozenset[str] = frozenset(get_args(Store))
IN_HDF5 = frozenset({"h5ad", "10x", "h5mu", "loom"})  # or, of 10x, in text
IN_PARTS = frozenset({"10x", "h5mu"})

_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".gct")


def find_format(path: Path, modality: ReadAs, *, is_stream: bool) -> Format:
    """Find the format by what the user says, the name and the content.

    Raises
    ------
    InputError
        If the format is unknown, or needs another program.
    """
    is_auto = modality == "auto"
    if (is_auto or modality == "h5ad") and (store := _find_store(path, modality)):
        return store
    if path.is_dir():
        if modality in {"h5ad", "table"}:
            msg = f"{path} is a folder. Name a file, or leave `modality` out."
            raise InputError(msg)
        return "image" if modality == "image" or (is_auto and is_image_folder(path)) else "folder"
    if modality == "image" or (is_auto and is_image_name(path)):
        return "image"
    if modality in {"auto", "table"} and path.name.lower().endswith(FRAME_ENDINGS):
        return "frame"
    if modality == "table":
        return "table"
    return _find_text_format(path, is_dna=modality == "dna", is_stream=is_stream)


def _find_store(path: Path, modality: ReadAs) -> Store | None:
    """Find the format of a matrix with its annotations; None of what is something else."""
    if is_zarr(path):
        return "zarr"
    if bare_name(path).endswith(".mtx") or (path.is_dir() and has_tenx(path)):
        return "10x"
    if path.is_file() and (modality == "h5ad" or bare_name(path).endswith(HDF5_ENDINGS)):
        return hdf5_format(path)
    return None


def _find_text_format(path: Path, *, is_dna: bool, is_stream: bool) -> Format:
    """Find the format of a table, of sequences or of intervals."""
    name = bare_name(path)
    if name.endswith(BED_ENDINGS):
        return "bed"
    if name.endswith(_TABLE_ENDINGS):
        if not is_dna:
            return "table or sequences"
        return "sequences" if first_letter(path) in {">", "@", ""} else "sequence table"
    if is_dna or name.endswith(FASTA_ENDINGS + FASTQ_ENDINGS):
        return "sequences"
    if is_stream and not path.suffix:
        return "sequences" if first_letter(path) in {">", "@"} else "table or sequences"
    texts = ", ".join((*_TABLE_ENDINGS, *FASTA_ENDINGS, *FASTQ_ENDINGS, *BED_ENDINGS))
    matrices, tables = ", ".join(ANNDATA_ENDINGS), ", ".join(FRAME_ENDINGS)
    msg = how_to_convert(path) or (
        f"{path} has no ending that tells what it is. Known are {matrices} for annotated matrices, "
        f"{tables} for tables, and as text, also with .gz, {texts}. Images come as .npz, idx "
        "files or folders."
    )
    raise InputError(msg)
