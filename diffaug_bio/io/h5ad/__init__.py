"""h5ad and other HDF5 files: reading what is there, refusing what is damaged, writing whole."""

from __future__ import annotations

from diffaug_bio.io.h5ad._arrays import read_hdf5_arrays
from diffaug_bio.io.h5ad._elements import check_element
from diffaug_bio.io.h5ad._read import open_h5ad, read_h5ad, read_parts
from diffaug_bio.io.h5ad._write import write_h5ad

__all__ = [
    "check_element",
    "open_h5ad",
    "read_h5ad",
    "read_hdf5_arrays",
    "read_parts",
    "write_h5ad",
]
