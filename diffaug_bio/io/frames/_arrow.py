"""Parquet and Feather, read by pyarrow after a look at their sizes and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import check_unpacked_size
from diffaug_bio.io.frames._installed import check_installed

if TYPE_CHECKING:
    from pathlib import Path

PARQUET_ENDINGS = (".parquet", ".pq")
FEATHER_ENDINGS = (".feather", ".arrow")
_BYTES_OF_VALUE = 8
_ANY_RATIO = 2**40  # a column of one value takes a few bytes, honestly


def read_arrow(path: Path) -> pd.DataFrame:
    """Read a file, with the row names that pandas put into it."""
    check_installed(path, "pyarrow", "parquet")
    import pyarrow as pa
    from pyarrow import feather, parquet

    is_parquet = path.name.lower().endswith(PARQUET_ENDINGS)
    try:
        if is_parquet:
            about = parquet.read_metadata(path)
            size = _BYTES_OF_VALUE * about.num_rows * about.num_columns
            check_unpacked_size(path, size, most_compressed=_ANY_RATIO)
            table = parquet.read_table(path, use_threads=False)
        else:
            table = feather.read_table(path, use_threads=False)
        table.validate(full=True)  # of damaged texts, pyarrow would read beyond their end
        _refuse_nested(table.schema, path)
        frame = table.to_pandas(date_as_object=False, use_threads=False)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, PermissionError | MemoryError):
            raise
        kind = "Parquet" if is_parquet else "Feather"
        lines = str(error).splitlines() or [type(error).__name__]
        msg = f"{path} is not a complete {kind} file: {lines[0].rstrip('.')}. Copy or download it again."
        raise InputError(msg) from error
    return _plain(frame)


def _refuse_nested(schema: Any, path: Path) -> None:
    """Refuse columns whose values are lists or records."""
    import pyarrow as pa

    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    if nested:
        msg = (
            f"{path} holds lists or records in the columns {shorten(nested)}. Write a column for each of "
            "their values, or leave them out."
        )
        raise InputError(msg)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Write decimals as numbers, and times as text, which is no feature."""
    if isinstance(frame.index, pd.MultiIndex):
        frame = frame.reset_index()
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column) or column.dtype.kind == "m":
            frame[name] = column.astype(str).where(column.notna(), "")
        elif column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "decimal":
            frame[name] = pd.to_numeric(column)
    return frame
