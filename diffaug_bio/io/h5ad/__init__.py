"""h5ad files: reading after a check of the structure, and writing that survives a full disk."""

from __future__ import annotations

from diffaug_bio.io.h5ad._elements import check_element
from diffaug_bio.io.h5ad._heaps import check_heaps
from diffaug_bio.io.h5ad._read import open_h5ad, read_h5ad, read_parts
from diffaug_bio.io.h5ad._structure import check_structure
from diffaug_bio.io.h5ad._write import add_to_h5ad, write_h5ad

__all__ = [
    "add_to_h5ad",
    "check_element",
    "check_heaps",
    "check_structure",
    "open_h5ad",
    "read_h5ad",
    "read_parts",
    "write_h5ad",
]
