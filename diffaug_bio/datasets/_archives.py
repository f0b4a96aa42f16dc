"""Unpacking archives from strangers: nothing is written outside the target, and nothing fills the disk.

pooch's processors follow links and names that lead outside, and have no limit of size.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 2**20
_STAGE_PREFIX = ".unpacking."
_TAR = re.compile(r"\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", flags=re.IGNORECASE)
_SMALLEST_BOUND = 2**30
_LARGEST_RATIO = 100  # tables compress to a twentieth, text to a fifth, bombs to a thousandth
_MAX_MEMBERS = 2_000_000
_LONGEST_NAME = 200  # letters of a member's name that an error shows
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError),
    NotImplementedError,  # a compression that Python does not know
    *(LookupError, ValueError, struct.error, OverflowError, MemoryError),  # false lengths
)


def unpack(archive: Path, target: Path, *, max_bytes: int | None = None) -> None:
    """Unpack an archive into a new folder that appears complete or not at all.

    Takes a `.zip`, a `.tar`, plain or compressed, or a single compressed file `.gz`. Refuses one that is
    damaged or of another kind, holds more than `max_bytes` (by default :func:`default_bound`), or has a
    member that would lie outside the target, is there twice, or is a link or a device. No other process may
    unpack to the same target meanwhile.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f"{_STAGE_PREFIX}{target.name}.*"):  # left by a killed process
        shutil.rmtree(stale, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=f"{_STAGE_PREFIX}{target.name}.", dir=target.parent))
    try:
        _unpack_into(stage, archive, max_bytes or default_bound(archive.stat().st_size))
        stage.chmod(0o755)
        if hasattr(os, "sync"):
            os.sync()  # once for all: images come as a hundred thousand files
        stage.rename(target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def default_bound(n_bytes: int) -> int:
    """Return how many bytes may be unpacked from an archive: a hundred times its size, at least 1 GiB."""
    return max(_SMALLEST_BOUND, _LARGEST_RATIO * n_bytes)


class _Readable(Protocol):
    """Content of a member."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, and none at the end."""
        ...


class _MemberError(Exception):
    """Problem of a member, for which the archive is refused."""


def _unpack_into(folder: Path, archive: Path, bound: int) -> None:
    """Write the members of an archive into a folder."""
    name, left = "", bound
    try:
        if archive.stat().st_size == 0:
            msg = "it is empty"
            raise EOFError(msg)
        for number, (name, stream, problem) in enumerate(_members(archive)):
            path = folder.joinpath(*_parts(name))
            if problem or number >= _MAX_MEMBERS:
                raise _MemberError(problem or f"is one of more than {_MAX_MEMBERS}")
            if stream is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as written:
                while chunk := stream.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        msg = (
                            f"{archive} is refused: more than {bound} bytes come out of its "
                            f"{archive.stat().st_size}. If that is right, set `max_unpacked` of this "
                            "source in the recipe."
                        )
                        raise RecipeError(msg)
                    written.write(chunk)
    except RecipeError:
        raise
    except (*_DAMAGED, _MemberError, OSError) as error:
        if problem := _problem_of_member(error):
            shown = name[:_LONGEST_NAME]
            msg = f"{archive} is refused: its member {shown!r} {problem}. Nothing was unpacked."
            raise RecipeError(msg) from error
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise  # a fault of the disk, not a place that the archive names
        reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(":")
        msg = f"{archive} is damaged or no archive ({reason}). Fetch it again with --force."
        raise RecipeError(msg) from error


def _members(archive: Path) -> Iterator[tuple[str, _Readable | None, str]]:
    """Give the name, the content and the problem of each member of an archive; folders have no content."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
                    yield entry.filename, None, "is a link or a device"
                elif entry.flag_bits & 1:
                    yield entry.filename, None, "needs a password"
                elif entry.is_dir():
                    yield entry.filename, None, ""
                else:
                    with packed.open(entry) as stream:
                        yield entry.filename, stream, ""
    elif _TAR.search(archive.name):
        with tarfile.open(archive) as opened:
            for member in opened:
                content = opened.extractfile(member) if member.isreg() else None
                is_plain = member.isdir() or content is not None
                yield member.name, content, "" if is_plain else "is a link or a device"
    elif archive.name.lower().endswith(".gz"):
        with gzip.open(archive) as stream:
            yield archive.name[: -len(".gz")], stream, ""
    else:
        known = ".zip, .tar, .tar.gz, .tar.bz2, .tar.xz and .gz"
        msg = f"{archive} has no ending of an archive that can be unpacked; known are {known}."
        raise RecipeError(msg)


def _parts(name: str) -> tuple[str, ...]:
    """Split the name of a member; refuse a name that leads outside, on any system."""
    parts = PurePosixPath(name).parts
    if (
        name.startswith("/")
        or ".." in parts
        or re.match(r"[A-Za-z]:", name)
        or "\\" in name
        or "\0" in name
    ):
        msg = "would lie outside the folder"
        raise _MemberError(msg)
    return parts


def _problem_of_member(error: Exception) -> str:
    """Word the problem of a member; empty if the error is about the archive or the disk."""
    if isinstance(error, _MemberError):
        return str(error)
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        return "is there twice, or a file where a folder should be"
    is_too_long = isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG
    return "has a name that is too long" if is_too_long else ""
