"""Count matrices in text: `matrix.mtx` with `barcodes.tsv` and `features.tsv`, plain or gzipped.

Scanpy reads two of the layouts, Cell Ranger 2 unpacked and 3 gzipped. GEO gzips those of version 2, and
STARsolo leaves those of version 3 plain, so that the three files are read here, by scipy and pandas.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd

from diffaug_bio.errors import InputError
from diffaug_bio.io._files import bare_name, check_unpacked_size, open_bytes, open_text, reading
from diffaug_bio.matrix.sparse import check_sparse

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_MARK = "%%MatrixMarket"
_BYTES_OF_VALUE = 16  # row, column and value in memory
_LONGEST_COMMENT = 1000  # lines before the size


def read_tenx_text(files: tuple[Path, ...]) -> AnnData:
    """Read all features of a matrix, its barcodes and its features."""
    place, barcodes, features = files
    cells = _table(barcodes)[0]
    names = _features(features)
    matrix = _matrix(place)
    if matrix.shape == (len(names), len(cells)):
        matrix = matrix.T
    elif matrix.shape == (len(cells), len(names)):
        logger.info("%s has cells in rows, where Cell Ranger has features.", place)
    else:
        msg = (
            f"{place} has {matrix.shape[0]} rows and {matrix.shape[1]} columns, {features.name} names "
            f"{len(names)} features and {barcodes.name} {len(cells)} cells. Do the three files belong "
            "together, and do the names start without a header line?"
        )
        raise InputError(msg)
    return anndata.AnnData(matrix.tocsr(), obs=pd.DataFrame(index=cells.to_list()), var=names)


def _matrix(path: Path) -> Any:
    """Read a matrix in the format of Matrix Market."""
    from scipy.io import mmread

    _check_size(path)
    try:
        with reading(path), open_bytes(path) as stream:
            matrix = mmread(stream)
    except InputError:
        raise
    except (ValueError, OverflowError, TypeError) as error:
        msg = f"{path} is damaged: {str(error).rstrip('.')}. Copy or download it again."
        raise InputError(msg) from error
    if isinstance(matrix, np.ndarray) or np.iscomplexobj(matrix.data):
        msg = f"{path} holds no sparse matrix of numbers, as counts of cells are."
        raise InputError(msg)
    check_sparse(matrix, what=str(path))
    return matrix.astype(np.float32)


def _check_size(path: Path) -> None:
    """Refuse a file that is no sparse matrix, or declares more values than it or the memory can hold."""
    with reading(path), open_text(path) as stream:
        first = stream.readline()
        if not first.startswith(_MARK):
            msg = f"{path} is no matrix in the format of Matrix Market: it does not start with {_MARK!r}."
            raise InputError(msg)
        lines = (stream.readline() for _ in range(_LONGEST_COMMENT))
        size = next((line.split() for line in lines if not line.startswith("%") and line.strip()), [])
    if len(size) != 3 or not all(number.isdecimal() for number in size):
        msg = f"{path} does not say how many rows, columns and values it has, as a sparse matrix does."
        raise InputError(msg)
    n_rows, n_columns, n_values = (int(number) for number in size)
    check_unpacked_size(path, _BYTES_OF_VALUE * n_values + 8 * (n_rows + n_columns))


def _features(path: Path) -> pd.DataFrame:
    """Read the names of features: id, name and type; only an id; or the intervals of peaks."""
    table = _table(path)
    if bare_name(path).endswith(".bed"):
        names = table[0] + ":" + table[1] + "-" + table[2]
        return pd.DataFrame(index=names.to_list())
    ids = table[0]
    names = table[1].where(table[1] != "", ids) if table.shape[1] > 1 else ids
    columns = {"gene_ids": ids.to_numpy()}
    if table.shape[1] > 2:
        columns["feature_types"] = table[2].to_numpy()
    return pd.DataFrame(columns, index=names.to_list())


def _table(path: Path) -> pd.DataFrame:
    """Read lines of text as written, without a header."""
    is_bed = bare_name(path).endswith(".bed")
    comment = "#" if is_bed else None
    try:
        with reading(path), open_text(path) as stream:
            table = pd.read_csv(
                stream, sep="\t", header=None, dtype=str, keep_default_na=False, comment=comment
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        msg = f"{path} is no table of names: {str(error).strip().rstrip('.')}."
        raise InputError(msg) from error
    if is_bed and table.shape[1] < 3:
        msg = f"{path} has {table.shape[1]} columns; expected chromosome, start and end."
        raise InputError(msg)
    return table
