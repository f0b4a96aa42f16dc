"""Check for damaged texts that the HDF5 library would read for ever.

Texts lie in global heaps of sized objects. The library (up to 2.0, github.com/HDFGroup/hdf5/issues/1707)
never gets past a free object of size 0, and no signal that Python handles ends it.
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_START = b"GCOL\x01\0\0\0"
_HEAP = struct.Struct("<8sQ")  # start mark, and size of the whole collection in bytes
# Number, references, and size in bytes of an object; free space has the number 0.
_OBJECT = struct.Struct("<HH4xQ")
_ALIGNMENT = 8


def check_heaps(path: Path, *, called: Path | None = None) -> None:
    """Raise an `InputError` if a heap of an HDF5 file cannot be read to its end; reads the whole file.

    `called` is the file that messages name, if it is not `path`.
    """
    if path.stat().st_size < _HEAP.size:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_START)
        while start >= 0:
            if _is_endless(content, start):
                msg = (
                    f"{called or path} is damaged: the texts at byte {start} cannot be read to their end. "
                    "Copy or download it again."
                )
                raise InputError(msg)
            start = content.find(_START, start + len(_START))


def _is_endless(content: mmap.mmap, start: int) -> bool:
    """Step from object to object as the library does, and return True if one has no size."""
    if start + _HEAP.size > len(content):
        return False
    _, size = _HEAP.unpack_from(content, start)
    end = min(start + size, len(content))
    place = start + _HEAP.size
    while place + _OBJECT.size <= end:
        number, _, length = _OBJECT.unpack_from(content, place)
        if number == 0 and length == 0:
            return True
        place += length if number == 0 else _OBJECT.size + -(-length // _ALIGNMENT) * _ALIGNMENT
    return False
