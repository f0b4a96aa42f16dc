"""Lines of a text table: without NUL bytes, parted into fields, with or without quotes."""

from __future__ import annotations

import csv
import re
from typing import IO, TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from _csv import Reader as CsvReader
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BLANK = " "
"""Delimiter of tables whose fields stand apart by one or more blanks, as R writes them."""


def without_nul(stream: Iterable[str], path: Path, *, first: int = 1) -> Iterator[str]:
    """Yield lines, and refuse NUL bytes, at which pandas would end a field; `first` is the first number."""
    for number, line in enumerate(stream, start=first):
        if "\0" in line:
            msg = f"{path} is not a text file: line {number} holds a NUL byte."
            raise InputError(msg)
        yield line


def parted(lines: Iterable[str], delimiter: str) -> CsvReader:
    """Part lines into fields; quoted fields may hold delimiters and line ends."""
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == BLANK)


def rows_of(lines: list[str], delimiter: str) -> list[list[str]]:
    """Part some lines into fields, without a limit of their length where nothing is quoted."""
    if any('"' in line for line in lines):
        return [row for row in parted(lines, delimiter) if row]
    stripped = [line.rstrip("\r\n") for line in lines if line.strip()]
    return [line.split(None if delimiter == BLANK else delimiter) for line in stripped]


def fields_of(line: str, delimiter: str) -> list[str]:
    """Part one line into fields."""
    return next(iter(rows_of([line], delimiter)), [])


def n_fields(line: str, delimiter: str) -> int:
    """Count the fields of a line without quotes."""
    return len(line.split()) if delimiter == BLANK else line.count(delimiter) + 1


def skip_lines(stream: IO[str], number: int) -> None:
    """Read and forget some lines."""
    for _ in range(number):
        stream.readline()


def is_marked(line: str) -> bool:
    """Return True for a line of comments, which starts with `#` or `!`, in quotes or not."""
    return re.match(r'\s*"?[#!]', line) is not None
