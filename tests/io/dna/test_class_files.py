"""Reading folders that hold one file of sequences for each class."""

from __future__ import annotations

import gzip
import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from pathlib import Path


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return folder


def test_names_of_files_become_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        "b.promoter.fa": ">s1\nACGTA\n>s2\nCCGTA\n",
        "a.FASTA": ">s3\nTTTTT\n",
        "c.fna.gz": ">s4\nACGT\n",
    }
    with caplog.at_level(logging.INFO):
        adata = io.read(
            write_files(tmp_path, {**files, "README.txt": "!", ".hidden.fa": "!", "a.fai": "!"})
        )
    assert list(adata.obs_names) == ["s3", "s1", "s2", "s4"]
    assert list(adata.obs["label"]) == ["a", "b.promoter", "b.promoter", "c"]
    assert isinstance(adata.obs["label"].dtype, pd.CategoricalDtype)
    assert list(adata.obs["sequence"]) == ["TTTTT", "ACGTA", "CCGTA", "ACGT"]
    assert "3 files, one for each of the labels a, b.promoter, c" in caplog.text


def test_ids_that_repeat_across_files_get_the_label_in_front(tmp_path: Path) -> None:
    files = {"x.fa": ">1\nACGTA\n>2\nACGTA\n", "y.fa": ">2\nACGTA\n>3\nACGTA\n"}
    adata = io.read(write_files(tmp_path, files))
    assert list(adata.obs_names) == ["1", "x/2", "y/2", "3"]


def test_annotations_and_qualities_of_all_files_are_joined(tmp_path: Path) -> None:
    files = {
        "x.fa": ">1 strain=A\nACGTA\n>2 host=u\nACGTA\n",
        "y.fa": ">3 strain=B label=y\nACGTA\n",
        "z.fastq": "@4\nACGTA\n+\nIIIII\n",
    }
    adata = io.read(write_files(tmp_path, files), obs_columns=["label", "strain"])
    assert list(adata.obs.columns) == ["sequence", "label", "strain", "host", "mean_quality"]
    for name in ("label", "strain", "host"):
        assert isinstance(adata.obs[name].dtype, pd.CategoricalDtype), name
    assert list(adata.obs["strain"].astype(object).fillna("-")) == ["A", "-", "B", "-"]
    np.testing.assert_array_equal(adata.obs["mean_quality"], [np.nan, np.nan, np.nan, 40])
    adata.write_h5ad(tmp_path / "all.h5ad")
    assert list(io.read(tmp_path / "all.h5ad").obs["label"]) == ["x", "x", "y", "z"]


def test_short_records_are_named_and_words_counted_as_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"x.fa": ">1\nACGTA\n>2\nACG\n", "y.fa": ">1\nACG\n>3\nACGTA\n"}
    adata = io.read(write_files(tmp_path, files), kmers=KmerEncoding(k=(4,), relative=False))
    assert list(adata.obs_names) == ["x/1", "3"]
    assert "2 sequences of fewer than 4 letters are left out: '2', 'y/1'" in caplog.text


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.fa": ">1\nACGT\n", "b.fa": ">2\nAC-T\n"},
            r"b\.fa record '2' holds '-', which is not a nucleotide",
        ),
        ({"a.fa": ">1\nACGT\n", "b.fa": ">2\nACGT\n>3\n"}, r"b\.fa record '3' has no sequence"),
        ({"a.fa": ">1\nACGT\n", "b.fa": ">2\nMEEPQSDPSVEPPL\n"}, r"b\.fa record '2' looks like a protein"),
        ({"a.fa": ">1\nACGT\n", "b.fa": ""}, r"b\.fa is empty: it holds no record"),
        (
            {"a.fa": ">1\nACGT\n>1\nACGT\n", "b.fa": ">2\nACGT\n"},
            r"1 record ids .* '1'\. .* record of .*a\.fa",
        ),
        (
            {"a.fa": ">1\nACGT\n", "a.fa.gz": ">2\nACGT\n"},
            r"1 names of files without endings .* 'a'",
        ),
        (
            {"a.fa": ">1\nACGT\n", "b.fa": ">2 label=c\nACGT\n"},
            r"b\.fa has the key 'label' in its headers, but",
        ),
        ({"a.fa": ">1\nACG\n", "b.fa": ">2\nAC\n"}, r"holds only sequences of fewer .*a\.fa record '1'"),
        (
            {"a.fa": ">b/2\nACGT\n>2\nACGT\n", "b.fa": ">2\nACGT\n"},
            r"1 record ids .* 'b/2'",
        ),
    ],
    ids=[
        *("gap", "no letters", "protein", "empty file", "ids twice", "stems twice", "label in headers"),
        *("only short", "ids that clash with the label in front"),
    ],
)
def test_bad_content_is_named_with_its_file(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_files(tmp_path, files))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"is a folder\. Name a file: .* or a folder with a file .* This one is empty\.$"),
        (
            {"notes.md": "", "table.csv": ""},
            r"is a folder\. .* This one holds 'notes\.md', 'table\.csv'\.$",
        ),
        ({"a.fa": ">1\nACGT\n"}, r"single file of sequences: read .*a\.fa\.$"),
        (
            {"deep/a.fa": "", "deep/b.fa": ""},
            r"sequences are in folders .* name .*deep",
        ),
        ({"set/train/a.csv": "", "set/test/a.csv": ""}, r"sequences are in folders .* name .*set"),
        ({"a/x.txt": "", "b/x.txt": ""}, r"This one holds 'a', 'b'\.$"),
    ],
    ids=["empty", "other files", "one file", "deeper", "splits deeper", "other folders"],
)
@pytest.mark.parametrize("modality", ["auto", "dna"])
def test_folder_of_no_known_layout_says_what_it_holds(
    tmp_path: Path, files: dict[str, str], message: str, modality: str
) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_files(tmp_path, files), modality=modality)  # type: ignore[arg-type]


def test_unknown_key_lists_those_of_all_files(tmp_path: Path) -> None:
    files = {"a.fa": ">1 strain=u\nACGT\n", "b.fa": ">2 host=v\nACGT\n"}
    with pytest.raises(
        InputError, match=r"no 'kind' in its headers; keys found there are 'label', 'strain', "
    ):
        io.read(write_files(tmp_path, files), obs_columns=["kind"])


def test_arguments_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.fa": ">1\nACGT\n", "b.fa": ">2\nACGT\n"})
    with pytest.raises(InputError, match=r"transpose"):
        io.read(tmp_path, transpose=True)
    with pytest.raises(InputError, match=r"letters.*reference"):
        io.read(tmp_path, reference=tmp_path / "a.fa")
    with pytest.raises(InputError, match=r"is a folder"):
        io.read(tmp_path, modality="table")
