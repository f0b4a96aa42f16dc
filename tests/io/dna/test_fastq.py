"""Reading FASTQ, whole and broken."""

from __future__ import annotations

import gzip
import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

FASTQ = """@r1 label=x first
ACGTAC
+
IIIIII
@r2 label=y
acgunn
+r2 label=y
!!!III
"""


def write_text(folder: Path, text: str, name: str = "reads.fastq") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("name", ["reads.fastq", "reads.fq", "READS.FQ"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_fastq_gives_words_letters_annotations_and_quality(
    tmp_path: Path, name: str, *, zipped: bool
) -> None:
    path = tmp_path / (f"{name}.gz" if zipped else name)
    path.write_bytes(gzip.compress(FASTQ.encode()) if zipped else FASTQ.encode())
    adata = io.read(path)
    assert list(adata.obs_names) == ["r1", "r2"]
    assert list(adata.obs["sequence"]) == ["ACGTAC", "ACGTNN"]
    assert list(adata.obs["label"]) == ["x", "y"]
    assert list(adata.obs["mean_quality"]) == [40, 20]
    assert adata.obs["mean_quality"].dtype == np.float32
    assert list(adata.obs.columns) == ["sequence", "label", "mean_quality"]


def test_fasta_has_no_quality(tmp_path: Path) -> None:
    assert "mean_quality" not in io.read(write_text(tmp_path, ">a\nACGT\n", "reads.fa")).obs


def test_quality_is_the_mean_of_what_the_letters_stand_for(tmp_path: Path) -> None:
    letters = "".join(map(chr, range(33, 127)))
    adata = io.read(write_text(tmp_path, f"@r\n{'A' * len(letters)}\n+\n{letters}\n"))
    # Exact in float64; one rounding to float32.
    assert adata.obs["mean_quality"].iloc[0] == np.float32(np.mean(np.arange(94)))


@pytest.mark.parametrize(
    "text",
    [
        *(FASTQ.replace("\n", "\r\n"), "\ufeff" + FASTQ, FASTQ.rstrip("\n")),
        *(f"{FASTQ}{ends}" for ends in ("\n", "\n\n", "\n\n\n\n", "\n" * 9, " \n\n")),
    ],
    ids=["CRLF", "byte order mark", "no line end", "1 empty", "2 empty", "4 empty", "9 empty", "a space"],
)
def test_quirks_of_text_files_change_nothing(tmp_path: Path, text: str) -> None:
    plain = io.read(write_text(tmp_path, FASTQ, "plain.fq"))
    pd.testing.assert_frame_equal(io.read(write_text(tmp_path, text)).obs, plain.obs)


@pytest.mark.parametrize("name", ["reads.txt", "reads.csv", "reads", "reads.gz"])
@pytest.mark.parametrize(
    "text", [FASTQ, "\n>r1 label=x\nACGTAC\n>r2 label=y\nacgunn\n"], ids=["FASTQ", "FASTA"]
)
def test_formats_are_told_apart_by_content_where_the_ending_tells_nothing(
    tmp_path: Path, name: str, text: str
) -> None:
    adata = io.read(write_text(tmp_path, text, name), modality="dna")
    assert list(adata.obs_names) == ["r1", "r2"]
    assert ("mean_quality" in adata.obs) == text.startswith("@")


def test_result_is_written_to_h5ad_and_read_back(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, FASTQ))
    adata.write_h5ad(tmp_path / "reads.h5ad")
    again = io.read(tmp_path / "reads.h5ad")
    assert again.obs["mean_quality"].dtype == np.float32
    np.testing.assert_array_equal(again.X.toarray(), adata.X.toarray())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "@r1\nACGT\n+\nIII\n@r2\nACGT\n+\nIIII\n",
            r"reads\.fastq record 'r1' has 4 letters, but 3 qualities in line 4",
        ),
        (
            "@r1\nACGT\n+\nIIII\n@r2\nACGT\n+\nIIIII\n",
            r"record 'r2' has 4 letters, but 5 qualities in line 8\.",
        ),
        (
            "@r1\nACGT\n+\nIIII\n@r2 b\nACGT\nIIII\n@r3\n",
            r"record 'r2 b' has no '\+' in line 7, but 'IIII'",
        ),
        ("@r1\nACGT\nACGT\n+\nIIII\nIIII\n", r"record 'r1' has no '\+' in line 3, but 'ACGT'"),
        (
            "@r1\nACGT\n+\nIIII\n>r2\nACGT\n>r3\nACGT\n",
            r"reads\.fastq mixes FASTA and FASTQ: a FASTA record starts in line 5",
        ),
        ("@r1\nACGT\n+\nIIII\n>r2\nACGT\n", r"mixes FASTA and FASTQ: a FASTA record starts in line 5"),
        (
            ">r1\nACGT\n",
            r"is not FASTQ, see line 1: .* got '>r1'\. It looks like FASTA; give it the ending",
        ),
        ("r1\nACGT\n+\nIIII\n", r"is not FASTQ, see line 1: expected '@' and an id, but got 'r1'\.$"),
        ("@r1\nACGT\n+\nIIII\n\n@r2\nACGT\n+\nIIII\n", r"not FASTQ, see line 5: .* but got ''"),
        (
            "@r1\nACGT\n+\nIIII\n@r2\nACGT\n+\nII",
            r"is cut off in its last record 'r2', .* in line 5",
        ),
        ("@r1\nACGT\n+\nIIII\n@r2\nACGT\n", r"is cut off in its last record 'r2', which starts in line 5"),
        ("@r1\nACGT\n+\nIIII\n@r2", r"is cut off in its last record 'r2'|not FASTQ"),
        ("@r1\nACGT\n+other\nIIII\n", r"reads\.fastq is not FASTQ: .*line 3.*don't match"),
        (
            "@r1\nACGT\n+\nII\x01I\n",
            r"record 'r1' has letters in its quality line that stand for no quality",
        ),
        ("@r1\nAC-GT\n+\nIIIII\n", r"record 'r1' holds '-', which is not a nucleotide code"),
        ("@r1\n\n+\n\n", r"record 'r1' has no sequence"),
        ("@\nACGT\n+\nIIII\n", r"record 1 has no id"),
        ("@r1\nACGT\n+\nIIII\n@r1\nACGT\n+\nIIII\n", r"1 record ids occur more than once: 'r1'"),
        ("@r1\nMEEPQSDPSVEPPLS\n+\nIIIIIIIIIIIIIII\n", r"record 'r1' looks like a protein"),
        ("@r1 mean_quality=3\nACGT\n+\nIIII\n", r"has the header key 'mean_quality', a name that is taken"),
        ("@rä\nACGT\n+\nIIII\n", r"is not FASTQ: .*Non-ASCII"),
        ("", r"is empty: it holds no record\. Records are lines '@ID', letters"),
        ("\n\n", r"is empty: it holds no record"),
    ],
    ids=[
        *(
            "short qualities",
            "long qualities",
            "no plus",
            "several lines",
            "FASTA inside",
            "FASTA at the end",
        ),
        *("FASTA", "no format", "empty line inside", "cut in qualities", "cut in letters", "cut in header"),
        *("other second header", "no quality", "gap", "no letters", "no id", "ids twice", "protein"),
        *("key that is taken", "not ASCII", "empty", "only empty lines"),
    ],
)
def test_bad_content_is_named_with_its_record(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_text(tmp_path, text))


