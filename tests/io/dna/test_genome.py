"""References that intervals are cut from: plain, compressed, broken, and their indexes."""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyfaidx  # noqa: F401 - loaded before a test gives up privileges
import pytest
from Bio import bgzf

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

FASTA = ">chr1\nACGTTGCAAC\nGGTTA\n>chr2\nTTTTTTTT\n"
BED = "chr1\t8\t13\nchr2\t0\t8\n"


def write_all(folder: Path, fasta: bytes, name: str = "genome.fa") -> Path:
    (folder / "peaks.bed").write_text(BED)
    (folder / name).write_bytes(fasta)
    return folder / name


def compress(folder: Path, text: str) -> bytes:
    writer: Any = bgzf.BgzfWriter  # which has no types
    with writer(folder / "written") as stream:
        stream.write(text.encode())
    return (folder / "written").read_bytes()


def check(adata: AnnData) -> None:
    """Compare with what `BED` cuts from `FASTA`."""
    assert list(adata.obs["sequence"]) == ["ACGGT", "TTTTTTTT"]


def test_index_is_kept_beside_the_reference_and_used(tmp_path: Path) -> None:
    reference = write_all(tmp_path, FASTA.encode())
    check(io.read(tmp_path / "peaks.bed", reference=reference))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genome.fa", "genome.fa.fai", "peaks.bed"]
    before = (tmp_path / "genome.fa.fai").stat().st_mtime_ns
    check(io.read(tmp_path / "peaks.bed", reference=reference))
    assert (tmp_path / "genome.fa.fai").stat().st_mtime_ns == before


def test_older_index_is_made_again(tmp_path: Path) -> None:
    reference = write_all(tmp_path, b">other\nAC\nGT\n>chr1\nAC\n")
    index = tmp_path / "genome.fa.fai"
    with pytest.raises(InputError, match=r"ends at 13"):
        io.read(tmp_path / "peaks.bed", reference=reference)
    os.utime(index, (1, 1))
    reference.write_text(FASTA)
    check(io.read(tmp_path / "peaks.bed", reference=reference))


