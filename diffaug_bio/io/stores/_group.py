"""An AnnData in a group of a larger file or store, part by part, each checked before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
from anndata.io import read_elem

from diffaug_bio.io.h5ad import check_element

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

PARTS = ("X", "obs", "var", "layers", "obsm", "varm", "obsp", "varp", "uns", "raw")
_PARTS_OF_RAW = ("X", "var", "varm")


def read_group(group: Any, path: Path) -> AnnData:
    """Read a group of HDF5 or zarr that holds an AnnData; members that do not belong to it are left out."""
    elements: dict[str, Any] = {}
    for part in (part for part in PARTS if part in group):
        if part == "raw":  # as a dictionary, which AnnData takes
            inside = group["raw"]
            element: Any = {name: read_elem(inside[name]) for name in _PARTS_OF_RAW if name in inside}
        else:
            element = read_elem(group[part])
        elements[part] = check_element(element, part, path)
    return anndata.AnnData(**elements)
