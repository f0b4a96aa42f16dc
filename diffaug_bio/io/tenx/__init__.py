"""Counts as Cell Ranger of 10x Genomics writes them: HDF5 files, and folders of a matrix with names."""

from __future__ import annotations

from diffaug_bio.io.tenx._find import find_matrices, has_tenx, matrix_of_file
from diffaug_bio.io.tenx._hdf5 import is_tenx_hdf5
from diffaug_bio.io.tenx._read import files_read, read_tenx

__all__ = ["files_read", "find_matrices", "has_tenx", "is_tenx_hdf5", "matrix_of_file", "read_tenx"]