def test_index_of_another_file_is_an_error(tmp_path: Path) -> None:
    reference = write_all(tmp_path, FASTA.encode())
    index = tmp_path / "genome.fa.fai"
    index.write_text("chr1\t15\t6\t10\t11\nchr2\t8\t400\t8\t9\n")
    with pytest.raises(InputError, match=r"does not fit its index\. Delete .*genome\.fa\.fai"):
        io.read(tmp_path / "peaks.bed", reference=reference)
    index.write_text("nonsense\n")
    with pytest.raises(InputError, match=r"cannot be used as a reference: .* Delete .*genome\.fa\.fai"):
        io.read(tmp_path / "peaks.bed", reference=reference)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take away the right to write to a folder; as root, by being nobody for a while."""
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.seteuid(65534)
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="rights are set differently elsewhere")
def test_index_lies_elsewhere_if_the_folder_is_read_only(caplog: pytest.LogCaptureFixture) -> None:
    # Not in `tmp_path`, which nobody but its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = write_all(folder, FASTA.encode())
        with read_only(folder), caplog.at_level("INFO"):
            check(io.read(folder / "peaks.bed", reference=reference))
        assert sorted(path.name for path in folder.iterdir()) == ["genome.fa", "peaks.bed"]
    assert "its index cannot be kept beside it: Permission denied" in caplog.text


@pytest.mark.parametrize("name", ["genome.fa.gz", "genome.fa.bgz"])
def test_reference_compressed_by_bgzip_is_read(tmp_path: Path, name: str) -> None:
    reference = write_all(tmp_path, compress(tmp_path, FASTA), name)
    for _ in range(2):  # the second time with the indexes
        check(io.read(tmp_path / "peaks.bed", reference=reference))
    assert (tmp_path / f"{name}.fai").is_file()
    assert (tmp_path / f"{name}.gzi").is_file()


def test_intervals_across_blocks_of_bgzip_are_slices(tmp_path: Path) -> None:
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 150_000))
    text = ">chr1\n" + "".join(f"{letters[at : at + 60]}\n" for at in range(0, len(letters), 60))
    reference = write_all(tmp_path, compress(tmp_path, text), "genome.fa.gz")
    near_ends = [int(65536 * number / 61 * 60) - 6 + shift for number in (1, 2) for shift in range(-9, 10)]
    starts = [*near_ends, 0, 77_777, 149_980]
    (tmp_path / "peaks.bed").write_text("".join(f"chr1\t{start}\t{start + 20}\n" for start in starts))
    adata = io.read(tmp_path / "peaks.bed", reference=reference)
    assert list(adata.obs["sequence"]) == [letters[start : start + 20] for start in starts]


def test_reference_compressed_by_gzip_says_what_to_do(tmp_path: Path) -> None:
    reference = write_all(tmp_path, gzip.compress(FASTA.encode()), "genome.fa.gz")
    with pytest.raises(InputError, match=r"genome\.fa\.gz .*gzip.*bgzip"):
        io.read(tmp_path / "peaks.bed", reference=reference)


def test_endings_have_to_tell_the_compression(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"genome\.fa\.gz is not compressed, but its ending says .* Rename"
    ):
        io.read(tmp_path / "peaks.bed", reference=write_all(tmp_path, FASTA.encode(), "genome.fa.gz"))
    with pytest.raises(InputError, match=r"genome\.fa is compressed, but its ending says otherwise"):
        io.read(tmp_path / "peaks.bed", reference=write_all(tmp_path, compress(tmp_path, FASTA)))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_cut_reference_is_an_error(tmp_path: Path, share: float) -> None:
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 200_000))
    whole = compress(tmp_path, f">chr1\n{letters}\n")
    reference = write_all(tmp_path, whole[: int(share * len(whole))], "genome.fa.gz")
    with pytest.raises(InputError, match=r"genome\.fa\.gz cannot be used as a reference: .* download it"):
        io.read(tmp_path / "peaks.bed", reference=reference)


def test_reference_damaged_after_it_was_indexed_is_an_error(tmp_path: Path) -> None:
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 100_000))
    reference = write_all(
        tmp_path, compress(tmp_path, f">chr1\n{letters}\n>chr2\nTTTTTTTT\n"), "genome.fa.gz"
    )
    io.read(tmp_path / "peaks.bed", reference=reference)
    content = bytearray(reference.read_bytes())
    (tmp_path / "peaks.bed").write_text("chr1\t90000\t90010\n")  # in the second block
    content[-5000:-4000] = bytes(1000)
    reference.write_bytes(content)
    os.utime(reference, (1, 1))
    with pytest.raises(
        InputError, match=r"genome\.fa\.gz cannot be read at chr1:90000: .* download it again"
    ):
        io.read(tmp_path / "peaks.bed", reference=reference)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"cannot be used as a reference: .* Repair it"),
        (b"id,a\ns1,2\n", r"cannot be used as a reference: .*line 1.* Repair it"),
        (b">chr1\nACG\nACGT\nAC\n", r"cannot be used as a reference: .*consistent.* Repair it"),
        (b">chr1\nACGT\n>chr1\nACGT\n", r"cannot be used as a reference: .*chr1.* Repair it"),
        (b">chr1\nACGT\n>\nACGT\n", r"cannot be used as a reference: .* Repair it"),
        (bytes(range(256)) * 20, r"genome\.fa cannot be used as a reference: .* Repair it"),
    ],
    ids=["empty", "a table", "lines of several lengths", "names twice", "no name", "binary"],
)
def test_bad_reference_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    reference = write_all(tmp_path, content)
    with pytest.raises(InputError, match=message):
        io.read(tmp_path / "peaks.bed", reference=reference)
    assert not (tmp_path / "genome.fa.fai").exists()


def test_missing_reference_is_an_error(tmp_path: Path) -> None:
    write_all(tmp_path, b"")
    with pytest.raises(InputError, match=r"There is no reference .*none\.fa"):
        io.read(tmp_path / "peaks.bed", reference=tmp_path / "none.fa")
    with pytest.raises(InputError, match=r"There is no reference"):
        io.read(tmp_path / "peaks.bed", reference=tmp_path)


@pytest.mark.parametrize(
    ("package", "name"), [("pyfaidx", "genome.fa"), ("Bio.bgzf", "genome.fa.gz")], ids=["pyfaidx", "bgzip"]
)
def test_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, name: str
) -> None:
    content = compress(tmp_path, FASTA) if name.endswith(".gz") else FASTA.encode()
    reference = write_all(tmp_path, content, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        InputError, match=rf"needs the package '{package}'.*pip install \"diffaug-bio\[genome\]\""
    ):
        io.read(tmp_path / "peaks.bed", reference=reference)
