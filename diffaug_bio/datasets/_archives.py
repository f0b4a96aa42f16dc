"""Unpacking archives that may be anything: nothing leaves the target, and nothing fills the disk."""

from __future__ import annotations

import contextlib
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
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn, Protocol

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
    NotImplementedError,  # a zip of a method that Python does not know
    *(LookupError, ValueError, struct.error, OverflowError, MemoryError),  # of lengths that are not true
)


def unpack(archive: Path, target: Path, *, max_bytes: int | None = None) -> None:
    """Unpack an archive into a folder that appears whole or not at all.

    No other process may unpack to the same target meanwhile.

    Parameters
    ----------
    archive
        A `.zip`, a `.tar`, plain or compressed, or a single compressed file `.gz`.
    target
        The folder, which must not exist.
    max_bytes
        How much may come out. If left out, a hundred times the size of the archive, and at least 1 GiB.

    Raises
    ------
    RecipeError
        If the archive is damaged or of no known kind; if a member would lie outside the target, is there
        twice, or is a link or a device; or if more comes out than may.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f"{_STAGE_PREFIX}{target.name}.*"):  # of a process that was killed
        shutil.rmtree(stale, ignore_errors=True)
    bound = max_bytes or default_bound(archive.stat().st_size)
    stage = Path(tempfile.mkdtemp(prefix=f"{_STAGE_PREFIX}{target.name}.", dir=target.parent))
    try:
        _unpack_into(_Writer(archive=archive, folder=stage, bound=bound))
        stage.chmod(0o755)
        if hasattr(os, "sync"):
            os.sync()  # at once: images come as a hundred thousand files
        stage.rename(target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def default_bound(n_bytes: int) -> int:
    """How much may come out of an archive of so many bytes."""
    return max(_SMALLEST_BOUND, _LARGEST_RATIO * n_bytes)


class _Readable(Protocol):
    """What a member is read from."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, and none at the end."""
        ...


@dataclass(slots=True, kw_only=True)
class _Writer:
    """Writes the members of an archive, and counts what comes out."""

    archive: Path
    folder: Path
    bound: int
    n_bytes: int = field(default=0, init=False)
    n_members: int = field(default=0, init=False)

    def write(self, name: str, stream: _Readable) -> None:
        """Write a member."""
        with self._naming(name) as path:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as written:
                while chunk := stream.read(_CHUNK):
                    self.n_bytes += len(chunk)
                    if self.n_bytes > self.bound:
                        self._refuse_size()
                    written.write(chunk)

    def make_folder(self, name: str) -> None:
        """Make a folder that is a member."""
        with self._naming(name) as path:
            path.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[Path]:
        """Give the path of a member, and refuse names that no file or folder can have here."""
        try:
            yield self._path(name)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            self.refuse(name, "is there twice, or a file where a folder should be")
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            self.refuse(name, "has a name that is too long")

    def refuse(self, name: str, what: str) -> NoReturn:
        """Refuse the archive for one of its members."""
        msg = (
            f"{self.archive} is refused: its member {name[:_LONGEST_NAME]!r} {what}. Nothing was unpacked."
        )
        raise RecipeError(msg)

    def _refuse_size(self) -> None:
        """Refuse an archive out of which more comes than may."""
        size = self.archive.stat().st_size
        msg = (
            f"{self.archive} is refused: more than {self.bound} bytes come out of its {size}. If that is "
            "right, set `max_unpacked` of this source in the recipe."
        )
        raise RecipeError(msg)

    def _path(self, name: str) -> Path:
        """Where a member goes; one that would leave the folder is refused."""
        self.n_members += 1
        if self.n_members > _MAX_MEMBERS:
            self.refuse(name, f"is one of more than {_MAX_MEMBERS}")
        parts = PurePosixPath(name).parts
        is_outside = name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name)
        if is_outside or "\\" in name or "\0" in name:
            self.refuse(name, "would lie outside the folder")
        return self.folder.joinpath(*parts)


def _unpack_into(writer: _Writer) -> None:
    """Tell the kind of archive by its name, and unpack it."""
    archive = writer.archive
    with _reading(archive):
        if archive.stat().st_size == 0:
            msg = "it is empty"
            raise EOFError(msg)
        if archive.name.lower().endswith(".zip"):
            _unpack_zip(writer)
        elif _TAR.search(archive.name):
            _unpack_tar(writer)
        elif archive.name.lower().endswith(".gz"):
            with gzip.open(archive) as stream:
                writer.write(archive.name[: -len(".gz")], stream)
        else:
            known = ".zip, .tar, .tar.gz, .tar.bz2, .tar.xz and .gz"
            msg = f"{archive} has no ending of an archive that can be unpacked; known are {known}."
            raise RecipeError(msg)


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn what damaged archives cause into a sentence."""
    try:
        yield
    except RecipeError:
        raise
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise  # of the disk, and not of a place that the archive names
        reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(":")
        msg = f"{archive} is damaged or no archive ({reason}). Fetch it again with --force."
        raise RecipeError(msg) from error


def _unpack_zip(writer: _Writer) -> None:
    """Unpack plain files and folders of a zip."""
    with zipfile.ZipFile(writer.archive) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
                writer.refuse(member.filename, "is a link or a device")
            if member.flag_bits & 1:
                writer.refuse(member.filename, "needs a password")
            if member.is_dir():
                writer.make_folder(member.filename)
            else:
                with archive.open(member) as stream:
                    writer.write(member.filename, stream)


def _unpack_tar(writer: _Writer) -> None:
    """Unpack plain files and folders of a tar, compressed or not."""
    with tarfile.open(writer.archive) as archive:
        for member in archive:
            if member.isdir():
                writer.make_folder(member.name)
            elif member.isreg() and (stream := archive.extractfile(member)) is not None:
                with stream:
                    writer.write(member.name, stream)
            else:
                writer.refuse(member.name, "is a link or a device")
