"""Annotated matrices in other containers than h5ad: zarr, MuData and loom, checked as h5ad is."""

from __future__ import annotations

from diffaug_bio.io.stores._hdf5 import has_parts, hdf5_format
from diffaug_bio.io.stores._loom import read_loom
from diffaug_bio.io.stores._mudata import read_mudata
from diffaug_bio.io.stores._zarr import is_zarr, read_zarr

__all__ = ["has_parts", "hdf5_format", "is_zarr", "read_loom", "read_mudata", "read_zarr"]
