"""Reading BED: intervals cut from a reference."""

from __future__ import annotations

import gzip
import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from pathlib import Path

GENOME = {"chr1": "ACGTTGCAAC" * 5, "chr2": "ggccaatNRYtt", "X": "TTTTTTTTAC"}
COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")


def write_reference(folder: Path, genome: dict[str, str] = GENOME, *, width: int = 7) -> Path:
    path = folder / "genome.fa"
    lines = (
        f">{name} some words\n"
        + "".join(f"{letters[at : at + width]}\n" for at in range(0, len(letters), width))
        for name, letters in genome.items()
    )
    path.write_text("".join(lines))
    return path


def write_bed(folder: Path, text: str, name: str = "peaks.bed") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def reverse_complement(letters: str) -> str:
    return letters.translate(COMPLEMENT)[::-1]


@pytest.mark.parametrize("name", ["peaks.bed", "PEAKS.BED", "peaks.bed.gz"])
def test_intervals_are_cut_on_both_strands(tmp_path: Path, name: str) -> None:
    text = (
        "browser position chr1:1-50\ntrack name=peaks\n# a comment\n\n"
        "chr1\t0\t5\tu\t7.5\t+\nchr1\t3\t9\tv\t.\t-\nchr2\t0\t12\t.\t3\t-\nX\t5\t10\tu\t0\t.\n"
    )
    adata = io.read(write_bed(tmp_path, text, name), reference=write_reference(tmp_path))
    assert list(adata.obs_names) == ["chr1:0-5(+)", "chr1:3-9(-)", "chr2:0-12(-)", "X:5-10(.)"]
    assert list(adata.obs["sequence"]) == [
        *("ACGTT", reverse_complement(GENOME["chr1"][3:9]), "AARYNATTGGCC", "TTTAC")
    ]
    assert list(adata.obs.columns) == ["sequence", "region", "start", "end", "strand", "name", "score"]
    assert list(adata.obs["region"]) == ["chr1", "chr1", "chr2", "X"]
    assert list(adata.obs["start"]) == [0, 3, 0, 5]
    assert list(adata.obs["end"]) == [5, 9, 12, 10]
    assert list(adata.obs["strand"]) == ["+", "-", "-", "."]
    assert list(adata.obs["name"].astype(object).fillna("-")) == ["u", "v", "-", "u"]
    np.testing.assert_array_equal(adata.obs["score"], [7.5, np.nan, 3, 0])
    adata.write_h5ad(tmp_path / "peaks.h5ad")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("chr1\t0\t5\nchr1\t5\t10\n", []),
        ("chr1 0 5 u\nchr1  5  10  v\n", ["name"]),
        ("chr1\t0\t5\tu\thigh\nchr1\t5\t10\tv\tlow\n", ["name", "score"]),
        ("chr1\t0\t5\t.\t.\t.\nchr1\t5\t10\t.\t.\t.\n", []),
        ("chr1\t0\t5\t\t\t+\r\nchr1\t5\t10\t\t\t+\r\n", []),
        (
            "chr1\t0\t5\tu\t1\t+\t0\t5\t0\t1\t5,\t0,\nchr1\t5\t10\tv\t1\t+\t0\t5\t0\t1\t5,\t0,\n",
            ["name", "score"],
        ),
    ],
    ids=["three", "four, spaces", "five, score of text", "six without data", "six empty, CRLF", "twelve"],
)
def test_columns_that_are_there_are_kept(tmp_path: Path, text: str, columns: list[str]) -> None:
    adata = io.read(write_bed(tmp_path, text), reference=write_reference(tmp_path))
    assert list(adata.obs["sequence"]) == ["ACGTT", "GCAAC"]
    assert list(adata.obs.columns[5:]) == columns
    for name in columns:
        is_number = adata.obs[name].dtype == np.int64
        assert is_number or isinstance(adata.obs[name].dtype, pd.CategoricalDtype)


