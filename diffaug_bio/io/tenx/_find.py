"""Finding count matrices in the folders of Cell Ranger, of GEO, and of tools that write alike."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.tenx._hdf5 import is_tenx_hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 6  # folders: sample/outs/per_sample_outs/sample/count/sample_filtered_feature_bc_matrix
_TEXT = re.compile(r"(?P<prefix>.*?)(matrix|counts)?\.mtx(\.gz)?", re.IGNORECASE)
_BARCODES = ("barcodes.tsv", "barcodes.txt")  # each may be gzipped
_FEATURES = ("features.tsv", "genes.tsv", "genes.txt", "peaks.bed")
_HDF5 = (".h5", ".hdf5")
_BY_PROGRAM = re.compile(
    r"(sample_)?(filtered|raw)?_?(feature|gene|peak|tf|probe)_bc_matri(x|ces)(_mex|_h5)?", re.I
)
"""Folders and files as Cell Ranger 2 to 9 name matrices."""
_USUAL = re.compile(
    r"outs|count|multi|per_sample_outs|filtered|raw|solo\.out|cell_feature_matrix|binned_outputs|square_\d+um",
    re.IGNORECASE,
)
"""Folders that say nothing about a sample."""
_RAW = re.compile(r"(.*[_.-])?raw_(feature|gene|peak|probe)_bc_matri.*", re.IGNORECASE)
_MOTIFS = re.compile(r".*tf_bc_matrix.*", re.IGNORECASE)  # counts of peaks once more, summed by motif


@dataclass(frozen=True, slots=True)
class CountMatrix:
    """One matrix of counts on disk, with the names of its rows and columns."""

    sample: str
    """Name of the sample, made of the folders and prefix around the matrix; it may be empty."""
    files: tuple[Path, ...]
    """An HDF5 file; or a matrix in text, its barcodes and its features."""
    is_raw: bool
    """True for all barcodes, most of which belong to empty droplets."""

    @property
    def place(self) -> Path:
        """File to name in messages."""
        return self.files[0]


def has_tenx(folder: Path) -> bool:
    """Return True for a folder that holds, at some depth, a count matrix as Cell Ranger writes it."""
    return next(_candidates(folder), None) is not None


def find_matrices(folder: Path) -> tuple[list[CountMatrix], list[CountMatrix]]:
    """Find the count matrices in a folder, one for each sample, and those that were left out.

    Filtered matrices are preferred to raw ones, and HDF5 to text of the same sample.

    Raises
    ------
    InputError
        If a matrix lacks its names, or a sample has several matrices.
    """
    found = [_with_names(folder, path) for path in _candidates(folder)]
    chosen = [matrix for matrix in found if not matrix.is_raw] or found
    by_sample: dict[str, list[CountMatrix]] = {}
    for matrix in chosen:
        by_sample.setdefault(matrix.sample, []).append(matrix)
    kept = [_only(folder, matrices) for matrices in by_sample.values()]
    if "" in by_sample and len(kept) > 1:
        places = shorten(str(matrix.place.relative_to(folder)) for matrix in kept)
        msg = (
            f"{folder} holds a matrix of its own and others: {places}. If these are samples, put each in a "
            "folder with its name; if not, name the one to read."
        )
        raise InputError(msg)
    return kept, [matrix for matrix in found if matrix not in kept]


def matrix_of_file(path: Path) -> CountMatrix:
    """Return the matrix that a file of text belongs to, with the names beside it."""
    return _with_names(path.parent, path)


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield files of matrices at most some folders deep, by name."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        depth = len(here.relative_to(folder).parts)
        # Zarr stores are many small files, which are read as a whole or not at all; beside `outs` lie
        # thousands of temporary files of Cell Ranger.
        folders[:] = sorted(
            name
            for name in (["outs"] if "outs" in folders else folders)
            if depth < _DEPTH and not name.startswith(".") and ".zarr" not in name
        )
        if _MOTIFS.fullmatch(here.name):
            continue
        for name in sorted(files):
            path, lower = here / name, name.lower()
            if name.startswith(".") or _MOTIFS.fullmatch(name):
                continue
            is_text = _TEXT.fullmatch(name) is not None and bool(_beside(path, _BARCODES + _FEATURES))
            if is_text or (lower.endswith(_HDF5) and is_tenx_hdf5(path)):
                yield path


def _with_names(folder: Path, path: Path) -> CountMatrix:
    """Complete a matrix by the names beside it and the name of its sample."""
    sample = _sample(folder, path)
    around = [*path.relative_to(folder).parts, folder.name]
    # STARsolo has folders `raw` and `filtered`; a folder `raw` alone may hold any files of a project.
    is_of_star = path.parent.name == "raw" and (path.parent.parent / "filtered").is_dir()
    is_raw = is_of_star or any(_RAW.fullmatch(part) for part in around)
    if path.name.lower().endswith(_HDF5):
        return CountMatrix(sample, (path,), is_raw)
    barcodes, features = _beside(path, _BARCODES), _beside(path, _FEATURES)
    if not (barcodes and features):
        prefix = _prefix(path)
        lacking = [
            f"{prefix}{name}.tsv(.gz)"
            for name, here in (("barcodes", barcodes), ("features", features))
            if not here
        ]
        msg = (
            f"{path} is a matrix without names: {' and '.join(lacking)} should lie beside it, as Cell "
            f"Ranger and GEO have them. {path.parent} holds {shorten(_names(path.parent))}."
        )
        raise InputError(msg)
    return CountMatrix(sample, (path, barcodes[0], features[0]), is_raw)


def _beside(path: Path, names: tuple[str, ...]) -> list[Path]:
    """List the files of these names beside a matrix: with its prefix, without one, or the only ones."""
    here = {entry.lower().removesuffix(".gz"): entry for entry in _names(path.parent)}
    prefix = _prefix(path).lower()
    # `cells_x_genes.mtx` of kallisto goes with `cells_x_genes.barcodes.txt`.
    starts = dict.fromkeys((prefix, f"{prefix}.", f"{prefix}_", ""))
    found = [here[start + name] for start in starts for name in names if start + name in here]
    ending = [here[name] for name in here if name.endswith(names)]
    return [path.parent / entry for entry in (found or (ending if len(ending) == 1 else []))]


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))


def _prefix(path: Path) -> str:
    """Return what stands before `matrix.mtx` in the name of a file."""
    found = _TEXT.fullmatch(path.name)
    return "" if found is None else found["prefix"]


def _sample(folder: Path, path: Path) -> str:
    """Name a sample by the folders below `folder`, and the prefix of its file, that tell it from others."""
    *folders, file = path.relative_to(folder).parts
    if folders and len(folders) > 1 and _BY_PROGRAM.fullmatch(folders[-2]):
        folders.pop()  # the genome, in Cell Ranger 2
    own = Path(file).stem if file.lower().endswith(_HDF5) else _prefix(path)
    own = re.sub(rf"(^|[_.-]){_BY_PROGRAM.pattern}$", "", own, flags=re.IGNORECASE).strip("_.-")
    telling = [part for part in folders if not (_BY_PROGRAM.fullmatch(part) or _USUAL.fullmatch(part))]
    is_usual = not own or _USUAL.fullmatch(own)
    return "/".join(dict.fromkeys(telling if is_usual else [*telling, own]))


def _only(folder: Path, matrices: list[CountMatrix]) -> CountMatrix:
    """Choose among matrices of one sample: an HDF5 file, which holds the same as the text beside it."""
    in_hdf5 = [matrix for matrix in matrices if len(matrix.files) == 1]
    if len(matrices) == 1 or len(in_hdf5) == 1:
        return (in_hdf5 or matrices)[0]
    places = shorten(str(matrix.place.relative_to(folder)) for matrix in matrices)
    msg = f"{folder} holds several matrices of the same cells or sample: {places}. Name one of them."
    raise InputError(msg)
