"""Parquet and Feather, read by pyarrow after a look at their sizes and types."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import MOST_DEFLATED, check_unpacked_size
from diffaug_bio.io._installed import check_installed
from diffaug_bio.io.frames._arrow_sizes import unpacked_feather_size

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

PARQUET_ENDINGS = (".parquet", ".pq")
FEATHER_ENDINGS = (".feather", ".arrow")
_BYTES_OF_VALUE = 8
_ANY_RATIO = 2**40  # a column of one value takes a few bytes, honestly


def read_arrow(path: Path) -> pd.DataFrame:
    """Read a file, with the row names that pandas put into it."""
    check_installed(path, "pyarrow", "parquet")
    import pyarrow as pa

    is_parquet = path.name.lower().endswith(PARQUET_ENDINGS)
    try:
        table = _parquet(path) if is_parquet else _feather(path)
        frame = _bytes_as_text(table, path).to_pandas(date_as_object=False, use_threads=False)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, PermissionError | MemoryError):
            raise
        kind = "Parquet" if is_parquet else "Feather"
        lines = str(error).splitlines() or [type(error).__name__]
        msg = f"{path} is not a complete {kind} file: {lines[0].rstrip('.')}. Copy or download it again."
        raise InputError(msg) from error
    return _plain(frame, path)


def _feather(path: Path) -> Any:
    """Read a Feather file whose buffers fit into memory."""
    from pyarrow import feather, ipc

    with path.open("rb") as stream:
        is_packed = stream.read(6) == b"ARROW1"
    if is_packed:
        with ipc.open_file(str(path)) as file:
            schema = file.schema
        _check_columns(schema, path)
        size = unpacked_feather_size(path, len(schema))
        check_unpacked_size(path, size, most_compressed=MOST_DEFLATED)
    table = feather.read_table(path, use_threads=False)
    table.validate(full=True)  # of damaged texts, pyarrow would read beyond their end
    _check_columns(table.schema, path)
    return table


def _parquet(path: Path) -> Any:
    """Read a Parquet file; texts, which it may hold once for all rows, are unpacked if they fit memory."""
    import pyarrow as pa
    from pyarrow import parquet

    about = parquet.read_metadata(path)
    size = _BYTES_OF_VALUE * about.num_rows * about.num_columns
    check_unpacked_size(path, size, most_compressed=_ANY_RATIO)
    packed = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
    check_unpacked_size(path, packed, most_compressed=MOST_DEFLATED)
    schema = parquet.read_schema(path)
    _check_columns(schema, path)
    texts = {field.name: field.type for field in schema if _is_text(field.type)}
    table = parquet.read_table(path, use_threads=False, read_dictionary=list(texts))
    table.validate(full=True)  # of damaged texts, pyarrow would read beyond their end
    coded = {
        place: field.name
        for place, field in enumerate(table.schema)
        if field.name in texts and pa.types.is_dictionary(field.type)
    }
    size = sum(_text_size(table.column(place)) for place in coded)
    check_unpacked_size(path, size, most_compressed=MOST_DEFLATED)
    for place, name in coded.items():
        is_bytes = pa.types.is_binary(texts[name]) or pa.types.is_large_binary(texts[name])
        kind = pa.large_binary() if is_bytes else pa.large_string()
        table = table.set_column(place, name, table.column(place).cast(kind))
    return table


def _is_text(kind: Any) -> bool:
    """Return True for a type of texts or bytes."""
    import pyarrow as pa

    types = pa.types
    tests = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(test(kind) for test in tests)


def _text_size(column: Any) -> int:
    """Count the bytes of texts that are written once, and repeated by their number."""
    from pyarrow import compute

    sizes = (compute.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
    return sum(compute.sum(size).as_py() or 0 for size in sizes)


def _bytes_as_text(table: Any, path: Path) -> Any:
    """Take bytes for text (UTF-8), as programs write it that do not mark it so, such as Spark."""
    import pyarrow as pa

    types = pa.types
    tests = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    taken = []
    for place, field in enumerate(table.schema):
        column, is_coded = table.column(place), types.is_dictionary(field.type)
        if not any(test(field.type.value_type if is_coded else field.type) for test in tests):
            continue
        try:
            if is_coded:
                texts = [
                    pa.DictionaryArray.from_arrays(chunk.indices, _decoded(chunk.dictionary))
                    for chunk in column.chunks
                ]
                column = pa.chunked_array(texts, pa.dictionary(field.type.index_type, pa.large_string()))
            else:
                column = _decoded(column)
        except pa.ArrowInvalid as error:
            msg = (
                f"{path} holds bytes that are no text (UTF-8) in the column {field.name!r}. Write them as "
                "text or numbers, or leave the column out."
            )
            raise InputError(msg) from error
        table = table.set_column(place, field.name, column)
        taken.append(field.name)
    if taken:
        logger.info("%s: the bytes in the columns %s are read as text.", path, shorten(taken))
    return table


def _decoded(values: Any) -> Any:
    """Turn bytes into texts; those that are no UTF-8 raise an error of pyarrow."""
    import pyarrow as pa

    return values.cast(pa.large_binary()).cast(pa.large_string())


def _check_columns(schema: Any, path: Path) -> None:
    """Refuse columns of one name, and those whose values are lists or records."""
    import pyarrow as pa

    if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
        msg = f"{path} has more than one column of the names {shorten(twice)}. Give each its own name."
        raise InputError(msg)
    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    if nested:
        msg = (
            f"{path} holds lists or records in the columns {shorten(nested)}. Write a column for each of "
            "their values, or leave them out."
        )
        raise InputError(msg)


def _plain(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Write decimals as numbers, and times as text, which is no feature."""
    if isinstance(frame.index, pd.MultiIndex):
        if twice := [str(name) for name in frame.index.names if name in frame.columns]:
            msg = (
                f"{path} has row names and columns of the same names {shorten(twice)}. Give each its own "
                "name, or write the file without row names (in pandas: index=False)."
            )
            raise InputError(msg)
        frame = frame.reset_index()
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column) or column.dtype.kind == "m":
            frame[name] = column.astype(str).where(column.notna(), "")
        elif column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "decimal":
            frame[name] = pd.to_numeric(column)
    return frame
