"""What plain and gzipped text files share: names, telling them apart, opening, and what goes wrong."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALWAYS_UNPACKED = 2**30  # bytes, whatever the file is like
_MOST_COMPRESSED = 200  # bytes that come out of one; tables of nearly nothing but zeros come near

_PIECE = 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def bare_name(path: Path) -> str:
    """Name of a file in lower case and without `.gz`, so that its ending tells the kind."""
    return path.name.lower().removesuffix(".gz")


def stem(path: Path) -> str:
    """Name of a file without its ending, and without `.gz`."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def visible_entries(folder: Path) -> list[Path]:
    """List what a folder directly holds, in the order of names and without hidden files."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def is_gzipped(path: Path) -> bool:
    """Whether a file is gzipped, by its content."""
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


class _Bounded(gzip.GzipFile):
    """A gzipped file out of which no more comes than can be meant."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path, self._most = path, max(_ALWAYS_UNPACKED, _MOST_COMPRESSED * path.stat().st_size)

    def read(self, size: int | None = -1) -> bytes:
        # All that there is comes piece by piece, since readers ask until nothing does.
        content = super().read(_PIECE if size is None or size < 0 else size)
        if self.tell() > self._most:
            msg = (
                f"{self._path} unpacks to more than {self._most / 2**30:.4g} GiB, {_MOST_COMPRESSED} times "
                "its size and more, as files do that are made to fill the memory. If you trust it, unpack "
                "it (gunzip)."
            )
            raise InputError(msg)
        return content


def _unpacked(path: Path) -> io.BufferedReader:
    """Open a gzipped file; whatever asks for bytes, they come by way of `read`."""
    return io.BufferedReader(cast("io.RawIOBase", _Bounded(path)), buffer_size=2**17)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a plain or gzipped file, told apart by content, a byte order mark dropped."""
    with _unpacked(path) if is_gzipped(path) else path.open("rb") as stream:
        if stream.read(3) != _BYTE_ORDER_MARK:
            stream.seek(0)
        yield stream


def open_text(path: Path) -> IO[str]:
    """Open a plain or gzipped text file, told apart by content, a byte order mark dropped."""
    if is_gzipped(path):
        return io.TextIOWrapper(_unpacked(path), encoding="utf-8-sig", newline="")
    return path.open("r", encoding="utf-8-sig", newline="")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what may go wrong while the block reads a file into sentences.

    Raises
    ------
    InputError
        If the file is cut off, not text, does not fit into memory, or may not be read.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path} is not a complete gzip file: {error}. Copy or download it again."
        raise InputError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is not a UTF-8 text file: {error.reason} at byte {error.start}."
        raise InputError(msg) from error
    except MemoryError as error:
        msg = f"{path} does not fit into memory. Take a part of it, or a machine with more memory."
        raise InputError(msg) from error
    except PermissionError as error:
        msg = f"{path} cannot be read: permission denied."
        raise InputError(msg) from error
