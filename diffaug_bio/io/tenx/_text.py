"""Count matrices in text: `matrix.mtx` with `barcodes.tsv` and `features.tsv`, plain or gzipped.

Scanpy reads two of the layouts, Cell Ranger 2 unpacked and 3 gzipped. GEO gzips those of version 2, and
STARsolo leaves those of version 3 plain, so that the three files are read here, by pandas.
"""

from __future__ import annotations

import logging
import warnings
from typing import IO, TYPE_CHECKING, NoReturn

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from diffaug_bio.errors import InputError
from diffaug_bio.io._files import bare_name, check_unpacked_size, open_text, reading

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

logger = logging.getLogger(__name__)

_MARK = "%%matrixmarket"
_BYTES_OF_VALUE = 16  # row, column and value in memory
_LONGEST_COMMENT = 1000  # lines before the size
_LONGEST_LINE = 2**16


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


def _matrix(path: Path) -> sparse.coo_matrix:
    """Read a matrix in the format of Matrix Market, by pandas.

    Scipy's own reader ends the process on some damaged files, since it trusts what they declare.
    """
    with reading(path), open_text(path) as stream:
        n_rows, n_columns, n_values, is_pattern = _declared(stream, path)
        check_unpacked_size(path, _BYTES_OF_VALUE * n_values + 8 * (n_rows + n_columns))
        types = {"row": np.int64, "column": np.int64, "value": np.float32}
        if is_pattern:
            del types["value"]
        try:
            with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
                body = pd.read_csv(
                    stream,
                    sep=r"\s+",
                    header=None,
                    names=list(types),
                    dtype=types,
                    index_col=False,
                    nrows=n_values + 1,
                )
        except pd.errors.EmptyDataError:
            body = pd.DataFrame({name: np.empty(0, kind) for name, kind in types.items()})
        except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError, OverflowError) as error:
            _refuse(
                path, f"a line does not hold a row, a column and a value ({str(error).rstrip('.')})", error
            )
    if len(body) != n_values:
        more = "more" if len(body) > n_values else f"only {len(body)}"
        _refuse(path, f"it declares {n_values} values and holds {more}")
    for name, size in (("row", n_rows), ("column", n_columns)):
        if n_values and not (body[name].min() >= 1 and body[name].max() <= size):
            _refuse(path, f"a {name} number is outside 1 to {size}")
    values = np.ones(n_values, np.float32) if is_pattern else body["value"].to_numpy()
    if not np.isfinite(values).all():
        _refuse(path, "values are missing or are no numbers")
    places = (body["row"].to_numpy() - 1, body["column"].to_numpy() - 1)
    return sparse.coo_matrix((values, places), shape=(n_rows, n_columns))


def _declared(stream: IO[str], path: Path) -> tuple[int, int, int, bool]:
    """Read rows, columns, number of values, and whether values are left out; the body comes next."""
    first = stream.readline(_LONGEST_LINE).lower().split()
    if not first or first[0] != _MARK:
        msg = f"{path} is no matrix in the format of Matrix Market: it does not start with %%MatrixMarket."
        raise InputError(msg)
    is_known = len(first) == 5 and first[1:3] == ["matrix", "coordinate"] and first[4] == "general"
    if not is_known or first[3] not in {"integer", "real", "double", "pattern"}:
        found = " ".join(first[1:])[:60]
        msg = f"{path} is no sparse matrix of numbers, as counts of cells are, but {found!r}."
        raise InputError(msg)
    lines = (stream.readline(_LONGEST_LINE) for _ in range(_LONGEST_COMMENT))
    size = next((line.split() for line in lines if not line.startswith("%") and line.strip()), [])
    if len(size) != 3 or not all(
        number.isascii() and number.isdigit() and len(number) < 19 for number in size
    ):
        _refuse(path, "it does not say how many rows, columns and values it has")
    n_rows, n_columns, n_values = (int(number) for number in size)
    return n_rows, n_columns, n_values, first[3] == "pattern"


def _refuse(path: Path, reason: str, error: Exception | None = None) -> NoReturn:
    msg = f"{path} is damaged: {reason}. Copy or download it again."
    raise InputError(msg) from error


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
