"""Count matrices in the HDF5 files of Cell Ranger, read by scanpy after a check of the structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import open_h5ad

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

_MATRIX = "matrix"  # group of Cell Ranger 3 and later
_VALUES = {"barcodes", "data", "indices", "indptr", "shape"}
_NAMES = {"genes", "gene_names"}  # of Cell Ranger 2, which has a group for each genome


def is_tenx_hdf5(path: Path) -> bool:
    """Return True for an HDF5 file with groups of counts as Cell Ranger writes them."""
    try:
        with h5py.File(path, "r") as file:
            return bool(_groups(file))
    except (OSError, RuntimeError, ValueError, KeyError):  # damaged, or no HDF5 at all
        return False


def read_tenx_hdf5(path: Path, genome: str | None, *, external_links: bool) -> AnnData:
    """Read all features of an HDF5 file; of one of Cell Ranger 2, those of a genome."""
    import scanpy

    with h5py.File(path, "r") as file:
        groups = _groups(file)
    is_old = groups != [_MATRIX]
    if is_old and genome is None and len(groups) > 1:
        msg = (
            f"{path} holds counts for {len(groups)} genomes: {shorten(groups)}. Name one of them "
            "(`modality_key`, `--modality-key`)."
        )
        raise InputError(msg)
    if is_old and genome is not None and genome not in groups:
        msg = f"{path} has no genome {genome!r}; it holds {shorten(groups)}."
        raise InputError(msg)
    with open_h5ad(path, groups, external_links=external_links):
        adata: AnnData = scanpy.read_10x_h5(path, genome=genome if is_old else None, gex_only=False)
    return adata


def _groups(file: h5py.File) -> list[str]:
    """List the groups of counts: `matrix`, or those of genomes."""
    if _is_group(file, _MATRIX, _VALUES | {"features"}):
        return [_MATRIX]
    return [name for name in file if _is_group(file, name, _VALUES | _NAMES)]


def _is_group(file: h5py.File, name: str, expected: set[str]) -> bool:
    # A link may lead nowhere, or out of the file, which the check of the structure words.
    if file.get(name, getclass=True, getlink=True) is not h5py.HardLink:
        return False
    found = file[name]
    return isinstance(found, h5py.Group) and expected <= set(found)
