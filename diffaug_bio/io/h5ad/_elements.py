"""Checks of the elements of an h5ad file before anything is computed from them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.io import write_elem
from anndata.utils import make_index_unique
from pandas.api.types import infer_dtype
from scipy import sparse

from diffaug_bio._wording import shorten
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

    Sparse indices outside the shape raise an `InputError`, those of an unusual type are converted. What
    anndata reads but cannot write again is brought to a form that it can: columns are renamed, text with
    pandas' own missing values becomes plain, and the rest is left out, with a word in the log.
    """
    if sparse.issparse(element):
        check_sparse(element, what=f"{path}: {place}")
        return _with_usual_indices(element)
    if isinstance(element, pd.DataFrame):
        return _writable_frame(_without_reserved(element, place, path), place, path)
    if isinstance(element, AnnData):  # in `uns`
        check_elements(parts_of(element), path)
        return element
    if isinstance(element, Mapping):
        checked = {name: check_element(inside, f"{place}/{name}", path) for name, inside in element.items()}
        return _without_unwritable(checked, place, path) if place.partition("/")[0] == "uns" else checked
    return element


def _with_usual_indices(matrix: Any) -> Any:
    """Convert indices of a type that scipy has no code for, such as unsigned ones."""
    for name in ("indices", "indptr"):
        indices = getattr(matrix, name)
        if indices.dtype not in (np.int32, np.int64):
            setattr(matrix, name, indices.astype(np.int64))
    return matrix


def _writable_frame(frame: pd.DataFrame, place: str, path: Path) -> pd.DataFrame:
    """Bring names and columns to what can be written again; others are left out."""
    if isinstance(frame.index.dtype, pd.StringDtype):
        frame = frame.set_axis(frame.index.astype(object))
    if not frame.columns.is_unique:
        names = make_index_unique(frame.columns.astype(object))
        logger.info("%s: columns of %s that have one name are numbered: %s.", path, place, shorten(names))
        frame = frame.set_axis(names, axis=1)
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.StringDtype):
            frame = frame.assign(**{name: column.astype(object).where(column.notna(), np.nan)})
        elif column.dtype == object and infer_dtype(column, skipna=True) != "string":
            held = _without_unwritable({name: column.to_numpy()}, place, path)
            frame = frame if held else frame.drop(columns=name)
    return frame


def _without_unwritable(elements: Mapping[str, Any], place: str, path: Path) -> dict[str, Any]:
    """Leave out elements that h5ad cannot hold again, such as references within the file, with a word."""
    kept: dict[str, Any] = {}
    for name, element in elements.items():
        plain = element.to_numpy(dtype=object) if isinstance(element, pd.arrays.StringArray) else element
        if _is_writable(plain):
            kept[name] = plain
        else:
            logger.info("%s: %s/%s cannot be written to h5ad again, and is left out.", path, place, name)
    return kept


def _is_writable(element: Any) -> bool:
    """Tell whether h5ad holds an element, by writing it to memory where its type does not say so."""
    if isinstance(element, Mapping | str | bool | int | float | np.number | pd.DataFrame | AnnData):
        return True
    if sparse.issparse(element) or (isinstance(element, np.ndarray) and element.dtype.kind in "biuf"):
        return True
    with h5py.File("trial", "w", driver="core", backing_store=False) as file:
        try:
            write_elem(file, "element", element)
        except Exception:  # noqa: BLE001 - the libraries raise nearly anything
            return False
    return True


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
