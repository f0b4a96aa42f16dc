"""Files to read: names and endings, plain or gzipped content, and errors that name the file."""

from __future__ import annotations

import gzip
import io
import shutil
import zlib
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from diffaug_bio.errors import InputError
from diffaug_bio.machine.memory import free_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

FASTA_ENDINGS = (".fa", ".fasta", ".fna")
FASTQ_ENDINGS = (".fastq", ".fq")

_ALWAYS_UNPACKED = 2**30  # bytes, whatever the size of the file
_MOST_COMPRESSED = 200  # bytes that one byte of text or pictures unpacks to; tables of zeros come near
MOST_DEFLATED = 1100
"""Bytes that one byte of a compressed piece of a binary file can unpack to; gzip reaches 1032."""
_PIECE = 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """Give a file that can be read more than once: for a pipe, a copy of what comes out of it.

    Readers look at names and values one after the other. Errors name the pipe, not the copy.
    """
    if path.is_file() or path.is_dir():
        yield path
        return
    if not path.is_fifo():
        msg = f"{path} is no file, folder or pipe. Save the data in a file, and name that."
        raise InputError(msg)
    with TemporaryDirectory(prefix="diffaug-bio-") as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as pipe, copy.open("wb") as file:
            shutil.copyfileobj(pipe, file)
        try:
            yield copy
        except InputError as error:
            raise InputError(str(error).replace(str(copy), str(path))) from error


def bare_name(path: Path) -> str:
    """Return the name of a file in lower case and without `.gz`."""
    return path.name.lower().removesuffix(".gz")


def stem(path: Path) -> str:
    """Return the name of a file without its ending, and without `.gz`."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def is_sequence_file(path: Path) -> bool:
    """Return True for a file with an ending of FASTA or FASTQ."""
    return path.is_file() and bare_name(path).endswith(FASTA_ENDINGS + FASTQ_ENDINGS)


def visible_entries(folder: Path) -> list[Path]:
    """List the files and folders directly in a folder by name, without hidden ones."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def check_unpacked_size(
    path: Path, n_bytes: int, *, most_compressed: int = _MOST_COMPRESSED, held: int | None = None
) -> None:
    """Refuse more declared bytes than memory holds, or above 1 GiB than a file can hold compressed.

    `held` is the size of what is there, of a folder for example; by default that of the file.
    """
    gigabytes, held = n_bytes / 2**30, path.stat().st_size if held is None else held
    if n_bytes > max(_ALWAYS_UNPACKED, held * most_compressed):
        msg = (
            f"{path} declares {gigabytes:.4g} GiB of values, and has {held} bytes on the disk, which "
            "cannot hold them. Copy or download it again."
        )
        raise InputError(msg)
    free = free_bytes()
    if free is not None and n_bytes > free:
        msg = (
            f"{path} holds {gigabytes:.4g} GiB of values, and {free / 2**30:.4g} GiB of memory are free. "
            "Use a machine with more memory, or a smaller part of the data."
        )
        raise InputError(msg)


def is_gzipped(path: Path) -> bool:
    """Return True if the content of a file starts as gzip does."""
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


class _Bounded(gzip.GzipFile):
    """Gzipped file that raises an error when it unpacks to far more than its size."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path, self._most = path, max(_ALWAYS_UNPACKED, _MOST_COMPRESSED * path.stat().st_size)

    def read(self, size: int | None = -1) -> bytes:
        # In pieces even if all is asked for: readers ask until nothing comes.
        content = super().read(_PIECE if size is None or size < 0 else size)
        if self.tell() > self._most:
            msg = (
                f"{self._path} unpacks to more than {self._most / 2**30:.4g} GiB, over {_MOST_COMPRESSED} "
                "times its size, like files made to fill the memory. If you trust it, unpack it (gunzip)."
            )
            raise InputError(msg)
        return content


def _unpacked(path: Path) -> io.BufferedReader:
    """Open a gzipped file so that all bytes pass through `_Bounded.read`."""
    return io.BufferedReader(cast("io.RawIOBase", _Bounded(path)), buffer_size=2**17)


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a plain or gzipped file, recognised by its content, without the byte order mark."""
    with _unpacked(path) if is_gzipped(path) else path.open("rb") as stream:
        if stream.read(3) != _BYTE_ORDER_MARK:
            stream.seek(0)
        yield stream


def open_text(path: Path) -> IO[str]:
    """Open a plain or gzipped text file, recognised by its content, without the byte order mark."""
    if is_gzipped(path):
        return io.TextIOWrapper(_unpacked(path), encoding="utf-8-sig", newline="")
    return path.open("r", encoding="utf-8-sig", newline="")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of reading a file (cut off, no text, too large, no permission) into an `InputError`."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path} is not a complete gzip file: {error}. Copy or download it again."
        raise InputError(msg) from error
    except UnicodeDecodeError as error:
        msg = (
            f"{path} is not a UTF-8 text file: {error.reason} at byte {error.start}. Save it as UTF-8 (in "
            "Excel: 'CSV UTF-8')."
        )
        raise InputError(msg) from error
    except MemoryError as error:
        msg = f"{path} does not fit into memory. Take a part of it, or a machine with more memory."
        raise InputError(msg) from error
    except PermissionError as error:
        msg = f"{path} cannot be read: permission denied."
        raise InputError(msg) from error
