"""Random sequences through every kind of file come back as they were."""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from diffaug_bio import io
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

single_letters = KmerEncoding(k=(1,))  # so that no sequence is too short
ids = st.text("abcXYZ019_.:|-", min_size=1, max_size=8)
written = st.text("ACGTUNRYSWKMBDHVacgtunryswkmbdhv", min_size=1, max_size=70)
records = st.dictionaries(ids, written, min_size=1, max_size=8)
through_files = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(adata: AnnData, expected: dict[str, str]) -> None:
    """Compare with the records that were written."""
    assert list(adata.obs_names) == list(expected)
    letters = [text.upper().replace("U", "T") for text in expected.values()]
    assert list(adata.obs["sequence"]) == letters
    made = io.from_sequences(letters, names=list(expected), kmers=single_letters)
    np.testing.assert_array_equal(adata.X.toarray(), made.X.toarray())


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@through_files
@given(records=records, width=st.integers(1, 80), end=st.sampled_from(["\n", "\r\n"]))
@pytest.mark.parametrize("name", ["reads.fa", "reads.fa.gz"])
def test_fasta(tmp_path: Path, records: dict[str, str], name: str, width: int, end: str) -> None:
    lines = []
    for key, letters in records.items():
        lines += [f">{key}", *(letters[at : at + width] for at in range(0, len(letters), width))]
    check(io.read(write(tmp_path / name, end.join(lines)), kmers=single_letters), records)


@through_files
@given(records=records, data=st.data(), end=st.sampled_from(["\n", "\r\n"]))
@pytest.mark.parametrize("name", ["reads.fastq", "reads.fq.gz"])
def test_fastq(tmp_path: Path, records: dict[str, str], name: str, data: st.DataObject, end: str) -> None:
    lines, means = [], []
    for key, letters in records.items():
        values = data.draw(st.lists(st.integers(0, 93), min_size=len(letters), max_size=len(letters)))
        lines += [f"@{key}", letters, "+", "".join(chr(value + 33) for value in values)]
        means.append(np.mean(values))
    adata = io.read(write(tmp_path / name, end.join([*lines, ""])), kmers=single_letters)
    check(adata, records)
    # One rounding to float32.
    np.testing.assert_allclose(adata.obs["mean_quality"], means, rtol=1e-6)


@through_files
@example(records={"0": "NaN"}, quoting=csv.QUOTE_MINIMAL)
@given(records=records, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@pytest.mark.parametrize(("name", "delimiter"), [("reads.csv", ","), ("reads.tsv.gz", "\t")])
def test_table(tmp_path: Path, records: dict[str, str], name: str, delimiter: str, quoting: int) -> None:
    plain = tmp_path / "plain"
    with plain.open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
        writer.writerows([("id", "sequence"), *records.items()])
    check(io.read(write(tmp_path / name, plain.read_text()), kmers=single_letters), records)
