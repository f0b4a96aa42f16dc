"""Indexed access to a reference genome through pyfaidx."""

from __future__ import annotations

import logging
import os
import shutil
import struct
import tempfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.errors import InputError
from diffaug_bio.io._files import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyfaidx import Faidx

logger = logging.getLogger(__name__)

# Errors of pyfaidx and Biopython on damaged files.
_DAMAGE = (OSError, EOFError, ValueError, AssertionError, RuntimeError, struct.error, zlib.error)
_COMPRESSED_ENDINGS = (".gz", ".bgz")  # pyfaidx goes by the ending


@contextmanager
def open_genome(path: Path) -> Iterator[Faidx]:
    """Open a reference in FASTA, plain or compressed by bgzip, with the index beside it unless it is older.

    A new index is made in a temporary folder, and copied beside the reference if that can be written to.
    """
    if not path.is_file():
        msg = f"There is no reference {path}. Give the path of a FASTA file as `reference`."
        raise InputError(msg)
    with reading(path):
        is_compressed = _is_bgzipped(path)
    _check_installed(path, is_compressed=is_compressed)
    with tempfile.TemporaryDirectory() as temporary:
        genome = _indexed(path, Path(temporary), is_compressed=is_compressed)
        try:
            yield genome
        finally:
            genome.close()


def fetch(genome: Faidx, name: str, start: int, end: int) -> str:
    """Look up the letters from `start` (0-based) to before `end`; refuse an index of another file."""
    path = genome.filename
    try:
        try:
            letters: str = genome.fetch(name, start + 1, end)
        except ValueError:
            # pyfaidx 0.9 fails at the start of a full block of bgzip, but not one letter before.
            if start == 0:
                raise
            letters = genome.fetch(name, start, end)[1:]
    except _DAMAGE as error:
        msg = f"{path} cannot be read at {name}:{start}: {error}. Copy or download it again."
        raise InputError(msg) from error
    if len(letters) != end - start:
        msg = f"{path} does not fit its index. Delete {path}.fai to have it made again."
        raise InputError(msg)
    return letters


def _check_installed(path: Path, *, is_compressed: bool) -> None:
    """Raise an `InputError` with the command to install pyfaidx, or Biopython for bgzip, if missing."""
    try:
        import pyfaidx  # noqa: F401

        if is_compressed:
            import Bio.bgzf  # noqa: F401
    except ImportError as error:
        msg = (
            f"Cutting intervals from {path} needs the package {error.name!r}, which is not installed. Run: "
            'pip install "diffaug-bio[genome]"'
        )
        raise InputError(msg) from error


def _is_bgzipped(path: Path) -> bool:
    """Return True for a reference compressed by bgzip, and refuse gzip, which allows no look-up."""
    with path.open("rb") as stream:
        start = stream.read(18)
    is_gzipped = start.startswith(b"\x1f\x8b")
    if is_gzipped and not (start[3:4] == b"\x04" and start[12:14] == b"BC"):
        msg = (
            f"{path} is compressed by gzip, which has to be read from its start for every interval. Unpack "
            "it, or compress it by bgzip instead."
        )
        raise InputError(msg)
    if is_gzipped != path.name.lower().endswith(_COMPRESSED_ENDINGS):
        msg = (
            f"{path} is {'' if is_gzipped else 'not '}compressed, but its ending says otherwise. Rename it."
        )
        raise InputError(msg)
    return is_gzipped


def _indexed(path: Path, temporary: Path, *, is_compressed: bool) -> Faidx:
    """Open a reference with the index beside it, or with a new one."""
    import pyfaidx

    names = [f"{path.name}{ending}" for ending in ((".fai", ".gzi") if is_compressed else (".fai",))]
    is_there = all(_is_current(path.with_name(name), path) for name in names)
    home = path.parent if is_there else temporary
    if not is_there:
        logger.info("%s: indexing the reference; this takes a while for a whole genome.", path.name)
    try:
        genome = pyfaidx.Faidx(
            path,
            indexname=home / f"{path.name}.fai",
            gzi_indexname=home / f"{path.name}.gzi",
            as_raw=True,
            strict_bounds=True,
            rebuild=False,
        )
    except (pyfaidx.FastaIndexingError, *_DAMAGE) as error:
        remedy = (
            f"Delete {path.with_name(names[0])}, and if that does not help, download the reference again."
            if is_there
            else "Repair it, or copy or download it again."
        )
        msg = f"{path} cannot be used as a reference: {' '.join(str(error).split()).rstrip('.')}. {remedy}"
        raise InputError(msg) from error
    if not is_there:
        _keep(temporary, path, names)
    return genome


def _is_current(index: Path, path: Path) -> bool:
    return index.is_file() and index.stat().st_mtime >= path.stat().st_mtime


def _keep(temporary: Path, path: Path, names: list[str]) -> None:
    """Copy index files beside the reference for the next time, each whole or not at all."""
    for name in names:
        staged = path.with_name(f".{name}.{os.getpid()}")
        try:
            shutil.copyfile(temporary / name, staged)
            staged.replace(path.with_name(name))
        except OSError as error:
            logger.info("%s: its index cannot be kept beside it: %s.", path, error.strerror)
            with suppress(OSError):
                staged.unlink()
            return
