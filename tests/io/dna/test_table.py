"""Reading tables with a column of sequences."""

from __future__ import annotations

import gzip
import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io
from diffaug_bio.datasets import DataSource, read_source
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "id,sequence,label,source\ns1,ACGTACGT,0,lab\ns2,ggccuunn,1,field\ns3,TTTTT,0,\n"


def write_text(folder: Path, text: str, name: str = "reads.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("column", ["sequence", "Sequence", "SEQ", "dna", "DNA "])
@pytest.mark.parametrize(
    ("name", "delimiter"), [("reads.csv", ","), ("reads.tsv", "\t"), ("reads.txt", ";")]
)
def test_table_with_a_column_named_for_sequences_is_dna(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, column: str, name: str, delimiter: str
) -> None:
    text = TABLE.replace("sequence", column).replace(",", delimiter)
    with caplog.at_level(logging.INFO):
        adata = io.read(write_text(tmp_path, text, name))
    assert list(adata.obs_names) == ["s1", "s2", "s3"]
    assert list(adata.obs["sequence"]) == ["ACGTACGT", "GGCCTTNN", "TTTTT"]
    assert adata.n_vars == 256
    assert list(adata.obs.columns) == ["sequence", "label", "source"]
    assert isinstance(adata.obs["label"].dtype, pd.CategoricalDtype)
    assert list(adata.obs["label"]) == [0, 1, 0]
    assert list(adata.obs["source"].astype(object).fillna("-")) == ["lab", "field", "-"]
    assert (
        f"column {column!r} holds the sequences; columns 'label', 'source' are annotations" in caplog.text
    )
    assert "2 letters N and 0 other" in caplog.text


def test_gzipped_table_and_settings_for_words(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode()))
    encoding = KmerEncoding(k=(2,), relative=False)
    adata = io.read(path, kmers=encoding)
    assert adata.uns["kmers"] == encoding.to_dict()
    np.testing.assert_array_equal(np.asarray(adata.X.sum(1)).ravel(), [7, 5, 4])


def test_sequences_are_no_ids_even_if_they_stand_first_and_are_unique(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, "sequence,label\nACGTA,x\nCCGTA,y\n"))
    assert list(adata.obs_names) == ["0", "1"]
    assert list(adata.obs["sequence"]) == ["ACGTA", "CCGTA"]


def test_ids_are_found_by_their_name_or_as_unique_text(tmp_path: Path) -> None:
    assert list(io.read(write_text(tmp_path, "gene,seq\nCAT,ACGTA\nTAG,CCGTA\n")).obs_names) == [
        "CAT",
        "TAG",
    ]
    assert list(io.read(write_text(tmp_path, "id,seq\n7,ACGTA\n8,CCGTA\n")).obs_names) == ["7", "8"]


def test_single_column_of_sequences_is_read(tmp_path: Path) -> None:
    path = write_text(tmp_path, "sequence\nACGTA\nCCGTA\n")
    assert list(io.read(path).obs["sequence"]) == ["ACGTA", "CCGTA"]
    path = write_text(tmp_path, "promoter\nACGTA\nCCGTA\n")
    assert list(io.read(path, modality="dna").obs["sequence"]) == ["ACGTA", "CCGTA"]
    with pytest.raises(InputError, match=r"has a single column"):
        io.read(path)


def test_letters_are_kept_as_they_are_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_text(tmp_path, "id,seq,kind\na,NA,x\nb,nan,NA\nc,NNNNN,\nd,ACGTA,x\n")
    adata = io.read(path, kmers=KmerEncoding(k=(2,)))
    assert list(adata.obs["sequence"]) == ["NA", "NAN", "NNNNN", "ACGTA"]
    assert adata.obs["kind"].isna().tolist() == [False, False, True, False]


def test_table_with_numeric_features_stays_one_unless_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_text(tmp_path, "id,seq,length,kind\ns1,ACGTA,5,x\ns2,CCGTA,5,y\ns3,CCGTA,6,y\n")
    with caplog.at_level(logging.INFO):
        adata = io.read(path)
    assert list(adata.var_names) == ["length"]
    assert list(adata.obs.columns) == ["seq", "kind"]
    assert "column 'seq' holds nucleotides, but column 'length' numbers; `modality=\"dna\"`" in caplog.text
    adata = io.read(path, modality="dna")
    assert list(adata.obs["sequence"]) == ["ACGTA", "CCGTA", "CCGTA"]
    assert list(adata.obs["length"]) == [5, 5, 6]
    assert pd.api.types.is_integer_dtype(adata.obs["length"])
    assert isinstance(adata.obs["kind"].dtype, pd.CategoricalDtype)


def test_numbers_in_a_column_named_like_sequences_are_features(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, "id,seq,a\ns1,1,2.5\ns2,2,3\n"))
    assert list(adata.var_names) == ["seq", "a"]
    adata = io.read(write_text(tmp_path, "gene,seq,c1\nseq,1,2\ng2,2,3\n"), transpose=True)
    assert list(adata.obs_names) == ["seq", "c1"]


