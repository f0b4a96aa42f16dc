"""Cases of archives: names that lead away, links, bombs, and bytes changed."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

from diffaug_bio.datasets._archives import unpack
from diffaug_bio.errors import RecipeError
from tests.robustness.harness import SilentlyWrongError
from tests.robustness.mutate import mutated, one_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

_NAMES = (
    *(
        "a.txt",
        "a/b.txt",
        "a",
        "b/",
        "../x",
        "/tmp/x",
        "a/../../x",
        "..",
        ".",
        "",
        "C:\\x",
        "a\\..\\x",
        "a\0b",
        "ä",
    ),
    *(
        "x" * 300,
        "a/" * 3000 + "x",
        "\x1b[31m",
        "a//b",
        "./a.txt",
        "a/./b.txt",
        "con",
        "a\nb",
        "\ud800",
        "~/x",
        "a ",
    ),
)
_BOUND = 2**20
_TAR_TYPES = (
    *(tarfile.REGTYPE,) * 6,
    *(
        tarfile.DIRTYPE,
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.FIFOTYPE,
        tarfile.CONTTYPE,
        b"Z",
    ),
)


def archive_case(rng: np.random.Generator, folder: Path) -> None:
    """Unpack an archive; nothing may lie outside the target, and after an error nothing within."""
    ending = one_of(rng, (".zip", ".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".gz"))
    content = _zip(rng) if ending == ".zip" else _tar(rng, ending)
    if rng.random() < 0.45:
        content = mutated(content, rng)
    if rng.random() < 0.05:  # under another's name
        ending = one_of(rng, (".zip", ".tar", ".tar.gz", ".gz", ".rar", ".tar.xz"))
    place = folder / "place"
    place.mkdir()
    archive = folder / f"x{ending}"
    archive.write_bytes(content)
    try:
        unpack(archive, place / "target", max_bytes=_BOUND)
    except RecipeError:
        _check(folder, archive, [])
        raise
    _check(folder, archive, ["target"])
    if sum(path.stat().st_size for path in place.rglob("*")) > 2 * _BOUND + 10**6:
        msg = "more came out than may"
        raise SilentlyWrongError(msg)


def _check(folder: Path, archive: Path, expected: list[str]) -> None:
    """Refuse files where none should be, and links."""
    found = {path.name for path in folder.iterdir()}
    inside = sorted(path.name for path in (folder / "place").iterdir())
    if found != {archive.name, "place"} or inside != expected:
        msg = f"there are {sorted(found)} and {inside}"
        raise SilentlyWrongError(msg)
    if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in folder.rglob("*")):
        msg = "a link or a device came out"
        raise SilentlyWrongError(msg)


def _zip(rng: np.random.Generator) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for _ in range(int(rng.integers(0, 4))):
            member = zipfile.ZipInfo(_name(rng).replace("\ud800", "x"))
            member.compress_type = one_of(
                rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
            )
            if rng.random() < 0.1:
                member.external_attr = one_of(rng, (0o120777, 0o020777, 0o010777, 0o040777)) << 16
            archive.writestr(member, _inside(rng))
    content = written.getvalue()
    if rng.random() < 0.15:  # a method that nobody knows, a password, a size that is not true
        place = content.rfind(b"PK\x01\x02")
        where, value = one_of(rng, ((8, 1), (10, 99), (20, 2**16 - 1), (24, 2**31), (6, 99), (42, 10**6)))
        if place >= 0:
            size = 4 if where in {20, 24, 42} else 2
            packed = struct.pack("<I", value)[:size]
            content = content[: place + where] + packed + content[place + where + size :]
    return content


def _tar(rng: np.random.Generator, ending: str) -> bytes:
    """Make a tar, or a single compressed file."""
    if ending == ".gz":
        return gzip.compress(_inside(rng), mtime=0)
    mode = {".tar": "w", ".tgz": "w:gz"}.get(ending, f"w:{ending.rpartition('.')[2]}")
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode, format=int(rng.integers(3))) as archive:  # type: ignore[call-overload]
        for _ in range(int(rng.integers(0, 4))):
            inside = _inside(rng)
            member = tarfile.TarInfo(_name(rng).replace("\0", "x"))
            member.type = one_of(rng, _TAR_TYPES)
            member.size = len(inside) if member.type == tarfile.REGTYPE else 0
            member.linkname = one_of(rng, ("a.txt", "../../x", "/etc/hostname", "."))
            member.mode = one_of(rng, (0o644, 0o000, 0o4755))
            try:
                archive.addfile(member, io.BytesIO(inside))
            except (ValueError, UnicodeError):  # a name that this format cannot hold
                continue
    content = written.getvalue()
    if ending == ".tar" and rng.random() < 0.2:  # sizes as text
        content = (
            content[:124] + one_of(rng, (b"77777777777\0", b"-1\0         ", b"\xff" * 12)) + content[136:]
        )
    if ending == ".tar.xz" and rng.random() < 0.1:
        content = lzma.compress(b"\0" * 10**6)
    return content


def _name(rng: np.random.Generator) -> str:
    """Draw a name, half of the time a harmless one."""
    return f"f{rng.integers(9)}.txt" if rng.random() < 0.5 else str(one_of(rng, _NAMES))


def _inside(rng: np.random.Generator) -> bytes:
    """Make the content of a member, now and then too much of it."""
    return b"\0" * (3 * _BOUND) if rng.random() < 0.05 else b"text" * int(rng.integers(0, 50))
