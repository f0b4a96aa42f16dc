"""Sequences as FASTA: what is written is what is read back."""

from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.output.files import staged_file
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

single_letters = KmerEncoding(k=(1,))  # so that no sequence is too short
# Of every script, with spaces of all kinds; neither quotes nor line ends, which are refused.
values = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"') | st.sampled_from(" \t"),
    min_size=1,
    max_size=12,
)
rows = st.dictionaries(
    st.text("abcXYZ019_.:|-", min_size=1, max_size=8),
    st.tuples(st.text("ACGTNRYSWKMBDHV", min_size=1, max_size=70), st.none() | values, st.none() | values),
    min_size=1,
    max_size=6,
)


def make(obs: pd.DataFrame | None = None) -> AnnData:
    """Two sequences with annotations."""
    return io.from_sequences(["ACGTACGT", "GGCATNNA"], names=["a", "b"], obs=obs)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows)
@pytest.mark.parametrize("name", ["some.fa", "some.fasta.gz"])
def test_names_letters_and_annotations_are_read_back(
    tmp_path: Path, rows: dict[str, tuple[str, str | None, str | None]], name: str
) -> None:
    letters, kinds, places = zip(*rows.values(), strict=True)
    obs = pd.DataFrame({"kind": kinds, "place.of-origin": places}, dtype=object)
    written = io.from_sequences(letters, names=list(rows), obs=obs, kmers=single_letters)
    io.write_fasta(tmp_path / name, written)
    found = io.read(tmp_path / name, kmers=single_letters)
    assert list(found.obs_names) == list(rows)
    assert list(found.obs["sequence"]) == list(letters)
    for key in obs:
        read = found.obs[key].astype(object) if key in found.obs else pd.Series([None] * len(rows))
        assert [None if pd.isna(value) else value for value in read] == list(obs[key])


def test_sequences_without_annotations_are_written(tmp_path: Path) -> None:
    io.write_fasta(tmp_path / "plain.fa", make())
    assert (tmp_path / "plain.fa").read_text() == ">a\nACGTACGT\n>b\nGGCATNNA\n"


def test_headers_hold_what_is_known_of_a_sequence(tmp_path: Path) -> None:
    obs = pd.DataFrame({"kind": ["x", None], "cell type": ["T cell", "B"], "score": [0.5, np.nan]})
    io.write_fasta(tmp_path / "some.fa", make(obs))
    assert (tmp_path / "some.fa").read_text() == (
        '>a kind=x cell_type="T cell" score=0.5\nACGTACGT\n>b cell_type=B\nGGCATNNA\n'
    )


def test_mean_quality_is_left_out_so_that_reads_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "reads.fq").write_text("@a kind=x\nACGTAC\n+\nIIIIII\n@b\nGGCATA\n+\nIIII!!\n")
    io.write_fasta(tmp_path / "reads.fa", io.read(tmp_path / "reads.fq"))
    found = io.read(tmp_path / "reads.fa")
    assert list(found.obs.columns) == ["sequence", "kind"]
    assert list(found.obs["sequence"]) == ["ACGTAC", "GGCATA"]


@pytest.mark.parametrize(
    ("name", "is_gzipped"), [("a.fa", False), ("a.fa.gz", True), ("A.FA.GZ", True), ("a.gz.fa", False)]
)
def test_the_name_decides_on_gzip_and_the_bytes_are_reproducible(
    tmp_path: Path,
    name: str,
    is_gzipped: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        io.write_fasta(folder / name, make())
        contents.append((folder / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(b"\x1f\x8b") == is_gzipped
    text = gzip.decompress(contents[0]) if is_gzipped else contents[0]
    assert text == b">a\nACGTACGT\n>b\nGGCATNNA\n"
    # Bytes 4 to 8 of gzip are the time.
    assert not is_gzipped or contents[0][4:8] == bytes(4)


@pytest.mark.parametrize("name", ["two words", "tab\tbed", "line\nend", ""])
def test_a_name_that_no_header_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    adata = make()
    adata.obs_names = ["a", name]
    with pytest.raises(InputError, match=r"name in FASTA has no spaces and is not empty, got .*Rename"):
        io.write_fasta(tmp_path / "some.fa", adata)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ['the "best"', "two\nlines", "two\r\nlines", "return\rhere"])
def test_an_annotation_that_no_header_can_hold_is_refused(tmp_path: Path, value: str) -> None:
    adata = make(pd.DataFrame({"kind": ["x", value]}))
    with pytest.raises(InputError, match=r"annotation 'kind' .* cannot stand in a FASTA header"):
        io.write_fasta(tmp_path / "some.fa", adata)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["1st", "_kind", "a=b", "kind[2]", "two\nlines"])
def test_a_key_that_would_not_be_read_back_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=r"The column .* cannot be a key in a FASTA header"):
        io.write_fasta(tmp_path / "some.fa", make(pd.DataFrame({key: ["x", "y"]})))


def test_columns_that_would_be_one_key_are_refused(tmp_path: Path) -> None:
    obs = pd.DataFrame({"cell type": ["x", "y"], "cell_type": ["y", "x"]})
    with pytest.raises(InputError, match=r"1 keys of FASTA headers occur more than once: 'cell_type'"):
        io.write_fasta(tmp_path / "some.fa", make(obs))


def test_data_without_letters_are_refused(tmp_path: Path, counts: AnnData) -> None:
    with pytest.raises(InputError, match=r"no letters in .* only columns 'cluster'\. Write an \.h5ad file"):
        io.write_fasta(tmp_path / "cells.fa", counts)
    del counts.obs["cluster"]
    with pytest.raises(InputError, match=r"only columns none\."):
        io.write_fasta(tmp_path / "cells.fa", counts)
    assert not list(tmp_path.iterdir())


def test_a_refused_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "some.fa"
    path.write_text(">old\nACGT\n")
    with pytest.raises(InputError, match="Remove quotes"):
        io.write_fasta(path, make(pd.DataFrame({"kind": ["x", '"']})))
    assert path.read_text() == ">old\nACGT\n"


@pytest.mark.parametrize("reason", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_the_old_file_as_it_was(
    tmp_path: Path, reason: type[BaseException]
) -> None:
    path = tmp_path / "some.fa.gz"
    path.write_bytes(b"old")

    def write_half() -> None:
        with staged_file(path) as stage:
            assert stage.name.endswith("some.fa.gz")
            stage.write_bytes(b"half")
            raise reason

    with pytest.raises(reason, match=r"^$"):
        write_half()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.fa.gz"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_a_disk_that_is_full_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "some.fa"
    path.write_text(">old\nACGT\n")
    adata = io.from_sequences(["ACGT" * 5000])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            io.write_fasta(path, adata)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == ">old\nACGT\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["some.fa"]


def test_a_file_is_replaced_whole_and_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "some.fa"
    path.write_text("old\n" * 100)
    io.write_fasta(path, make())
    assert path.read_text() == ">a\nACGTACGT\n>b\nGGCATNNA\n"
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert {entry.name for entry in tmp_path.iterdir()} == {"some.fa", "usual"}


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    adata = io.from_sequences(["ACGTACGT", "TTTTACGT"])
    io.write_fasta(str(tmp_path / "some.fa.gz"), adata)
    assert list(io.read(tmp_path / "some.fa.gz").obs["sequence"]) == ["ACGTACGT", "TTTTACGT"]
