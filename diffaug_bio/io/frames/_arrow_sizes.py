"""Sizes to which files of Feather (Arrow) unpack, read from their descriptions before anything is unpacked.

Pyarrow gives no sizes, so that the places that matter of Arrow's descriptions, which are FlatBuffers, are
looked up here: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format.
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_MARK = b"ARROW1"
_BYTES_OF_VALUE = 8
_DICTIONARY, _BATCH = 2, 3  # kinds of messages
_BLOCK, _BUFFER = 24, 16  # bytes of an entry
_FROM_END = len(_MARK) + 4


class _Table(NamedTuple):
    """Table of a FlatBuffer: a place in the file, from which its fields are found."""

    content: mmap.mmap
    place: int

    def field(self, number: int) -> int | None:
        """Find the place of a field, None where it is left out."""
        fields = self.place - _number(self.content, "i", self.place)
        entry = 4 + 2 * number
        if entry >= _number(self.content, "H", fields):
            return None
        offset = _number(self.content, "H", fields + entry)
        return self.place + offset if offset else None

    def table(self, number: int) -> _Table | None:
        """Follow a field to a table."""
        place = self.field(number)
        return None if place is None else _Table(self.content, place + _number(self.content, "I", place))

    def places(self, number: int, size: int) -> range:
        """Follow a field to a vector, and give the places of its entries."""
        vector = self.table(number)
        if vector is None:
            return range(0)
        start = vector.place + 4
        return range(start, start + size * _number(self.content, "I", vector.place), size)


def unpacked_feather_size(path: Path, n_columns: int) -> int:
    """Count the bytes to which a Feather file unpacks; 0 for version 1, which is not packed.

    Raises
    ------
    ValueError
        If the description is damaged.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[: len(_MARK)] != _MARK:
            return 0
        try:
            return _counted(content, n_columns)
        except (struct.error, IndexError) as error:
            msg = "its description is cut off or damaged"
            raise ValueError(msg) from error


def _counted(content: mmap.mmap, n_columns: int) -> int:
    """Add up the sizes of all batches that the end of a file lists; one may be listed again and again."""
    end = len(content) - _FROM_END
    start = end - _number(content, "i", end)
    footer = _Table(content, start + _number(content, "I", start))
    known: dict[int, int] = {}
    total = 0
    for blocks in (footer.places(2, _BLOCK), footer.places(3, _BLOCK)):
        for block in blocks:
            place = _number(content, "q", block)
            if place not in known:
                known[place] = _size_of_batch(content, place, _number(content, "i", block + 8), n_columns)
            total += known[place]
    return total


def _size_of_batch(content: mmap.mmap, place: int, n_described: int, n_columns: int) -> int:
    """Count what the buffers of a batch unpack to, and at least 8 bytes a value."""
    start = place + (8 if _number(content, "I", place) == 0xFFFFFFFF else 4)
    message = _Table(content, start + _number(content, "I", start))
    kind = message.field(1)
    batch = message.table(2)
    if kind is None or batch is None:
        return 0
    is_dictionary = content[kind] == _DICTIONARY
    if is_dictionary:
        batch = batch.table(1)
    elif content[kind] != _BATCH:
        return 0
    if batch is None:
        return 0
    is_packed = batch.field(3) is not None
    size = 0
    for entry in batch.places(2, _BUFFER):
        offset, length = _number(content, "q", entry), _number(content, "q", entry + 8)
        # A packed buffer begins with its size, or -1 if it is as it is.
        declared = _number(content, "q", place + n_described + offset) if is_packed and length >= 8 else -1
        size += max(declared, length, 0)
    rows = batch.field(0)
    n_rows = 0 if rows is None else _number(content, "q", rows)
    return max(size, n_rows * _BYTES_OF_VALUE * (1 if is_dictionary else n_columns))


def _number(content: mmap.mmap, kind: str, place: int) -> int:
    """Read a number; places outside the file raise a `struct.error`."""
    if place < 0:
        msg = "a place before the start"
        raise struct.error(msg)
    return int(struct.unpack_from(f"<{kind}", content, place)[0])