def test_table_that_is_said_to_be_one_of_features_is_not_read_as_dna(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no numeric column"):
        io.read(write_text(tmp_path, TABLE), modality="table")


def test_columns_asked_for_are_annotations_and_make_no_features(tmp_path: Path) -> None:
    path = write_text(tmp_path, "id,seq,stage\ns1,ACGTA,1\ns2,CCGTA,2\n")
    assert list(io.read(path).var_names) == ["stage"]
    adata = io.read(path, obs_columns=["stage"])
    assert adata.n_vars == 256
    assert isinstance(adata.obs["stage"].dtype, pd.CategoricalDtype)
    # A column asked for is a label, whatever its name.
    path = write_text(tmp_path, "id,seq,a\ns1,ACGTA,1\ns2,CCGTA,2\n")
    assert list(io.read(path, obs_columns=["seq"]).var_names) == ["a"]


def test_only_column_of_nucleotides_is_found_if_told(tmp_path: Path) -> None:
    text = "gene,class,allele,promoter,dose\nDNAJ,A,G,ACGTA,1\nTP53,B,T,,2\nACT,A,G,CCGTA,3\n"
    path = write_text(tmp_path, text.replace(",,", ",ACNNT,"))
    adata = io.read(path, modality="dna")
    assert list(adata.obs["sequence"]) == ["ACGTA", "ACNNT", "CCGTA"]
    assert list(adata.obs.columns) == ["sequence", "class", "allele", "dose"]
    with pytest.raises(InputError, match=r"row 'TP53' column 'promoter' has no sequence"):
        io.read(write_text(tmp_path, text), modality="dna")


def test_first_of_several_usual_names_wins(tmp_path: Path) -> None:
    adata = io.read(write_text(tmp_path, "id,dna,seq\ns1,AAAAA,ACGTA\ns2,CCCCC,CCGTA\n"))
    assert list(adata.obs["sequence"]) == ["ACGTA", "CCGTA"]
    assert list(adata.obs["dna"]) == ["AAAAA", "CCCCC"]


def test_sequences_beyond_the_limit_of_the_csv_module_are_read(tmp_path: Path) -> None:
    letters = "ACGT" * 40_000
    adata = io.read(write_text(tmp_path, f"id,seq\ns1,{letters}\ns2,ACGT\n"))
    assert adata.obs["sequence"].iloc[0] == letters
    with pytest.raises(InputError, match=r"is not a table: field larger than field limit"):
        io.read(write_text(tmp_path, f'id,seq\ns1,"{letters}"\ns2,ACGT\n'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,seq\ns1,ACGT\ns2,\n", r"reads\.csv row 's2' column 'seq' has no sequence\. Fill it in"),
        ("id,seq\ns1,ACGT\ns2,AC-T\n", r"row 's2' column 'seq' holds '-', which is not a nucleotide code"),
        ("id,seq\ns1,ACGT\ns2, ACGT\n", r"row 's2' column 'seq' holds ' ', which is not .* and spaces"),
        ("id,seq\ns1,MEEPQSDPSVEPPLSQ\n", r"row 's1' column 'seq' looks like a protein\. Only DNA and RNA"),
        ("id,seq\ns1,ACGT\ns1,ACGT\n", r"1 ids in column 'id' occur more than once: 's1'"),
        ("id,seq\ns1,ACG\ns2,A\n", r"holds only sequences of fewer than 4 letters: .* row 's1'"),
        ("seq,seq\nACGT,ACGT\n", r"1 column names occur more than once: 'seq'"),
        ("id,seq,label\ns1,ACGT\n", r"line 2 has 2 fields, the header has 3"),
    ],
    ids=["empty", "gap", "space", "protein", "ids twice", "short", "columns twice", "ragged"],
)
@pytest.mark.parametrize("modality", ["auto", "dna"])
def test_bad_content_is_named_with_its_row(tmp_path: Path, text: str, message: str, modality: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_text(tmp_path, text), modality=modality)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a,b\ns1,x,1\ns2,y,2\n", r"has no column of nothing but nucleotide letters: 'id', 'a', 'b'\."),
        ("id,a,b\ns1,ACGT,ACGT\n", r"has 2 columns of nothing but nucleotide .* 'a', 'b'\. Name the one"),
        ("ACGTACGT\nACGTACGA\n", r"starts with a sequence\. Its first line has to name the columns"),
        ("id,seq\n", r"reads\.csv has no rows below its first line"),
        ("id,a,b\ns1,x,ACGT\ns2,y\n", r"line 3 has 2 fields, the header has 3"),
        (
            "id,dna,sequence\ns1,ACGT,1\n",
            r"has columns 'dna' and 'sequence'",
        ),
    ],
    ids=["no column", "two columns", "no header", "no rows", "ragged", "name that is taken"],
)
def test_tables_that_are_not_what_they_are_said_to_be(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_text(tmp_path, text), modality="dna")


def test_unknown_annotation_lists_the_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'kind'; .*'label', 'source'"):
        io.read(write_text(tmp_path, TABLE), obs_columns=["kind"])


def test_transposed_sequences_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sequences.*transpose"):
        io.read(write_text(tmp_path, TABLE), modality="dna", transpose=True)


def test_words_mean_nothing_in_a_table_of_features(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sequences.*`kmers`"):
        io.read(write_text(tmp_path, "id,a\ns1,1\ns2,2\n"), kmers=KmerEncoding())


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_cut_gzip_is_an_error(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    rows = (f"s{number},{''.join(rng.choice(list('ACGT'), 80))}\n" for number in range(300))
    whole = gzip.compress(("id,seq\n" + "".join(rows)).encode())
    path = tmp_path / "reads.csv.gz"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"reads\.csv\.gz .*gzip"):
        io.read(path)


def test_a_table_of_sequences_with_numbers_is_read_as_dna_on_the_command_line(tmp_path: Path) -> None:
    text = "id,sequence,kind,tss\n" + "".join(
        f"s{n},ACGTACGT{'ACGT'[n % 4]},k{n % 2},{n}\n" for n in range(8)
    )
    source = DataSource(data=str(write_text(tmp_path, text)), modality="dna", label_key="kind")
    adata, label_key = read_source(source)
    assert label_key == "kind"
    assert list(adata.obs["sequence"])[:2] == ["ACGTACGTA", "ACGTACGTC"]
