"""A sheet of an Excel workbook, read by openpyxl, with what people put around tables in Excel."""

from __future__ import annotations

import datetime as dt
import logging
import zipfile
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import pandas as pd

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import check_unpacked_size
from diffaug_bio.io._installed import check_installed

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

SHEET_ENDINGS = (".xlsx", ".xlsm")
_MOST_ROWS = 2**20  # that Excel has; a file may number its rows as it likes
_ROWS_BEFORE_HEADER = 30  # titles and notes above a table
_FILLED = 0.5  # of the columns of the widest row; a header has at least these
_DATES = (dt.datetime, dt.date, dt.time, dt.timedelta)


def read_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    """Read a sheet, by default the first one; `sheet` is its name, or its number from 1.

    Titles above the header and notes below the last row are left out, and the log says so. Cells keep the
    types that Excel has of them.
    """
    check_installed(path, "openpyxl", "excel")
    _check_archive(path)
    title, rows = _rows(path, sheet)
    frame, missing = _framed(rows, path, title)
    if missing:
        _refuse_uncomputed(path, title, missing)
    return frame


def _rows(path: Path, sheet: str | None, *, with_formulas: bool = False) -> tuple[str, list[list[Any]]]:
    """Read the cells of a sheet: their values, or the formulas where there are some."""
    import openpyxl

    try:
        with closing(openpyxl.load_workbook(path, data_only=not with_formulas, read_only=True)) as book:
            title = _choose(book, sheet, path, is_logged=not with_formulas)
            book[title].reset_dimensions()  # which some programs write wrongly
            cells = islice(book[title].iter_rows(values_only=True), _MOST_ROWS + 1)
            rows = [list(row) for row in cells]
    except InputError:
        raise
    except Exception as error:  # on damaged workbooks, openpyxl raises nearly anything
        lines = str(error).splitlines() or [type(error).__name__]
        msg = f"{path} is not a complete Excel workbook: {lines[0].rstrip('.')}. Copy it again."
        raise InputError(msg) from error
    if len(rows) > _MOST_ROWS:
        msg = (
            f"{path}: the sheet {title!r} has rows beyond {_MOST_ROWS:,}, the most that Excel has. Save it "
            "again in Excel, or as text (.csv)."
        )
        raise InputError(msg)
    return title, rows


def _check_archive(path: Path) -> None:
    """Refuse what is no workbook, or unpacks to more than the memory can hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        msg = (
            f"{path} is not a complete Excel workbook (.xlsx): it is damaged, protected by a password, or "
            "of an old Excel (.xls). Save it again as .xlsx without a password, or as text (.csv)."
        )
        raise InputError(msg) from error
    check_unpacked_size(path, n_bytes)


def _choose(book: Any, sheet: str | None, path: Path, *, is_logged: bool) -> str:
    """Return the title of the sheet to read, and say which others there are."""
    titles = [one.title for one in book.worksheets]
    if sheet is not None and sheet not in titles:
        if not (sheet.isdecimal() and 1 <= int(sheet) <= len(titles)):
            msg = f"{path} has no sheet {sheet!r}; it holds {shorten(titles)} (`sheet`, `--sheet`)."
            raise InputError(msg)
        sheet = titles[int(sheet) - 1]
    if not titles:
        msg = f"{path} holds no sheet with cells."
        raise InputError(msg)
    chosen = titles[0] if sheet is None else sheet
    others = [title for title in titles if title != chosen]
    if others and is_logged:
        logger.info("%s: the sheet %r is read, not %s (--sheet).", path, chosen, shorten(others))
    return chosen


def _framed(rows: list[list[Any]], path: Path, title: str) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """Find header, first and last row; return the frame, and row and column of its missing cells."""
    filled = [sum(_is_filled(value) for value in row) for row in rows]
    widest = max(filled, default=0)
    start = next(
        (place for place, count in enumerate(filled[:_ROWS_BEFORE_HEADER]) if count > _FILLED * widest),
        None,
    )
    if widest < 2 or start is None:
        msg = f"{path}: the sheet {title!r} holds no table: no row has two filled cells."
        raise InputError(msg)
    if any(filled[:start]):
        logger.info("%s: the header is row %d; rows above it are left out.", path, start + 1)
    end = len(rows)
    while end > start + 1 and filled[end - 1] <= (1 if widest > 2 else 0):
        end -= 1
    if notes := [row for row in rows[end:] if any(map(_is_filled, row))]:
        first = next(value for value in notes[0] if _is_filled(value))
        logger.warning(
            "%s: %d rows after row %d have one filled cell (%s), and are left out as notes.",
            path,
            len(notes),
            end,
            shorten([first]),
        )
    header = rows[start]
    columns = [
        place
        for place in range(max(len(row) for row in rows[start:end]))
        if any(place < len(row) and _is_filled(row[place]) for row in rows[start:end])
    ]
    body = [number for number in range(start + 1, end) if filled[number]]
    values = [[_value(rows[number], place) for place in columns] for number in body]
    names = [_name(header, place, place == columns[0]) for place in columns]
    _warn_of_dates([*names, *(row[0] for row in values)], path)
    frame = pd.DataFrame(values, columns=names, dtype=object)
    missing = [
        (number, place)
        for number, row in zip(body, values, strict=True)
        for place, value in zip(columns, row, strict=True)
        if value is None
    ]
    for place, name in enumerate(names):
        dates = frame.iloc[:, place].map(lambda value: isinstance(value, _DATES))
        if dates.any():  # times are annotations, as text
            frame.isetitem(place, frame.iloc[:, place].map(_written, na_action="ignore").array)
            logger.info("%s: column %r holds dates.", path, str(name))
    frame.columns = [_written(name) for name in names]
    return frame.infer_objects(), missing


def _is_filled(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _value(row: list[Any], place: int) -> Any:
    """Return a cell; one of spaces only is empty."""
    value = row[place] if place < len(row) else None
    return value if _is_filled(value) else None


def _name(header: list[Any], place: int, is_first: bool) -> Any:  # noqa: FBT001 - of a column
    """Return the name of a column; one without is called by its letter, but for a first one, of ids."""
    from openpyxl.utils import get_column_letter

    value = _value(header, place)
    if value is not None:
        return value
    return "" if is_first else f"column {get_column_letter(place + 1)}"


def _written(value: Any) -> str:
    """Write a cell as text; days without the midnight that Excel adds."""
    if isinstance(value, dt.datetime) and value.time() == dt.time.min:
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _warn_of_dates(names: list[Any], path: Path) -> None:
    """Warn of names that are dates: Excel makes them of genes such as SEPT2 and MARCH1."""
    if dates := [name for name in names if isinstance(name, _DATES)]:
        logger.warning(
            "%s: %d names of rows or columns are dates, such as %s. Excel makes dates of genes such as "
            "SEPT2 and MARCH1, which cannot be undone here: take the file from before Excel.",
            path,
            len(dates),
            _written(dates[0]),
        )


def _refuse_uncomputed(path: Path, title: str, missing: list[tuple[int, int]]) -> None:
    """Refuse formulas without a saved result, which would read as missing values."""
    from openpyxl.utils import get_column_letter

    _, rows = _rows(path, title, with_formulas=True)
    places = [
        f"{get_column_letter(column + 1)}{row + 1}"
        for row, column in missing
        if row < len(rows) and column < len(rows[row]) and str(rows[row][column]).startswith("=")
    ]
    if places:
        msg = (
            f"{path}: {len(places)} cells hold formulas without a saved result "
            f"({shorten(places, limit=3)}). Open the file in Excel or LibreOffice, and save it again."
        )
        raise InputError(msg)
