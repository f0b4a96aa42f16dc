"""Readers of matrices without names of rows or columns, which recipes of data sets name."""

from __future__ import annotations

from diffaug_bio.io.arrays._hdf5 import read_hdf5_arrays
from diffaug_bio.io.arrays._headless import read_headless
from diffaug_bio.io.arrays._numpy import read_arrays

__all__ = ["read_arrays", "read_hdf5_arrays", "read_headless"]