def test_fastq_inside_fasta_is_named_with_its_line(tmp_path: Path) -> None:
    path = write_text(tmp_path, ">a\nACGT\n\n@r1\nACGT\n+\nIIII\n>b\nACGT\n", "reads.fa")
    with pytest.raises(
        InputError, match=r"reads\.fa mixes FASTA and FASTQ: a FASTQ record starts in line 4"
    ):
        io.read(path)
    path = write_text(tmp_path, ">a\nAC@GT\n", "reads.fa")
    with pytest.raises(InputError, match=r"record 'a' holds '@'.*nucleotide"):
        io.read(path)


def test_broken_record_far_into_a_file_is_named(tmp_path: Path) -> None:
    whole = "".join(f"@r{number}\nACGTACGT\n+\nIIIIIIII\n" for number in range(20_000))
    path = write_text(tmp_path, whole.replace("@r15000\nACGTACGT\n+", "@r15000\nACGTACGT\n"))
    with pytest.raises(InputError, match=r"record 'r15000' has no '\+' in line 60003, but ''"):
        io.read(path)


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.5, 0.95, 0.9999])
def test_cut_gzip_is_an_error(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("ACGT"))
    records = (f"@r{number}\n{''.join(rng.choice(letters, 80))}\n+\n{'I' * 80}\n" for number in range(500))
    whole = gzip.compress("".join(records).encode())
    path = tmp_path / "reads.fastq.gz"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"reads\.fastq\.gz .*gzip"):
        io.read(path)


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)) * 20, b"\0" * 1000, FASTQ.encode("utf-16")],
    ids=["all", "zeros", "UTF-16"],
)
def test_binary_content_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "reads.fastq").write_bytes(content)
    with pytest.raises(InputError, match=r"is not FASTQ"):
        io.read(tmp_path / "reads.fastq")


def test_short_reads_are_left_out_with_their_quality(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adata = io.read(write_text(tmp_path, f"@short\nACG\n+\n!!!\n{FASTQ}"))
    assert list(adata.obs["mean_quality"]) == [40, 20]
    assert "1 sequences of fewer than 4 letters are left out: 'short'" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING


def test_transposed_reads_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sequences.*transpose"):
        io.read(write_text(tmp_path, FASTQ), transpose=True)
