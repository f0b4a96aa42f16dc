"""Loom files: HDF5 with a matrix of genes x cells, its layers, and attributes of rows and columns.

Anndata reads them only through loompy, which has no wheels and stands still; the format is four groups.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
from anndata.utils import make_index_unique
from scipy import sparse

from diffaug_bio._checks import check_unique
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import check_element, check_structure, open_h5ad

if TYPE_CHECKING:
    from pathlib import Path

    import h5py
    from anndata import AnnData

logger = logging.getLogger(__name__)

# As loompy, scanpy, loomR, SCENIC and velocyto name them.
_CELLS = ("CellID", "cell_names", "obs_names", "cell_id", "barcode", "barcodes", "cell", "cells", "Cell")
_GENES = (
    "Gene",
    "gene_names",
    "var_names",
    "gene_name",
    "gene",
    "genes",
    "Symbol",
    "Accession",
    "gene_ids",
)
_BLOCK = 2**25  # values of a dense block of genes


def read_loom(path: Path, *, external_links: bool = False) -> AnnData:
    """Read a loom file: cells in rows, the main matrix as `.X`, all layers, and attributes."""
    parts = ["matrix", "row_attrs", "col_attrs"]
    with open_h5ad(path, parts, external_links=external_links) as file:
        n_genes, n_cells = _shape(file["matrix"], path)
        obs, obsm = _attributes(file["col_attrs"], n_cells, path)
        var, varm = _attributes(file["row_attrs"], n_genes, path)
        matrix = _sparse_rows(file["matrix"])
        layers = {}
        for name in file.get("layers", ()):
            # Each on its own: layers are dense on disk, and sparse when read.
            check_structure(file, path, [f"layers/{name}"], external_links=external_links)
            if _shape(file["layers"][name], path) != (n_genes, n_cells):
                msg = f"{path} is damaged: the layer {name!r} has another shape than the matrix."
                raise InputError(msg)
            layers[name] = _sparse_rows(file["layers"][name])
    obs, var = _named(obs, _CELLS, "cell", path), _named(var, _GENES, "gene", path)
    check_unique(obs.index, what="names of cells", remedy=f"They have to differ in {path}.")
    if layers:
        logger.info("%s: the main matrix is read, and the layers %s (--layer).", path, shorten(layers))
    adata = anndata.AnnData(matrix, obs=obs, var=var, layers=layers, obsm=obsm, varm=varm)
    adata.obs = check_element(adata.obs, "obs", path)
    adata.var = check_element(adata.var, "var", path)
    return adata


def _shape(values: h5py.Dataset, path: Path) -> tuple[int, int]:
    """Return the shape of a matrix of numbers."""
    is_numeric = hasattr(values, "dtype") and np.issubdtype(values.dtype, np.number)
    if not is_numeric or values.ndim != 2:
        msg = f"{path} is damaged: {values.name} is no matrix of numbers."
        raise InputError(msg)
    return values.shape[0], values.shape[1]


def _sparse_rows(values: h5py.Dataset) -> sparse.csr_matrix:
    """Read genes x cells in blocks, and return cells x genes without the zeros."""
    n_genes, n_cells = values.shape
    step = max(1, _BLOCK // max(1, n_cells))
    blocks = [
        sparse.csc_matrix(values[start : start + step].T.astype(np.float32))
        for start in range(0, n_genes, step)
    ]
    return (
        sparse.hstack(blocks, format="csr") if blocks else sparse.csr_matrix((n_cells, 0), dtype=np.float32)
    )


def _attributes(group: h5py.Group, n: int, path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read attributes: vectors are columns, matrices stand on their own."""
    columns: dict[str, Any] = {}
    matrices: dict[str, Any] = {}
    for name, found in group.items():
        values = found[()] if hasattr(found, "shape") else np.empty(0)
        if np.ndim(values) == 0 or len(values) != n:
            msg = f"{path} is damaged: {group.name}/{name} does not hold {n} values."
            raise InputError(msg)
        if np.ndim(values) == 1 and values.dtype.names is None:
            columns[name] = values if values.dtype.kind in "biuf" else _texts(values)
        elif np.ndim(values) == 2 and values.dtype.kind in "biuf":
            matrices[name] = values
        else:
            logger.info("%s: %s/%s is no column, and is left out.", path, group.name, name)
    return pd.DataFrame(columns, index=[str(number) for number in range(n)]), matrices


def _texts(values: Any) -> list[str]:
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values]


def _named(frame: pd.DataFrame, names: tuple[str, ...], what: str, path: Path) -> pd.DataFrame:
    """Name rows by the attribute that usually names them, or by their numbers."""
    name = next((name for name in names if name in frame), None)
    if name is None:
        logger.warning(
            "%s has no attribute that names each %s (%s): they are numbered. It has %s.",
            path,
            what,
            ", ".join(names[:3]),
            shorten(frame) or "none",
        )
        return frame
    found = pd.Index(frame[name].astype(str)).rename(None)
    if what == "gene" and not found.is_unique:
        logger.info("%s: symbols of several genes are numbered.", path)
        found = make_index_unique(found)
    return frame.drop(columns=name).set_axis(found, axis=0)
