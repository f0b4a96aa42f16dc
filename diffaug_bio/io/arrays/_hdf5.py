"""Reading HDF5 files that hold a matrix and its names as separate arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import h5py
import numpy as np
import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import LABEL_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.h5ad import check_heaps, check_structure
from diffaug_bio.matrix.summary import as_float32

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray


def read_hdf5_arrays(
    path: Path,
    *,
    values: str,
    obs_names: str | None = None,
    var_names: str | None = None,
    labels: str | None = None,
    kept_vars: str | None = None,
    transpose: bool = False,
    first_name_before: str | None = None,
) -> AnnData:
    """Read a float32 matrix from an HDF5 file; names and labels are arrays of their own, given by path.

    Only features named in `kept_vars` are kept (unknown names are ignored); with `transpose` they are in
    rows. A feature of several names keeps the one before `first_name_before`. Labels become
    `.obs["label"]`. Damaged or missing arrays, and lengths that do not match, raise an `InputError`.
    """
    try:
        check_heaps(path)
        with h5py.File(path, "r") as file:
            named = [name for name in (values, obs_names, var_names, labels, kept_vars) if name]
            check_structure(file, path, {name.strip("/").split("/")[0] for name in named})
            stored = _array(file, path, values)
            rows, features, classes, kept = (
                None if name is None else _texts(_array(file, path, name))
                for name in (obs_names, var_names, labels, kept_vars)
            )
    except InputError:
        raise
    except Exception as error:  # on damaged files, the libraries raise nearly anything
        msg = f"{path} is not a complete HDF5 file. Copy or download it again."
        raise InputError(msg) from error
    is_numeric = np.issubdtype(stored.dtype, np.number) and not np.iscomplexobj(stored)
    if stored.ndim != 2 or not is_numeric:
        msg = f"{path} holds {stored.dtype} of shape {stored.shape} as {values!r}; expected a matrix."
        raise InputError(msg)
    matrix = stored.T if transpose else stored
    for name, found, expected in (
        *((obs_names, rows, matrix.shape[0]), (labels, classes, matrix.shape[0])),
        (var_names, features, matrix.shape[1]),
    ):
        if found is not None and len(found) != expected:
            msg = (
                f"{path} holds {len(found)} values as {name!r} for a matrix of {matrix.shape[0]} rows and "
                f"{matrix.shape[1]} features. Are features in rows (`transpose`)?"
            )
            raise InputError(msg)
    features = features or [str(number) for number in range(matrix.shape[1])]
    if first_name_before:
        features = [name.split(first_name_before)[0] for name in features]
    wanted = set(features if kept is None else kept)
    columns = [place for place, name in enumerate(features) if name in wanted]
    chosen = [features[place] for place in columns]
    check_unique(chosen, what="names of features", remedy=f"They have to differ in {path}.")
    obs = pd.DataFrame(index=rows or [str(number) for number in range(matrix.shape[0])])
    check_unique(obs.index, what="names of rows", remedy=f"They have to differ in {path}.")
    if classes is not None:
        obs[LABEL_KEY] = pd.Categorical(classes)
    return anndata.AnnData(
        X=as_float32(matrix[:, columns], chosen), obs=obs, var=pd.DataFrame(index=chosen)
    )


def _array(file: h5py.File, path: Path, name: str) -> NDArray[np.generic]:
    if name not in file or not isinstance(file[name], h5py.Dataset):
        msg = f"{path} has no array {name!r}; it holds {shorten(file) or 'nothing'}."
        raise InputError(msg)
    array: NDArray[np.generic] = file[name][()]
    return array


def _texts(array: NDArray[np.generic]) -> list[str]:
    """Convert values to text: bytes are decoded, and whole numbers have no decimal point."""
    texts = []
    for value in array.ravel().tolist():
        if isinstance(value, bytes):
            texts.append(value.decode("utf-8", "replace"))
        elif isinstance(value, float) and value.is_integer():
            texts.append(str(int(value)))
        else:
            texts.append(str(value))
    return texts
