"""Small files out of which far more comes than they hold, and others that are made to break readers."""

from __future__ import annotations

import gzip
import io as bytes_io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.io import _files
from diffaug_bio.io.images._cifar import _load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("name", "start"), [("t.csv.gz", b"id,a\n"), ("t.fa.gz", b">a\n")])
def test_gzip_of_little_but_zeros_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, start: bytes
) -> None:
    monkeypatch.setattr(_files, "_ALWAYS_UNPACKED", 2**20)
    (tmp_path / name).write_bytes(gzip.compress(start + b"A" * 2**23))
    with pytest.raises(InputError, match=r"GiB.* 200 times"):
        io.read(tmp_path / name)


def test_idx_of_little_but_zeros_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "_ALWAYS_UNPACKED", 2**20)
    content = struct.pack(">4BIII", 0, 0, 8, 3, 4, 28, 28) + bytes(2**23)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match="unpacks to more than"):
        io.read(tmp_path / "train-images-idx3-ubyte.gz")


def write_npz(path: Path, header: str, values: bytes = b"", name: str = "images") -> Path:
    text = header.encode("latin-1") + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values
        archive.writestr(f"{name}.npy", array)
        if name != "images":
            images = bytes_io.BytesIO()
            np.save(images, np.zeros((4, 8, 8), np.uint8))
            archive.writestr("images.npy", images.getvalue())
    return path


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    "header",
    [
        "(" * 9000 + ")" * 9000,
        "-" * 9000 + "1",
        HEADER.format("|u1", "(1000000000000, 8, 8)"),
        HEADER.format("|u1", f"({2**40}, {2**40}, {2**40})"),
        HEADER.format("|u1", "(-1, 8, 8)"),
        HEADER.format("|V999999999", "(1,)"),
    ],
)
def test_odd_headers_of_npz_are_a_sentence(tmp_path: Path, header: str) -> None:
    with pytest.raises(InputError, match=r"x\.npz") as caught:
        io.read(write_npz(tmp_path / "x.npz", header))
    assert len(str(caught.value)) < 500


def test_labels_that_are_no_unicode_are_a_sentence(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "x.npz", HEADER.format("<U1", "(4,)"), b"\xff" * 16, "labels")
    with pytest.raises(InputError, match="damaged"):
        io.read(path)


def test_npz_that_unpacks_to_gigabytes_is_refused_before(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY")
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"4 GiB.* 124 bytes"):
        io.read(path)


def test_npz_that_memory_cannot_hold_is_refused_at_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 8, 8), np.uint8))
    assert io.read(tmp_path / "x.npz").shape == (4, 64)
    monkeypatch.setattr(_files, "free_bytes", lambda: 100)
    with pytest.raises(InputError, match="GiB of memory are free"):
        io.read(tmp_path / "x.npz")


def test_images_whose_pixels_cannot_all_be_features_are_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b""))
    with pytest.raises(InputError, match="9000 x 9000 pixels, which are too many"):
        io.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02)q\0"
        + b"".join(bytes([*b"h", i, *b"h", i, *b"\x86q", i + 1]) for i in range(60))
        + b"}h\x3cK\x01s.",
        b"\x80\x02)" + b"2\x86" * 60 + b"}2K\x01s.",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"L" + b"9" * 5000 + b"L\n.",
    ],
    ids=["tuples used twice", "duplicates", "far cell", "digits"],
)
def test_pickles_made_to_take_for_ever_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "meta").write_bytes(content)
    with pytest.raises(InputError, match="not a file of CIFAR"):
        _load(tmp_path / "meta")


@pytest.mark.parametrize("text", ["id,a\ns1,1\0\ns2,2\n", 'id,a\n"s\0001",1\ns2,2\n'])
def test_tables_with_nul_bytes_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match="line 2 holds a NUL"):
        io.read(tmp_path / "t.csv")


def test_messages_stay_short_whatever_a_field_holds(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"id,a,b\ns1,{'9' * 10**6},2\ns2,3,4\n")
    with pytest.raises(InputError, match="column 'a'") as caught:
        io.read(tmp_path / "t.csv")
    assert len(str(caught.value)) < 500


def test_places_of_too_many_digits_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyfaidx")
    (tmp_path / "g.fa").write_text(">chr1\nACGT\n")
    (tmp_path / "x.bed").write_text(f"chr1\t0\t{'9' * 5000}\n")
    with pytest.raises(InputError, match="line 1 has the end"):
        io.read(tmp_path / "x.bed", reference=tmp_path / "g.fa")
