"""Reading folders of sequences: finding the layout, or saying what a folder without one holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import is_sequence_file, visible_entries
from diffaug_bio.io.dna import SPLITS, has_splits, read_class_files, read_splits, refuse_reference
from diffaug_bio.io.images import IMAGE_LAYOUTS, is_image_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.pp import KmerEncoding


def read_folder(
    folder: Path, *, reference: Path | None, obs_columns: Sequence[str], kmers: KmerEncoding | None
) -> AnnData:
    """Read a folder of sequences; see :func:`diffaug_bio.io.read`."""
    if has_splits(folder):
        return read_splits(folder, reference=reference, obs_columns=obs_columns, kmers=kmers)
    files = [path for path in visible_entries(folder) if is_sequence_file(path)]
    if len(files) < 2:
        raise InputError(_why_not(folder, files))
    refuse_reference(folder, reference)
    return read_class_files(folder, files, obs_columns=obs_columns, kmers=kmers)


def _why_not(folder: Path, files: Sequence[Path]) -> str:
    """Word the error for a folder in no known layout: what it holds, and what to do."""
    start = (
        f"{folder} is a folder. Name a file: .h5ad, .csv, .tsv, .fa; or a folder with a file .fa or .fastq "
        f"for each class, or with folders {' and '.join(SPLITS)}; or a folder of images ({IMAGE_LAYOUTS})."
    )
    entries = visible_entries(folder)
    if files:
        return f"{start} This one holds a single file of sequences: read {files[0]}."
    for entry in (entry for entry in entries if entry.is_dir()):
        if has_splits(entry) or any(map(is_sequence_file, visible_entries(entry))):
            return f"{start} The sequences are in folders of this one: name {entry}, for example."
        if is_image_folder(entry):
            return f"{start} The images are in folders of this one: name {entry}."
    names = shorten(entry.name for entry in entries)
    return f"{start} This one {f'holds {names}' if entries else 'is empty'}."
