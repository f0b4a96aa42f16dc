"""Reading FASTA, whole and broken."""

from __future__ import annotations

import gzip
import logging
import os
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io, pp
from diffaug_bio.datasets import DataSource, read_source
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

FASTA = """>s1 label=promoter strain="K 12" first
ACGTACGTAA
ccgg

>s2 second [label=coding region] score=0.5
AUGCNNRYAUGC
>s3 strain=B label=
TTTTTTTT
"""


def write_text(folder: Path, text: str, name: str = "reads.fa") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("name", ["reads.fa", "reads.fasta", "reads.fna", "READS.FA"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_fasta_gives_words_letters_and_annotations(tmp_path: Path, name: str, *, zipped: bool) -> None:
    path = tmp_path / (f"{name}.gz" if zipped else name)
    path.write_bytes(gzip.compress(FASTA.encode()) if zipped else FASTA.encode())
    adata = io.read(path)
    letters = ["ACGTACGTAACCGG", "ATGCNNRYATGC", "TTTTTTTT"]
    shares, words = pp.encode_kmers(letters)
    assert list(adata.obs_names) == ["s1", "s2", "s3"]
    assert list(adata.var_names) == words
    np.testing.assert_array_equal(adata.X.toarray(), shares.toarray())
    assert (adata.X.format, adata.X.dtype) == ("csr", np.float32)
    assert list(adata.obs["sequence"]) == letters
    assert list(adata.obs.columns) == ["sequence", "label", "strain", "score"]
    assert all(
        isinstance(adata.obs[key].dtype, pd.CategoricalDtype) for key in ("label", "strain", "score")
    )
    assert list(adata.obs["label"].astype(object).fillna("-")) == ["promoter", "coding region", "-"]
    assert list(adata.obs["strain"].astype(object).fillna("-")) == ["K 12", "-", "B"]
    assert list(adata.obs["score"].astype(object).fillna("-")) == ["-", "0.5", "-"]
    assert adata.uns["kmers"] == {"k": [4], "canonical": False, "relative": True, "n_bins": 1}


@pytest.mark.parametrize(
    "text",
    ["\ufeff" + FASTA, FASTA.replace("\n", "\r\n"), FASTA.rstrip("\n"), "\n\n" + FASTA + "\n\n"],
    ids=["byte order mark", "CRLF", "no final line end", "empty lines"],
)
def test_quirks_of_text_files_change_nothing(tmp_path: Path, text: str) -> None:
    plain = io.read(write_text(tmp_path, FASTA, "plain.fa"))
    quirky = io.read(write_text(tmp_path, text))
    pd.testing.assert_frame_equal(quirky.obs, plain.obs)
    np.testing.assert_array_equal(quirky.X.toarray(), plain.X.toarray())


def test_headers_may_hold_any_letters(tmp_path: Path) -> None:
    adata = io.read(
        write_text(tmp_path, ">Ä1 höst=Bärlauch url=http://x.org/?a=b http://x.org/?c=d\nACGT\n")
    )
    assert list(adata.obs_names) == ["Ä1"]
    assert list(adata.obs.columns) == ["sequence", "höst", "url"]
    assert adata.obs.iloc[0].to_list() == ["ACGT", "Bärlauch", "http://x.org/?a=b"]


def test_any_name_is_read_as_dna_if_told(tmp_path: Path) -> None:
    assert io.read(write_text(tmp_path, FASTA, "reads.txt"), modality="dna").n_obs == 3


@pytest.mark.parametrize("third", ["TTTTTTTT", "ACGTACGTAACCGG"], ids=["all unique", "one letters twice"])
def test_result_is_written_to_h5ad_and_read_back(tmp_path: Path, third: str) -> None:
    adata = io.read(write_text(tmp_path, FASTA.replace("TTTTTTTT", third)))
    before = adata.copy()
    adata.write_h5ad(tmp_path / "reads.h5ad")
    again = io.read(tmp_path / "reads.h5ad")
    np.testing.assert_array_equal(again.X.toarray(), before.X.toarray())
    # AnnData writes text that repeats as categories.
    pd.testing.assert_frame_equal(
        again.obs.astype({"sequence": object}), before.obs.astype({"sequence": object})
    )
    assert list(again.var_names) == list(before.var_names)
    assert list(again.uns["kmers"]["k"]) == [4]
    assert not again.uns["kmers"]["canonical"]


def test_many_keys_are_read_without_a_warning(tmp_path: Path) -> None:
    header = " ".join(f"key{number}={number}" for number in range(300))
    assert io.read(write_text(tmp_path, f">s1 {header}\nACGT\n")).obs.shape == (1, 301)


def test_letters_for_several_bases_are_counted_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        io.read(write_text(tmp_path, FASTA))
    assert "2 letters N and 2 other IUPAC codes; words of 4 letters with them are not" in caplog.text
    assert "keys in headers: 'label', 'strain', 'score'" in caplog.text


def test_short_sequences_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adata = io.read(write_text(tmp_path, ">a label=x\nACG\n>b label=y\nACGT\n>c label=y\nT\n"))
    assert list(adata.obs_names) == ["b"]
    assert list(adata.obs["label"].cat.categories) == ["y"]
    assert "2 sequences of fewer than 4 letters are left out: 'a', 'c'" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING


def test_sequences_without_a_word_stay_as_zeros_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adata = io.read(write_text(tmp_path, ">a\nACGNNNACG\n>b\nACGT\n"))
    np.testing.assert_array_equal(np.asarray(adata.X.sum(1)).ravel(), [0, 1])
    assert "1 sequences hold no 4 letters A, C, G, T in a row" in caplog.text


def test_whole_file_of_short_sequences_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"reads\.fa holds only sequences of fewer .* record 'a'"):
        io.read(write_text(tmp_path, ">a\nACG\n>b\nAC\n"))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"], ids=["no byte", "empty lines", "a comment"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzipped"])
