"""Layout of a text table: lines before and after it, its delimiter, and the names of its columns."""

from __future__ import annotations

import csv
import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

import pandas as pd

from diffaug_bio._checks import check_unique
from diffaug_bio._wording import cut
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import open_text, reading
from diffaug_bio.io.table._column_names import is_usual_id
from diffaug_bio.io.table._lines import (
    BLANK,
    fields_of,
    is_marked,
    n_fields,
    parted,
    rows_of,
    skip_lines,
    without_nul,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

_DELIMITERS = (",", "\t", ";", "|")
_N_LOOKED_AT = 20  # lines below the header from which the delimiter is told
_GCT = ("#1.2", "#1.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a table starts and ends in its file, and how its lines are parted."""

    delimiter: str
    n_before: int
    """Lines before the one that names the columns."""
    names: tuple[str, ...]
    """Name of each field of a line; `""` for row names that the header does not name."""
    first_skipped: str = ""
    """First of the lines before."""
    n_rows: int | None = None
    """Rows up to a line that marks the end; None where the table ends with its file."""
    is_short: bool = False
    """True if the header does not name the first field, as R writes it."""
    is_numbered: bool = False
    """True if that field only counts the rows."""


@contextmanager
def parsing(path: Path) -> Iterator[None]:
    """Turn errors of parsing a table into an `InputError` that names the file."""
    try:
        with reading(path):
            yield
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        msg = f"{path} is not a table: {error}."
        raise InputError(msg) from error


def find_layout(path: Path, *, may_be_single: bool) -> Layout:
    """Find the layout of a table, and refuse lines with more or fewer fields than the others."""
    layout = find_header(path, may_be_single=may_be_single)
    return _checked_lines(path, layout)


def find_header(path: Path, *, may_be_single: bool) -> Layout:
    """Find delimiter and column names from the first lines of a table."""
    with open_text(path) as stream:
        before, lines, given = _first_lines(stream, path)
    delimiter = given or _delimiter_of(lines)
    n_before = len(before)
    names_are_marked = bool(before) and _is_header(before[-1], lines, delimiter)
    if names_are_marked:
        lines, n_before = [before[-1], *lines], n_before - 1
    if not may_be_single and all(n_fields(line, delimiter) == 1 for line in lines):
        msg = (
            f"{path} has a single column: its header {lines[0].strip()[:40]!r} holds no comma, tab, "
            "semicolon or vertical bar."
        )
        raise InputError(msg)
    with open_text(path) as stream:  # a quoted name may go on in the next line
        skip_lines(stream, n_before)
        names = next(parted(stream, delimiter), [])
    if delimiter == BLANK and len(names) > 1 and not names[-1] and lines[0].rstrip("\r\n").endswith(BLANK):
        names = names[:-1]  # blanks at the end of the line part nothing
    if names_are_marked:
        names[0] = names[0].lstrip("#").strip()
    while len(names) > 1 and not names[-1].strip() and not names[-2].strip():
        # Delimiters that a spreadsheet leaves after the last column; `_checked_lines` looks below them.
        names = names[:-1]
    check_unique(names, what="column names", remedy=f"Rename them in {path}.")
    skipped = cut(before[0].strip()) if n_before else ""
    return Layout(delimiter=delimiter, n_before=n_before, first_skipped=skipped, names=tuple(names))


def log_layout(path: Path, layout: Layout) -> None:
    """Log what of a file was taken for no part of the table, and row names without a name."""
    if layout.n_before:
        logger.info(
            "%s: skipped %s before the line that names the columns, the first of them %r.",
            path.name,
            "1 line" if layout.n_before == 1 else f"{layout.n_before} lines",
            layout.first_skipped,
        )
    if layout.is_short:
        logger.info(
            "%s: the header has no name for the first column, as R writes it; it %s.",
            path.name,
            "counts the rows, and is left out" if layout.is_numbered else "names the rows",
        )


def _first_lines(stream: Iterator[str], path: Path) -> tuple[list[str], list[str], str | None]:
    """Return the lines above the header, the header with some lines below it, and a declared delimiter."""
    lines = without_nul(stream, path)
    before: list[str] = []
    given: str | None = None
    line = next(lines, "")
    declared = line.strip().strip('"').lower()
    if declared.startswith("sep=") and len(declared) in {4, 5}:  # of a tab, `strip` leaves nothing
        given = declared[4:] or "\t"
        before.append(line)
        line = next(lines, "")
    while is_marked(line) or (before and line and not line.strip()):
        before.append(line)
        line = next(lines, "")
        if len(before) == 1 and before[0].strip().strip('"').startswith(_GCT) and _is_size(line):
            before.append(line)
            line = next(lines, "")
    if not line.strip():
        above = f" below line {len(before)}" if before else ""
        msg = (
            f"{path} is empty or starts with an empty line{above}; its first line has to name the columns."
        )
        raise InputError(msg)
    return before, [line, *islice(lines, _N_LOOKED_AT)], given


def _is_header(marked: str, lines: list[str], delimiter: str) -> bool:
    """Return True if a line with `#` names the columns, as in `#OTU ID`: values follow, and no names."""
    if not marked.lstrip(' "').startswith("#") or marked.lstrip(' "').startswith("##"):
        return False
    names, values = fields_of(marked, delimiter), fields_of(lines[0], delimiter)
    return (
        1 < len(names) == len(values) and not any(map(_is_number, names)) and any(map(_is_number, values))
    )


def _is_size(line: str) -> bool:
    """Return True for the line of a GCT file that counts its rows and columns."""
    numbers = line.split()
    return len(numbers) >= 2 and all(number.isdecimal() for number in numbers)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _delimiter_of(lines: list[str]) -> str:
    """Tell the delimiter from the header and the lines below it: the one that parts all of them alike."""
    fitting: list[tuple[bool, int, str]] = []
    for delimiter in (*_DELIMITERS, BLANK):
        if delimiter == BLANK and fitting:
            break
        rows = rows_of(lines, delimiter)
        if len(rows) > _N_LOOKED_AT:
            rows = rows[:-1]  # a quoted field may be cut
        n_names, counts = len(rows[0]) if rows else 0, {len(row) for row in rows[1:]}
        is_alike = counts <= {n_names} or counts == {n_names + 1}
        n_found = max(counts, default=n_names)
        # Prose has blanks, too: numbers show that it is a table.
        is_table = delimiter != BLANK or (len(rows) > 1 and any(map(_is_number, rows[1][1:])))
        if is_alike and n_found > 1 and is_table:
            fitting.append((counts <= {n_names}, n_found, delimiter))
    if fitting:
        return max(fitting, key=lambda found: found[:2])[2]
    return max(_DELIMITERS, key=lines[0].count)


def _checked_lines(path: Path, layout: Layout) -> Layout:
    """Compare the number of fields of all lines, which pandas would fill up silently, and find the end."""
    n_names = len(layout.names)
    header, n_header, expected, n_rows = 0, 0, 0, 0
    ends_empty, is_numbered, has_ended = True, True, False
    for number, found, line in _field_counts(path, layout):
        if not header:
            header, n_header, expected = number, found, found
            continue
        if has_ended or (found != expected and n_rows and _marks_end(line)):
            if not _marks_end(line):
                _refuse(path, number, "stands below a line that marks the end of the table")
            has_ended = True
            continue
        if not n_rows and found == expected + 1:
            expected = found
        if found != expected:
            hint = "" if n_rows else _hint_at_title(header, layout)
            others = "lines before have" if expected != n_header else "header has"
            said = f"has {found} fields, the {others} {expected}"
            _refuse(path, number, said, hint)
        n_rows += 1
        if expected > n_names:
            values = line if isinstance(line, list) else fields_of(line, layout.delimiter)
            ends_empty = ends_empty and not any(value.strip() for value in values[n_names:])
            is_numbered = is_numbered and values[0].strip() == str(n_rows)
    if has_ended:
        layout = replace(layout, n_rows=n_rows)
    if not n_rows or expected == n_names:
        return layout
    if ends_empty:  # delimiters that a spreadsheet leaves behind the last value
        return replace(layout, names=(*layout.names, *[""] * (expected - n_names)))
    is_named = is_usual_id(layout.names[0]) and not is_numbered  # a column that is not the row names
    if expected == n_header or is_named:
        said = f"has {expected} fields, the header has {n_names}, of which {layout.names[0]!r} is the first"
        _refuse(path, header + 1, said)
    return replace(layout, names=("", *layout.names), is_short=True, is_numbered=is_numbered)


def _hint_at_title(header: int, layout: Layout) -> str:
    shown = cut(layout.delimiter.join(layout.names))[:60]
    return (
        f" If line {header} ({shown!r}) does not name the columns, remove the lines above the one that "
        "does so."
    )


def _refuse(path: Path, number: int, said: str, hint: str = "") -> None:
    msg = f"{path} line {number} {said}. Correct that line, or quote values that hold the delimiter.{hint}"
    raise InputError(msg)


def _marks_end(line: str | list[str]) -> bool:
    """Return True for a line of a mark alone, such as `!series_matrix_table_end`."""
    text = line if isinstance(line, str) else "".join(line)
    return is_marked(text) or not text.strip()


def _field_counts(path: Path, layout: Layout) -> Iterator[tuple[int, int, str | list[str]]]:
    """Yield number, number of fields and text of each line from the header on that is not empty."""
    first = layout.n_before + 1
    with open_text(path) as stream:
        skip_lines(stream, layout.n_before)
        for number, line in enumerate(without_nul(stream, path, first=first), start=first):
            if '"' in line:
                break
            if line.strip():
                yield number, n_fields(line, layout.delimiter), line
        else:
            return
        # Quoted fields may hold delimiters and line ends, which the csv module parses, but more slowly.
        rest = without_nul(stream, path, first=number + 1)
        rows = parted(chain([line], rest), layout.delimiter)
        yield from ((number - 1 + rows.line_num, len(row), row) for row in rows if row)
