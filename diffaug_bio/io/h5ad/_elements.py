"""Checks of the elements of an h5ad file before anything is computed from them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from diffaug_bio.matrix.sparse import check_sparse

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

_RESERVED = "_index"  # column that anndata reads, as SeuratDisk writes it, but cannot write
_PARTS = ("X", "obs", "var", "layers", "obsm", "varm", "obsp", "varp", "uns")


def check_elements(elements: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Check the parts of an AnnData, given by name, with :func:`check_element`."""
    return {name: check_element(element, name, path) for name, element in elements.items()}


def parts_of(adata: AnnData) -> dict[str, Any]:
    """List the parts of an AnnData that may hold matrices and tables, by name."""
    parts: dict[str, Any] = {name: getattr(adata, name) for name in _PARTS}
    raw = adata.raw
    return parts if raw is None else {**parts, "raw": {"X": raw.X, "var": raw.var, "varm": raw.varm}}


def check_element(element: Any, place: str, path: Path) -> Any:
    """Check an element: a matrix, a table, or a mapping of such, at `place` inside the file.

    Sparse indices outside the shape raise an `InputError`, those of an unusual type are converted, and
    columns that anndata cannot write again are renamed.
    """
    if sparse.issparse(element):
        check_sparse(element, what=f"{path}: {place}")
        return _with_usual_indices(element)
    if isinstance(element, pd.DataFrame):
        return _without_reserved(element, place, path)
    if isinstance(element, AnnData):  # in `uns`
        check_elements(parts_of(element), path)
        return element
    if isinstance(element, Mapping):
        return {name: check_element(inside, f"{place}/{name}", path) for name, inside in element.items()}
    return element


def _with_usual_indices(matrix: Any) -> Any:
    """Convert indices of a type that scipy has no code for, such as unsigned ones."""
    for name in ("indices", "indptr"):
        indices = getattr(matrix, name)
        if indices.dtype not in (np.int32, np.int64):
            setattr(matrix, name, indices.astype(np.int64))
    return matrix


def _without_reserved(frame: pd.DataFrame, place: str, path: Path) -> pd.DataFrame:
    """Drop the column `_index` if it repeats the index, otherwise rename it."""
    if _RESERVED not in frame:
        return frame
    if np.array_equal(frame[_RESERVED].astype(str), frame.index.astype(str)):
        logger.info("%s: the column %r of %s repeats the names, and is left out.", path, _RESERVED, place)
        return frame.drop(columns=_RESERVED)
    candidates = ("index" if number == 1 else f"index_{number}" for number in count(1))
    free = next(name for name in candidates if name not in frame)
    logger.info("%s: the column %r of %s is now called %r.", path, _RESERVED, place, free)
    return frame.rename(columns={_RESERVED: free})