def test_repeated_intervals_are_numbered(tmp_path: Path) -> None:
    text = "chr1\t0\t5\ta\nchr1\t0\t5\tb\nchr1\t0\t6\tc\nchr1\t0\t5\td\n"
    adata = io.read(write_bed(tmp_path, text), reference=write_reference(tmp_path))
    assert list(adata.obs_names) == ["chr1:0-5(.)", "chr1:0-5(.)_2", "chr1:0-6(.)", "chr1:0-5(.)_3"]


def test_chromosomes_match_with_and_without_chr(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reference = write_reference(tmp_path, {**GENOME, "1": "CCCCCCCC"})
    text = "1\t0\t5\nchr1\t0\t5\nchrX\t0\t5\n2\t0\t5\n"
    with caplog.at_level(logging.INFO):
        adata = io.read(write_bed(tmp_path, text), reference=str(reference))
    assert list(adata.obs["sequence"]) == ["CCCCC", "ACGTT", "TTTTT", "GGCCA"]
    assert list(adata.obs["region"]) == ["1", "chr1", "chrX", "2"]
    assert "chromosomes are matched by name without 'chr': '2 is chr2', 'chrX is X'" in caplog.text


def test_columns_asked_for_are_categories(tmp_path: Path) -> None:
    path = write_bed(tmp_path, "chr1\t0\t5\tu\t1\nchr1\t5\t10\tv\t2\n")
    adata = io.read(path, reference=write_reference(tmp_path), obs_columns=["score", "name"])
    assert isinstance(adata.obs["score"].dtype, pd.CategoricalDtype)
    with pytest.raises(InputError, match=r"no column 'label'; it has 'region', 'start', 'end', 'strand', "):
        io.read(path, reference=write_reference(tmp_path), obs_columns=["label"])


def test_words_are_counted_as_asked_and_short_intervals_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_bed(tmp_path, "chr1\t0\t5\nchr1\t5\t7\nchr2\t3\t12\n")
    with caplog.at_level(logging.INFO):
        adata = io.read(path, reference=write_reference(tmp_path), kmers=KmerEncoding(k=(3,)))
    assert list(adata.obs_names) == ["chr1:0-5(.)", "chr2:3-12(.)"]
    assert adata.n_vars == 64
    assert "1 letters N and 2 other IUPAC codes" in caplog.text
    assert "1 sequences of fewer than 3 letters are left out: 'chr1:5-7(.)'" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "chr1\t0\t5\n#x\nchr9\t0\t5\n",
            r"peaks\.bed line 3: genome\.fa has no chromosome 'chr9'; it has 'chr1'",
        ),
        (
            "track x\nchr1\t0\t51\n",
            r"line 2: genome\.fa has 50 letters of 'chr1', but the interval ends at 51\.",
        ),
        (
            "chr1\t0\t5\nchr1\t5\t5\n",
            r"line 2 has start 5 and end 5: it holds no letter",
        ),
        ("chr1\t9\t5\n", r"line 1 has start 9 and end 5: it holds no letter"),
        ("chr1\t-1\t5\n", r"line 1 has the start '-1'; expected a whole number, 0 or more"),
        ("chr1\t0\t5.0\n", r"line 1 has the end '5\.0'; expected a whole number"),
        ("chrom\tstart\tend\nchr1\t0\t5\n", r"line 1 has the start 'start'; expected a whole number"),
        ("chr1\t0\t5\tu\t0\tplus\n", r"line 1 has the strand 'plus'; expected '\+', '-', or '\.'"),
        ("chr1\t0\n", r"line 1 is not an interval: 'chr1\\t0'\. Write chromosome, start, end"),
        ("chr1:0-5\n", r"line 1 is not an interval: 'chr1:0-5'"),
        ("\t0\t5\n", r"line 1 names no chromosome"),
        ("chr1\t0\t5\tu\nchr1\t0\t5\n", r"line 2 has 3 columns, the lines before have 4"),
        ("", r"peaks\.bed is empty: it holds no interval\. A line is: chromosome"),
        ("# nothing\ntrack x\n", r"peaks\.bed is empty"),
        (
            "chr1\t0\t3\nchr1\t1\t2\n",
            r"peaks\.bed holds only sequences of fewer than 4 .*peaks\.bed line 1",
        ),
    ],
    ids=[
        *("no such chromosome", "beyond the end", "empty", "backwards", "negative", "fraction", "header"),
        *(
            "strand",
            "two columns",
            "one column",
            "no chromosome",
            "ragged",
            "no line",
            "no interval",
            "short",
        ),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_bed(tmp_path, text), reference=write_reference(tmp_path))


