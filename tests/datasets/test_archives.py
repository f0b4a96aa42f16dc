"""Archives are unpacked whole or not at all, and never outside of their folder."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from diffaug_bio.datasets._archives import default_bound, unpack
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEMBERS = {"set/a.txt": b"one", "set/deep/b.txt": b"two"}


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    mode = {".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz", ".tgz": "w:gz"}.get(path.suffix, "w:")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refuses(archive: Path, message: str, *, max_bytes: int | None = None) -> None:
    """Nothing is left: neither the target, nor a half of it, nor anything beside it."""
    before = {path for path in archive.parent.rglob("*") if ".unpacking" not in path.name}
    with pytest.raises(RecipeError, match=message):
        unpack(archive, archive.parent / "target", max_bytes=max_bytes)
    assert set(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip"])
def test_all_members_come_out(tmp_path: Path, ending: str) -> None:
    write = write_zip if ending == ".zip" else write_tar
    unpack(write(tmp_path / f"set{ending}", MEMBERS), tmp_path / "deep" / "target")
    assert contents(tmp_path / "deep" / "target") == MEMBERS


def test_a_compressed_file_loses_its_ending(tmp_path: Path) -> None:
    (tmp_path / "genome.fa.gz").write_bytes(gzip.compress(b">chr1\nACGT\n"))
    unpack(tmp_path / "genome.fa.gz", tmp_path / "target")
    assert contents(tmp_path / "target") == {"genome.fa": b">chr1\nACGT\n"}


def test_empty_folders_are_kept(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        member = tarfile.TarInfo("./empty")
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    unpack(tmp_path / "set.tar", tmp_path / "target")
    assert (tmp_path / "target" / "empty").is_dir()


@pytest.mark.parametrize("write", [write_tar, write_zip], ids=["tar", "zip"])
@pytest.mark.parametrize(
    "name", ["../outside", "set/../../outside", "/outside", "C:/outside", "..\\outside", "set\\..\\x"]
)
def test_members_outside_are_refused(
    tmp_path: Path, write: Callable[[Path, dict[str, bytes]], Path], name: str
) -> None:
    ending = ".tar" if write is write_tar else ".zip"
    archive = write(tmp_path / f"bad{ending}", {"good": b"x", name: b"evil"})
    refuses(archive, r"is refused: its member .* would lie outside the folder\. Nothing was unpacked")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    refuses(tmp_path / "bad.tar", "its member 'link' is a link or a device")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        member = zipfile.ZipInfo("link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    refuses(tmp_path / "bad.zip", "its member 'link' is a link or a device")


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    refuses(tmp_path / "bad.tar", "its member 'a' is there twice")


@pytest.mark.parametrize("write", [write_tar, write_zip], ids=["tar", "zip"])
@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("a", "a/")])
def test_a_file_where_a_folder_should_be_is_refused(
    tmp_path: Path, write: Callable[[Path, dict[str, bytes]], Path], names: tuple[str, str]
) -> None:
    archive = write(tmp_path / f"bad.{write.__name__[-3:]}", dict.fromkeys(names, b""))
    refuses(archive, "is there twice, or a file where a folder should be")


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".unpacking.target.x1").mkdir()
    unpack(write_tar(tmp_path / "set.tar", MEMBERS), tmp_path / "target")
    assert {path.name for path in tmp_path.iterdir()} == {"set.tar", "target"}


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".gz"])
def test_more_than_may_come_out_is_refused(tmp_path: Path, ending: str) -> None:
    archive = tmp_path / f"bomb{ending}"
    if ending == ".gz":
        archive.write_bytes(gzip.compress(bytes(10**6)))
    else:
        (write_zip if ending == ".zip" else write_tar)(archive, {"a": bytes(500_000), "b": bytes(500_000)})
    refuses(archive, r"more than 999999 bytes come out of its \d+\..*`max_unpacked`", max_bytes=999_999)
    unpack(archive, tmp_path / "target", max_bytes=10**6)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "bomb.zip", {"a": bytes(10**6)})
    content = archive.read_bytes()
    archive.write_bytes(content.replace((10**6).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refuses(archive, r"damaged|more than")


def test_without_a_bound_a_hundred_times_the_archive_may_come_out() -> None:
    assert default_bound(10) == 2**30
    assert default_bound(2**30) == 100 * 2**30


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".gz", ".tar.xz"])
@pytest.mark.parametrize("keep", [0, 60], ids=["empty", "cut"])
def test_damaged_archives_are_refused(tmp_path: Path, ending: str, keep: int) -> None:
    archive = tmp_path / f"set{ending}"
    if ending == ".gz":
        archive.write_bytes(gzip.compress(os.urandom(1000)))
    else:
        (write_zip if ending == ".zip" else write_tar)(archive, {"a": os.urandom(2000)})
    archive.write_bytes(archive.read_bytes()[:keep])
    refuses(archive, "is damaged or no archive")


def test_a_password_is_named(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", {"a": b"x"})
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refuses(archive, "needs a password")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.rar").write_bytes(b"x")
    refuses(tmp_path / "set.rar", r"has no ending of an archive")


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000 + "x"], ids=["long name", "long path"])
def test_names_that_are_too_long_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, b"1")
    with pytest.raises(RecipeError, match=r"has a name that is too long"):
        unpack(tmp_path / "x.zip", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]
