"""Sequences in Python into AnnData, and how words are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io, pp
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = ["ACGTACGT", "ggccuunn", "TTTT"]


def _stored_encoding(path: Path) -> KmerEncoding:
    return KmerEncoding.from_dict(io.read(path).uns["kmers"], source=str(path))


def test_sequences_give_what_a_file_gives(tmp_path: Path) -> None:
    path = tmp_path / "reads.fa"
    path.write_text("".join(f">s{number} kind=x\n{letters}\n" for number, letters in enumerate(LETTERS)))
    read = io.read(path)
    obs = pd.DataFrame({"kind": pd.Categorical(["x"] * 3)})
    made = io.from_sequences(LETTERS, names=["s0", "s1", "s2"], obs=obs)
    pd.testing.assert_frame_equal(made.obs, read.obs)
    pd.testing.assert_frame_equal(made.var, read.var)
    np.testing.assert_array_equal(made.X.toarray(), read.X.toarray())
    assert made.uns == read.uns
    assert (made.X.format, made.X.dtype) == ("csr", np.float32)


def test_any_iterable_of_strings_will_do() -> None:
    expected = ["ACGTACGT", "GGCCTTNN", "TTTT"]
    for sequences in (tuple(LETTERS), iter(LETTERS), np.array(LETTERS), pd.Series(LETTERS)):
        assert list(io.from_sequences(sequences).obs["sequence"]) == expected


def test_names_are_given_or_the_index_or_numbers() -> None:
    obs = pd.DataFrame({"kind": [1, 2, 3]}, index=["u", "v", "w"])
    assert list(io.from_sequences(LETTERS).obs_names) == ["0", "1", "2"]
    assert list(io.from_sequences(LETTERS, obs=obs).obs_names) == ["u", "v", "w"]
    named = io.from_sequences(LETTERS, obs=obs, names=["a", "b", "c"])
    assert list(named.obs_names) == ["a", "b", "c"]
    assert list(named.obs["kind"]) == [1, 2, 3]


def test_annotations_that_are_given_stay_as_they_are() -> None:
    obs = pd.DataFrame({"kind": pd.Categorical(["x", "y", "x"])})
    before = obs.copy()
    adata = io.from_sequences(["AC", *LETTERS[1:]], obs=obs)
    adata.obs["kind"] = "changed"
    pd.testing.assert_frame_equal(obs, before)


def test_short_sequences_are_left_out_of_all_columns(caplog: pytest.LogCaptureFixture) -> None:
    obs = pd.DataFrame({"kind": pd.Categorical(["x", "y", "x"]), "dose": [0.5, 1.5, 2.5]})
    adata = io.from_sequences(["ACGT", "ACG", "TTTT"], names=["a", "b", "c"], obs=obs)
    assert list(adata.obs["dose"]) == [0.5, 2.5]
    assert list(adata.obs["kind"].cat.categories) == ["x"]
    assert "1 sequences of fewer than 4 letters are left out: 'b'" in caplog.text


@pytest.mark.parametrize(
    ("encoding", "fits"),
    [
        (KmerEncoding(), ["ACGTACGT", "GGCCTTNN", "TTTT"]),
        (KmerEncoding(k=(2,)), ["ACGTACGT", "GGCCTTNN", "TTTT", "ACG"]),
        (KmerEncoding(k=(2, 5), relative=False), ["ACGTACGT", "GGCCTTNN"]),
        (KmerEncoding(k=(3,), canonical=True), ["ACGTACGT", "GGCCTTNN", "TTTT", "ACG"]),
    ],
    ids=["left out", "short words", "two lengths", "canonical"],
)
def test_words_are_counted_as_asked(tmp_path: Path, encoding: KmerEncoding, fits: list[str]) -> None:
    adata = io.from_sequences([*LETTERS, "ACG"], kmers=encoding)
    values, words = encoding.encode(fits)
    assert list(adata.obs["sequence"]) == fits
    assert list(adata.var_names) == words
    np.testing.assert_array_equal(adata.X.toarray(), values.toarray())
    assert adata.uns["kmers"] == encoding.to_dict()
    adata.write_h5ad(tmp_path / "reads.h5ad")
    assert _stored_encoding(tmp_path / "reads.h5ad") == encoding


def test_words_of_a_file_are_counted_as_asked(tmp_path: Path) -> None:
    (tmp_path / "reads.fa").write_text(">a\nACGTACGT\n>b\nGGCCTTNN\n")
    adata = io.read(tmp_path / "reads.fa", kmers=KmerEncoding(k=(2,), relative=False))
    counts, words = pp.encode_kmers(["ACGTACGT", "GGCCTTNN"], k=2, relative=False)
    assert list(adata.var_names) == words
    np.testing.assert_array_equal(adata.X.toarray(), counts.toarray())


def test_lengths_are_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        io.from_sequences(["ACGTN", "ANNA"], kmers=KmerEncoding(k=(2, 4)))
    assert "3 letters N and 0 other IUPAC codes; words of 2, 4 letters with them" in caplog.text
    assert "1 sequences hold no 2 letters A, C, G, T in a row" in caplog.text


@pytest.mark.parametrize("name", ["cells.h5ad", "table.csv"])
def test_words_mean_nothing_without_sequences(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id,a\ns1,1\n")
    with pytest.raises(InputError, match=r"sequences.*`kmers`"):
        io.read(tmp_path / name, kmers=KmerEncoding())


def test_one_string_is_an_error() -> None:
    with pytest.raises(InputError, match=r"got one string"):
        io.from_sequences("ACGTACGT")


def test_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match=r"`sequences` is empty"):
        io.from_sequences([])


@pytest.mark.parametrize("other", [None, b"ACGT", 4, float("nan")], ids=["None", "bytes", "number", "nan"])
def test_what_is_no_string_is_named_with_its_number(other: object) -> None:
    with pytest.raises(InputError, match=r"Sequence number 2 is not a string, but .* Leave it out"):
        io.from_sequences(["ACGT", other])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("letters", "message"),
    [
        ("", r"`sequences` entry 'b' has no sequence\. Leave it out"),
        ("MEEPQSDPSVEPPLSQETFSD", r"`sequences` entry 'b' looks like a protein\. Only DNA"),
        ("AC GT", r"`sequences` entry 'b' holds ' ', which is not a nucleotide code"),
        ("AC\u017f", r"`sequences` entry 'b' holds '\u017f', which is not a nucleotide code"),
    ],
    ids=["no letters", "protein", "a space", "long s, whose upper case is S"],
)
def test_bad_letters_are_named_with_the_sequence(letters: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.from_sequences(["ACGT", letters], names=["a", "b"])


def test_bad_letters_are_found_behind_many_good_ones() -> None:
    with pytest.raises(InputError, match=r"entry '4500' holds '\*'"):
        io.from_sequences(["ACGT"] * 4500 + ["AC*GT"] + ["ACGT"] * 500)
    with pytest.raises(InputError, match=r"entry '4500' has no sequence"):
        io.from_sequences(["ACGT"] * 4500 + [""] + ["ACGT"] * 500)


def test_only_short_sequences_are_an_error() -> None:
    with pytest.raises(InputError, match=r"fewer than 4 letters: .* `sequences` entry 'a'"):
        io.from_sequences(["ACG", "T"], names=["a", "b"])


def test_numbers_of_names_and_annotations_have_to_fit() -> None:
    with pytest.raises(InputError, match=r"There are 3 sequences, but 2 names"):
        io.from_sequences(LETTERS, names=["a", "b"])
    with pytest.raises(InputError, match=r"There are 3 sequences, but 2 rows of `obs`"):
        io.from_sequences(LETTERS, names=["a", "b", "c"], obs=pd.DataFrame({"kind": [1, 2]}))


def test_repeated_names_and_a_column_of_letters_are_errors() -> None:
    with pytest.raises(InputError, match=r"1 `names` occur more than once: 'a'"):
        io.from_sequences(LETTERS, names=["a", "b", "a"])
    with pytest.raises(InputError, match=r"`obs` has a column 'sequence', where the letters go"):
        io.from_sequences(LETTERS, obs=pd.DataFrame({"sequence": LETTERS}))
