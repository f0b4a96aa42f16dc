"""Looking for heaps of texts in which the HDF5 library would go round for ever.

Texts of any length, names of rows and kinds of elements among them, lie in global heaps: collections of
objects, each with its size. A free object of size 0, as a block of zeros makes one, is never left behind by
the library up to version 2.0 at least (https://github.com/HDFGroup/hdf5/issues/1707), and no signal that
Python handles can end that.
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_START = b"GCOL\x01\0\0\0"
_HEAP = struct.Struct("<8sQ")  # start, and bytes of the whole collection
# Number, references, and bytes of an object; 0 is the number of free space.
_OBJECT = struct.Struct("<HH4xQ")
_ALIGNMENT = 8


def check_heaps(path: Path) -> None:
    """Refuse an HDF5 file with a heap that cannot be read to its end.

    Parameters
    ----------
    path
        The file. Passes over all of it, at the speed of the disk.

    Raises
    ------
    InputError
        If there is such a heap.
    """
    if path.stat().st_size < _HEAP.size:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_START)
        while start >= 0:
            if _is_endless(content, start):
                msg = (
                    f"{path} is damaged: the texts at byte {start} cannot be read to their end. Copy or "
                    "download it again."
                )
                raise InputError(msg)
            start = content.find(_START, start + len(_START))


def _is_endless(content: mmap.mmap, start: int) -> bool:
    """Go from object to object as the library does, and tell whether one leads nowhere."""
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