def test_letters_of_the_reference_are_checked(tmp_path: Path) -> None:
    reference = write_reference(tmp_path, {"chr1": "ACGTACGTAC-TACGT", "p": "MEEPQSDPSVEPPLSQ"})
    with pytest.raises(InputError, match=r"peaks\.bed line 2: genome\.fa holds '-'.*nucleotide"):
        io.read(
            write_bed(tmp_path, "chr1\t0\t5\nchr1\t8\t12\t.\t.\t-\n".replace("\t.\t.\t-", "")),
            reference=reference,
        )
    with pytest.raises(InputError, match=r"peaks\.bed line 1: genome\.fa looks like a protein"):
        io.read(write_bed(tmp_path, "p\t0\t15\n"), reference=reference)


def test_intervals_without_a_reference_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"intervals.*`reference`"):
        io.read(write_bed(tmp_path, "chr1\t0\t5\n"))


@pytest.mark.parametrize("name", ["reads.fa", "table.csv", "cells.h5ad", "reads.txt"])
def test_reference_means_nothing_without_intervals(tmp_path: Path, name: str) -> None:
    path = write_bed(tmp_path, ">s1\nACGTA\n", name)
    with pytest.raises(InputError, match=r"intervals.*reference"):
        io.read(path, reference=write_reference(tmp_path))


def test_transposed_intervals_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"transpose"):
        io.read(write_bed(tmp_path, "chr1\t0\t5\n"), reference=write_reference(tmp_path), transpose=True)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_cut_gzip_is_an_error(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    lines = (f"chr1\t{start}\t{start + 5}\n" for start in rng.integers(0, 40, 300))
    path = write_bed(tmp_path, "".join(lines), "peaks.bed.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"peaks\.bed\.gz .*gzip"):
        io.read(path, reference=write_reference(tmp_path))


@given(
    genome=st.lists(st.text("ACGTNacgt", min_size=1, max_size=60), min_size=1, max_size=3),
    width=st.integers(1, 61),
    data=st.data(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_interval_is_a_slice(tmp_path: Path, genome: list[str], width: int, data: st.DataObject) -> None:
    named = {f"chr{number}": letters for number, letters in enumerate(genome)}
    intervals = data.draw(
        st.lists(
            st.sampled_from(sorted(named)).flatmap(
                lambda name: st.tuples(
                    st.just(name),
                    st.tuples(*[st.integers(0, len(named[name]))] * 2)
                    .map(sorted)
                    .filter(lambda ends: ends[0] < ends[1]),
                    st.sampled_from("+-"),
                )
            ),
            min_size=1,
            max_size=8,
        )
    )
    reference = write_reference(tmp_path, named, width=width)
    (tmp_path / "genome.fa.fai").unlink(missing_ok=True)
    lines = (f"{name}\t{start}\t{end}\tx\t0\t{strand}\n" for name, (start, end), strand in intervals)
    adata = io.read(write_bed(tmp_path, "".join(lines)), reference=reference, kmers=KmerEncoding(k=(1,)))
    slices = [(named[name][start:end].upper(), strand) for name, (start, end), strand in intervals]
    assert list(adata.obs["sequence"]) == [
        reverse_complement(letters) if strand == "-" else letters for letters, strand in slices
    ]