def test_empty_file_is_an_error(tmp_path: Path, text: str, *, zipped: bool) -> None:
    path = write_text(tmp_path, text)
    if zipped:
        path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(InputError, match=r"reads\.fa is empty: it holds no record"):
        io.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a,b\ns1,1,2\n", r"reads\.fa is not FASTA, see line 1: Expected '>' .* got 'id,a,b'"),
        ("\nACGT\n>s1\nACGT\n", r"is not FASTA, see line 2: Expected '>'"),
        ("@s1\nACGT\n+\nIIII\n", r"is not FASTA, see line 1.* It looks like FASTQ; convert it"),
        (">s1\nACGT\n>\nACGT\n", r"reads\.fa record 2 has no id\. Write its header as '>ID'"),
        (">s1\n>s2\nACGT\n", r"reads\.fa record 's1' has no sequence\. Add it below"),
        (">s1\nACGT\n>s2\n", r"reads\.fa record 's2' has no sequence"),
        (
            ">s1\nACGT\n>s2\nAC-GT\n",
            r"reads\.fa record 's2' holds '-', which is not a nucleotide .* remove gaps",
        ),
        (">s1\nACGTZACGT\n", r"record 's1' holds 'Z', which is not a nucleotide code"),
        (">s1\n1 ACGT 5 ACGT\n", r"record 's1' holds '1', ' ', '5', which is not a nucleotide code"),
        (">s1\nACßGT\n", r"record 's1' holds 'ß', which is not a nucleotide code"),
        (">p1\nMEEPQSDPSVEPPLSQETFSDLWKLLPENNVLSPL*\n", r"record 'p1' looks like a protein\. Only DNA"),
        (">s1\nACGT\n>s2\nACGT\n>s1\nACGT\n", r"1 record ids occur more than once: 's1'.*reads\.fa"),
        (">s1 label=x label=y\nACGT\n", r"record 's1' has two values of 'label'\. Keep one"),
        (">s1 sequence=x\nACGT\n", r"record 's1' has the header key 'sequence'.* Rename"),
    ],
    ids=[
        *("a table", "letters before a header", "FASTQ", "no id", "no letters", "no letters at the end"),
        *("a gap", "a letter of no base", "numbers and spaces", "not ASCII", "protein", "ids twice"),
        *("two values of a key", "key of the letters"),
    ],
)
def test_bad_content_is_named_with_its_record(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_text(tmp_path, text))


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)) * 20, b"\0" * 1000, b">s1\nACGT\n\xff\xfe\n", FASTA.encode("utf-16")],
    ids=["all bytes", "zeros", "not UTF-8", "UTF-16"],
)
def test_binary_content_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "reads.fa").write_bytes(content)
    with pytest.raises(InputError, match=r"is not a UTF-8 text file|is not FASTA"):
        io.read(tmp_path / "reads.fa")


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.5, 0.95, 0.9999])
def test_cut_gzip_is_an_error(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("ACGT"))
    records = (f">s{number} label=x\n{''.join(rng.choice(letters, 80))}\n" for number in range(500))
    whole = gzip.compress("".join(records).encode())
    path = tmp_path / "reads.fa.gz"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"reads\.fa\.gz .*gzip"):
        io.read(path)


def test_gzip_with_damaged_content_is_an_error(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(FASTA.encode()))
    whole[20:40] = bytes(20)
    (tmp_path / "reads.fa.gz").write_bytes(bytes(whole))
    with pytest.raises(InputError, match=r"not a complete gzip file|not a UTF-8 text file"):
        io.read(tmp_path / "reads.fa.gz")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission_is_an_error(tmp_path: Path) -> None:
    path = write_text(tmp_path, FASTA)
    path.chmod(0)
    with pytest.raises(InputError, match=r"permission"):
        io.read(path)


def test_transposed_sequences_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sequences.*transpose"):
        io.read(write_text(tmp_path, FASTA), transpose=True)


def test_asked_for_keys_are_found_or_the_others_listed(tmp_path: Path) -> None:
    path = write_text(tmp_path, FASTA)
    assert "strain" in io.read(path, obs_columns=["strain"]).obs
    with pytest.raises(
        InputError, match=r"no 'kind' in its headers; keys found there are 'label', 'strain', "
    ):
        io.read(path, obs_columns=["strain", "kind"])
    path = write_text(tmp_path, ">s1\nACGT\n", "bare.fa")
    with pytest.raises(InputError, match=r"keys found there are none\. Write headers as '>ID kind=VALUE'"):
        io.read(path, obs_columns=["kind"])


def test_unknown_ending_names_those_of_sequences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.gct, \.fa, \.fasta, \.fna, \.fastq"):
        io.read(write_text(tmp_path, FASTA, "reads.seq"))


def test_label_key_of_a_run_is_a_key_of_the_headers(tmp_path: Path) -> None:
    adata, label_key = read_source(DataSource(data=str(write_text(tmp_path, FASTA)), label_key="label"))
    assert label_key == "label"
    assert list(adata.obs["label"].cat.categories) == ["coding region", "promoter"]
