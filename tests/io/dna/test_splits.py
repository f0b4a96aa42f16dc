"""Reading data sets laid out like Genomic Benchmarks."""

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

HEADER = "id,region,start,end,strand\n"
COMPLEMENT = str.maketrans("ACGT", "TGCA")
METADATA = """version: 0
classes:
  negative:
    type: fa.gz
    url: https://example.org/genome.fa.gz
    extra_processing: ENSEMBL_HUMAN_GENOME
  positive:
    type: fa.gz
    url: https://example.org/genome.fa.gz
"""


@pytest.fixture(scope="module")
def genome() -> dict[str, str]:
    rng = np.random.default_rng(0)
    return {name: "".join(rng.choice(list("ACGT"), 500)) for name in ("1", "2")}


def write_reference(folder: Path, genome: dict[str, str]) -> Path:
    path = folder / "genome.fa"
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in genome.items()))
    return path


def write_files(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return folder


def cut(genome: dict[str, str], region: str, start: int, end: int, strand: str) -> str:
    letters = genome[region.removeprefix("chr")][start:end]
    return letters.translate(COMPLEMENT)[::-1] if strand == "-" else letters


@pytest.mark.parametrize("ending", [".csv.gz", ".csv"])
def test_intervals_of_classes_and_splits_are_cut_on_both_strands(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, genome: dict[str, str], ending: str
) -> None:
    rng = np.random.default_rng(1)
    rows = []
    for split, label, count in (
        *(("train", "negative", 9), ("train", "positive", 7)),
        *(("test", "negative", 4), ("test", "positive", 5)),
    ):
        for number in range(count):
            start = int(rng.integers(0, 480))
            end = start + int(rng.integers(4, 21))
            strand = str(rng.choice(["+", "-"]))
            rows.append((split, label, number, f"chr{rng.integers(1, 3)}", start, end, strand))
    files = {"metadata.yaml": METADATA}
    for split, label, *fields in rows:
        name = f"{split}/{label}{ending}"
        files[name] = files.get(name, HEADER) + ",".join(map(str, fields)) + "\n"
    with caplog.at_level(logging.INFO):
        adata = io.read(write_files(tmp_path / "set", files), reference=write_reference(tmp_path, genome))
    assert list(adata.obs["sequence"]) == [cut(genome, *row[3:]) for row in rows]
    assert list(adata.obs_names) == [f"{split}/{label}/{number}" for split, label, number, *_ in rows]
    columns = ["split", "label", "region", "start", "end", "strand"]
    expected = pd.DataFrame([row[:2] + row[3:] for row in rows], columns=columns, index=adata.obs_names)
    for name in columns:
        assert list(adata.obs[name]) == list(expected[name]), name
    for name in ("label", "split", "region", "strand"):
        assert isinstance(adata.obs[name].dtype, pd.CategoricalDtype), name
    assert "train/negative 9, train/positive 7, test/negative 4, test/positive 5" in caplog.text
    assert "chromosomes are matched by name without 'chr': 'chr1 is 1', 'chr2 is 2'" in caplog.text
    adata.write_h5ad(tmp_path / "set.h5ad")


def test_other_columns_and_another_order_do_not_matter(tmp_path: Path, genome: dict[str, str]) -> None:
    # As in the collection's `demo_coding_vs_intergenomic_seqs`, whose first column has no name.
    text = ",id,strand,region,start,end\n7,7,-,2,10,20\n\n9,9,+,1,0,5\n"
    adata = io.read(
        write_files(tmp_path, {"train/a.csv": text}), reference=write_reference(tmp_path, genome)
    )
    assert list(adata.obs_names) == ["train/a/7", "train/a/9"]
    assert list(adata.obs["sequence"]) == [cut(genome, "2", 10, 20, "-"), genome["1"][:5]]


def test_layout_of_whole_sequences_needs_no_reference(tmp_path: Path) -> None:
    files = {
        "train/negative/0.txt": "ACGTA\n",
        "train/negative/1.txt": "acg\nuaa",
        "train/positive/0.txt": "TTTTT",
        "test/positive/0.txt": "CCCCC",
        "test/positive/README.md": "!",
        "test/.cache": "!",
    }
    adata = io.read(write_files(tmp_path, files), obs_columns=["label", "split"])
    assert list(adata.obs_names) == [
        *("train/negative/0", "train/negative/1", "train/positive/0", "test/positive/0")
    ]
    assert list(adata.obs["sequence"]) == ["ACGTA", "ACGTAA", "TTTTT", "CCCCC"]
    assert list(adata.obs["label"]) == ["negative", "negative", "positive", "positive"]
    assert list(adata.obs["split"]) == ["train", "train", "train", "test"]
    assert list(adata.obs.columns) == ["sequence", "label", "split"]


def test_words_are_counted_as_asked_and_short_sequences_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"train/a/0.txt": "ACGTA", "train/b/0.txt": "AC"}
    adata = io.read(write_files(tmp_path, files), kmers=KmerEncoding(k=(3,), relative=False))
    assert list(adata.obs_names) == ["train/a/0"]
    assert adata.n_vars == 64
    assert "1 sequences of fewer than 3 letters are left out: 'train/b/0'" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "0,chr1,0,5,+\n1,chr9,0,5,+\n",
            r"a\.csv line 3: genome\.fa has no chromosome 'chr9'; it has '1', '2'",
        ),
        ("0,chr1,490,501,+\n", r"a\.csv line 2: genome\.fa has 500 letters of '1', but .* ends at 501"),
        ("0,chr1,5,5,+\n", r"a\.csv line 2 has start 5 and end 5: it holds no letter"),
        ("0,chr1,,5,+\n", r"a\.csv line 2 has the start ''; expected a whole number"),
        ("0,chr1,0,5,forward\n", r"a\.csv line 2 has the strand 'forward'"),
        ("0,,0,5,+\n", r"a\.csv line 2 names no chromosome"),
        ("\n0,chr1,0,5\n", r"a\.csv line 3 has 4 fields, the header has 5"),
        (
            "0,chr1,0,5,+\n0,chr1,5,9,+\n",
            r"1 ids occur more than once: 'train/a/0'",
        ),
        ("", r"a\.csv holds no interval\. Remove the file"),
    ],
    ids=[
        *("no such chromosome", "beyond the end", "empty interval", "no start", "strand", "no chromosome"),
        *("ragged", "ids twice", "no row"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, genome: dict[str, str], rows: str, message: str) -> None:
    write_files(tmp_path, {"train/a.csv": HEADER + rows})
    with pytest.raises(InputError, match=message):
        io.read(tmp_path, reference=write_reference(tmp_path, genome))


def test_missing_column_lists_those_that_are_there(tmp_path: Path, genome: dict[str, str]) -> None:
    reference = write_reference(tmp_path, genome)
    write_files(tmp_path, {"train/a.csv": "id,region,start,end\n0,chr1,0,5\n"})
    with pytest.raises(InputError, match=r"a\.csv has no column 'strand'; it has 'id', 'region', 'start'"):
        io.read(tmp_path, reference=reference)
    write_files(tmp_path, {"train/a.csv": ""})
    with pytest.raises(InputError, match=r"a\.csv has no column 'id'; it has none"):
        io.read(tmp_path, reference=reference)


def test_intervals_without_a_reference_name_where_to_get_it(tmp_path: Path) -> None:
    write_files(tmp_path, {"train/a.csv": f"{HEADER}0,chr1,0,5,+\n"})
    with pytest.raises(InputError, match=r"intervals.*`reference`"):
        io.read(tmp_path)
    write_files(tmp_path, {"metadata.yaml": METADATA})
    with pytest.raises(InputError, match=r"metadata\.yaml names https://example\.org/genome\.fa\.gz\.$"):
        io.read(tmp_path)


def test_letters_need_no_reference(tmp_path: Path, genome: dict[str, str]) -> None:
    write_files(tmp_path, {"train/a/0.txt": "ACGTA"})
    with pytest.raises(InputError, match=r"letters.*reference"):
        io.read(tmp_path, reference=write_reference(tmp_path, genome))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"train/a.fa": ">1\nACGT\n"},
            r"folders for splits that hold neither tables nor folders",
        ),
        (
            {"train/a.csv": HEADER, "test/a/0.txt": "ACGT"},
            r"that hold both tables and folders",
        ),
        ({"train/a/0.fa": "ACGT"}, r"train/a holds no file ID\.txt\. Remove the folder"),
        ({"train/a/0.txt": "ACGT", "train/b/1.txt": "\n"}, r"train/b/1\.txt has no sequence\. Fill in"),
        ({"train/a/0.txt": "AC*GT"}, r"train/a/0\.txt holds '\*', which is not a nucleotide code"),
        ({"train/a/0.txt": "MEEPQSDPSVEPPL"}, r"train/a/0\.txt looks like a protein"),
        ({"train/a/0.txt": "ACG"}, r"holds only sequences of fewer .*train/a/0\.txt\. Give longer"),
    ],
    ids=["no class", "both layouts", "no text", "empty file", "gap", "protein", "only short"],
)
def test_bad_folders_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_files(tmp_path, files))


def test_unknown_column_lists_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no column 'kind'; it has 'label', 'split'"):
        io.read(write_files(tmp_path, {"train/a/0.txt": "ACGTA"}), obs_columns=["kind"])


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_cut_gzip_is_an_error(tmp_path: Path, genome: dict[str, str], share: float) -> None:
    starts = np.random.default_rng(0).integers(0, 480, 300)
    rows = "".join(f"{number},chr1,{start},{start + 9},+\n" for number, start in enumerate(starts))
    path = write_files(tmp_path, {"train/a.csv.gz": HEADER + rows}) / "train" / "a.csv.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"a\.csv\.gz .*gzip"):
        io.read(tmp_path, reference=write_reference(tmp_path, genome))
