"""Reading matrices in `.npy` or text files, with labels and names in other files."""

from __future__ import annotations

import tokenize
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import open_text, reading
from diffaug_bio.io._names import number_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

GROUP = "group"
_BROKEN = (
    *(ValueError, TypeError, KeyError, EOFError, OSError, SyntaxError, tokenize.TokenError),
    *(OverflowError, MemoryError, RecursionError),
)  # errors of numpy on damaged files: it reads the header as Python


def read_arrays(
    values: Sequence[Path],
    *,
    labels: Sequence[Path] = (),
    groups: Sequence[Path] = (),
    splits: Sequence[str] = (),
    label_names: Path | None = None,
    feature_names: Path | None = None,
) -> AnnData:
    """Read one or more matrices and stack their rows; a single `.npy` file is memory-mapped.

    Matrices are `.npy`, or text with a row a line and spaces between numbers. For each matrix, `labels` and
    `groups` are files with one value a row (`.npy`, or text with one a line), and `splits` a name. The
    lines of `label_names` hold a label and its name, those of `feature_names` a name.
    """
    parts = [_read_matrix(path) for path in values]
    for path, part in zip(values, parts, strict=True):
        if part.shape[1] != parts[0].shape[1]:
            msg = f"{path} has {part.shape[1]} columns, {values[0]} has {parts[0].shape[1]}."
            raise InputError(msg)
    sizes = [len(part) for part in parts]
    of_rows: list[str | None] = [None] * sum(sizes)
    if splits:
        _check_number(splits, values, "splits")
        of_rows = [split for split, size in zip(splits, sizes, strict=True) for _ in range(size)]
    obs = pd.DataFrame({SPLIT_KEY: pd.Categorical(of_rows)} if splits else {}, index=number_rows(of_rows))
    for name, files in ((LABEL_KEY, labels), (GROUP, groups)):
        if files:
            _check_number(files, values, f"files of {name}s")
            found = [text for path, size in zip(files, sizes, strict=True) for text in _texts(path, size)]
            obs[name] = pd.Categorical(found)
    if label_names is not None and labels:
        obs[LABEL_KEY] = pd.Categorical(_named(obs[LABEL_KEY], label_names))
    matrix = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return anndata.AnnData(X=matrix, obs=obs, var=_features(feature_names, matrix.shape[1]))


def _check_number(files: Sequence[object], values: Sequence[Path], what: str) -> None:
    if len(files) != len(values):
        msg = f"There are {len(values)} matrices and {len(files)} {what}. Give one for each."
        raise InputError(msg)


def _read_matrix(path: Path) -> NDArray[np.generic]:
    if path.suffix == ".npy":
        matrix = _read_npy(path)
    else:
        with reading(path), open_text(path) as stream:
            try:
                matrix = np.loadtxt(stream, dtype=np.float32, ndmin=2)
            except ValueError as error:
                msg = f"{path} is not a matrix of numbers: {str(error).splitlines()[0]}."
                raise InputError(msg) from error
    is_numeric = np.issubdtype(matrix.dtype, np.number) and not np.iscomplexobj(matrix)
    if matrix.ndim != 2 or not is_numeric or 0 in matrix.shape:
        msg = f"{path} holds {matrix.dtype} of shape {matrix.shape}; expected a matrix of numbers."
        raise InputError(msg)
    return matrix


def _read_npy(path: Path) -> NDArray[np.generic]:
    """Map a `.npy` file into memory; changes are not written to it."""
    with reading(path):
        try:
            array: NDArray[np.generic] = np.load(path, mmap_mode="c", allow_pickle=False)
        except _BROKEN as error:
            msg = f"{path} is not a numpy array, is cut off, or holds Python objects, which are not read."
            raise InputError(msg) from error
    return array


def _lines(path: Path) -> list[str]:
    """Read the lines of a text file that are not empty."""
    with reading(path), open_text(path) as stream:
        return [line.strip() for line in stream if line.strip()]


def _texts(path: Path, n_obs: int) -> list[str]:
    """Read a value for each row as text."""
    if path.suffix == ".npy":
        array = _read_npy(path).ravel()
        is_whole = np.issubdtype(array.dtype, np.floating) and (array == np.rint(array)).all()
        texts = [str(value) for value in (array.astype(np.int64) if is_whole else array).tolist()]
    else:
        texts = _lines(path)
    if len(texts) != n_obs:
        msg = f"{path} has {len(texts)} values for {n_obs} rows."
        raise InputError(msg)
    return texts


def _named(column: pd.Series, path: Path) -> list[str]:
    """Replace labels by their names."""
    pairs = [line.split(maxsplit=1) for line in _lines(path)]
    names = {pair[0]: pair[-1] for pair in pairs}
    if unknown := sorted(set(column) - set(names)):
        msg = f"{path} has no name for the label {unknown[0]!r}; it names {shorten(names) or 'none'}."
        raise InputError(msg)
    return [names[label] for label in column]


def _features(path: Path | None, n_vars: int) -> pd.DataFrame:
    """Return a `.var` with names of features from a file, or numbers."""
    names = [str(number) for number in range(n_vars)] if path is None else _lines(path)
    if len(names) != n_vars:
        msg = f"{path} has {len(names)} names for {n_vars} features."
        raise InputError(msg)
    check_unique(names, what="names of features", remedy=f"Give each its own in {path}.")
    return pd.DataFrame(index=names)
