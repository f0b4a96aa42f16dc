"""`diffaug-bio fit` and `embed` on DNA: letters or counted words, and what is wrong with a file."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

from tests.cli.cells import TINY
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.cli.conftest import Result

N_OBS, LENGTH = 60, 30
TINY_DNA = TINY.replace("batch_size = 64", "batch_size = 32")
OPTIONS = ["--threads", "1", "--device", "cpu"]


def write_sequences(path: Path, letters: Sequence[str]) -> Path:
    path.write_text("".join(f">s{n} kind=k{n % 3}\n{one}\n" for n, one in enumerate(letters)))
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a configuration, and sequences of one length and of several."""
    (tmp_path / "tiny.toml").write_text(TINY_DNA)
    write_sequences(tmp_path / "equal.fa", clustered_dna(N_OBS, LENGTH))
    write_sequences(tmp_path / "unequal.fa", clustered_dna(N_OBS, LENGTH, unequal=True))
    return tmp_path


@pytest.fixture
def fit(place: Path, call: Callable[..., Result]) -> Callable[..., Result]:
    """Call `fit` on a file of the folder."""

    def run(data: str, *options: object, output: str = "run") -> Result:
        config = ["--config", place / "tiny.toml", *OPTIONS]
        return call("fit", place / data, "-o", place / output, "--no-report", *config, *options)

    return run


def read_run(folder: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((folder / "run.json").read_text())
    return found


def read_embedding(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "embedding.csv", index_col=0)


def encoder_of(folder: Path) -> object:
    config = read_run(folder)["config"]["encoder"]
    assert isinstance(config, dict)
    return config["kind"]


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        ("equal.fa", [], "cnn"),
        ("unequal.fa", [], "mlp"),
        ("equal.fa", ["--encoder", "auto"], "cnn"),
        ("equal.fa", ["--encoder", "mlp"], "mlp"),
        ("unequal.fa", ["--encoder", "cnn"], "cnn"),
    ],
    ids=["equal", "unequal", "auto", "words of equal", "letters of unequal"],
)
def test_the_encoder_is_that_asked_for_or_goes_by_the_lengths(
    place: Path, fit: Callable[..., Result], data: str, options: list[str], expected: str
) -> None:
    result = fit(data, "--label-key", "kind", *options)
    assert result.code == 0, result.err
    assert f"{N_OBS} rows embedded" in result.out
    assert ("the encoder is" in result.err) == (options in ([], ["--encoder", "auto"]))
    run = read_run(place / "run")
    assert encoder_of(place / "run") == expected
    assert run["data"]["sequences"] is (expected == "cnn")
    assert (run["data"]["kmers"] is None) == (expected == "cnn")
    assert run["data"]["input_state"] == ("sequence" if expected == "cnn" else "words")
    assert read_embedding(place / "run").shape == (N_OBS, 6)
    assert list(read_embedding(place / "run").index) == [f"s{n}" for n in range(N_OBS)]
    scores = json.loads((place / "run" / "metrics.json").read_text())
    assert scores["n_labels"] == 3
    assert np.isfinite([scores["embedding"]["linear_probe"], scores["pca"]["linear_probe"]]).all()
    embedded = anndata.read_h5ad(place / "run" / "embedded.h5ad")
    assert len(embedded.obs["sequence"]) == N_OBS
    np.testing.assert_array_equal(
        embedded.obsm["X_diffaug"], read_embedding(place / "run").to_numpy(np.float32)
    )


def test_how_words_are_counted_is_recorded_and_seen_in_the_features(
    place: Path, fit: Callable[..., Result]
) -> None:
    assert fit("unequal.fa", "--k", "3,4", "--canonical", "--bins", 2).code == 0
    data = read_run(place / "run")["data"]
    assert data["kmers"] == {"k": [3, 4], "canonical": True, "relative": True, "n_bins": 2}
    # Half of the 64 words of three letters, and of the 256 of four with the 16 palindromes.
    assert data["n_vars"] == 2 * (32 + 136)
    embedded = anndata.read_h5ad(place / "run" / "embedded.h5ad")
    assert embedded.n_vars == 2 * (32 + 136)
    assert embedded.var_names[-1].endswith("@2/2")


@pytest.mark.parametrize("k", ["x", "3,x", "3.5", "3,,4", "9", "0", "-1"])
def test_words_whose_length_is_no_number_from_one_to_eight_are_a_wrong_call(
    place: Path, fit: Callable[..., Result], k: str
) -> None:
    result = fit("equal.fa", "--k", k)
    assert (result.code, result.out) == (2, "")
    assert "whole numbers from 1 to 8" in result.err
    assert repr(k) in result.err
    assert not (place / "run").exists()


def test_unknown_encoders_and_no_bins_are_a_wrong_call(place: Path, fit: Callable[..., Result]) -> None:
    assert fit("equal.fa", "--encoder", "rnn").code == 2
    assert fit("equal.fa", "--bins", 0).code == 2
    assert not (place / "run").exists()


def fails(result: Result, *messages: str) -> None:
    """Look at exit code and streams."""
    assert result.code == 1
    assert result.out == ""
    assert "Traceback" not in result.err
    lines = result.err.splitlines()
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    for message in messages:
        assert message in lines[-1]


def test_cells_have_neither_words_nor_letters(place: Path, fit: Callable[..., Result]) -> None:
    matrix = np.random.default_rng(0).poisson(3.0, (30, 8)).astype(np.float32)
    anndata.AnnData(matrix).write_h5ad(place / "cells.h5ad")
    fails(fit("cells.h5ad", "--k", "3"), "cells.h5ad is not read as sequences. Leave `kmers` out")
    fails(fit("cells.h5ad", "--encoder", "cnn"), "The encoder 'cnn' reads letters of sequences")
    fails(fit("recipe.h5ad", "--k", "3"), "There is no file")
    assert not (place / "run").exists()


def test_a_reference_without_intervals_is_refused(place: Path, fit: Callable[..., Result]) -> None:
    message = "equal.fa holds no intervals to cut from a reference"
    fails(fit("equal.fa", "--reference", place / "unequal.fa"), message)
    assert not (place / "run").exists()


@pytest.mark.parametrize("encoder", ["cnn", "mlp"])
def test_intervals_of_a_reference_are_embedded(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result], encoder: str
) -> None:
    (place / "genome.fa").write_text(">chr1 of nothing\n" + "\n".join(clustered_dna(N_OBS, LENGTH)) + "\n")
    lines = [f"chr1\t{at * 29}\t{at * 29 + 40}\tpeak{at}\t{at}\t{'+-'[at % 2]}" for at in range(N_OBS)]
    (place / "peaks.bed").write_text("\n".join(lines) + "\n")
    fails(fit("peaks.bed"), "peaks.bed", "reference")
    result = fit("peaks.bed", "--reference", place / "genome.fa", "--encoder", encoder)
    assert result.code == 0, result.err
    data = read_run(place / "run")["data"]
    assert data["reference"] == str(place / "genome.fa")
    assert data["reference_bytes"] == (place / "genome.fa").stat().st_size
    assert read_embedding(place / "run").index[1] == "chr1:29-69(-)"
    options = ["--reference", place / "genome.fa", "--model", place / "run", "-o", place / "new", *OPTIONS]
    assert call("embed", place / "peaks.bed", *options).code == 0
    # Rounding differs between batches of another size.
    pd.testing.assert_frame_equal(read_embedding(place / "new"), read_embedding(place / "run"), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        ["--encoder", "cnn"],
        ["--encoder", "mlp"],
        ["--encoder", "mlp", "--k", "2,3", "--canonical", "--bins", "2"],
        ["--encoder", "mlp", "--k", "6"],
    ],
    ids=["letters", "words", "words counted otherwise", "longer words"],
)
@pytest.mark.parametrize("data", ["equal.fa", "unequal.fa"])
def test_a_model_gives_its_training_file_the_embedding_of_the_fit(
    place: Path,
    fit: Callable[..., Result],
    call: Callable[..., Result],
    options: list[str],
    data: str,
) -> None:
    assert fit(data, *options).code == 0
    arguments = ["--model", place / "run", "-o", place / "new", *OPTIONS]
    result = call("embed", place / data, *arguments)
    assert result.code == 0, result.err
    pd.testing.assert_frame_equal(
        read_embedding(place / "new"), read_embedding(place / "run"), rtol=0, atol=1e-5
    )
    run, new = read_run(place / "run")["data"], read_run(place / "new")["data"]
    assert (new["kmers"], new["sequences"]) == (run["kmers"], run["sequences"])


@pytest.mark.parametrize("encoder", ["cnn", "mlp"])
def test_new_sequences_are_embedded(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result], encoder: str
) -> None:
    assert fit("equal.fa", "--encoder", encoder).code == 0
    write_sequences(place / "new.fa", clustered_dna(10, LENGTH + 5, seed=1))
    result = call("embed", place / "new.fa", "--model", place / "run", "-o", place / "new", *OPTIONS)
    assert result.out.startswith("10 rows embedded")
    assert ("10 sequences are longer than the 30 letters" in result.err) == (encoder == "cnn")
    assert np.isfinite(read_embedding(place / "new").to_numpy()).all()


@pytest.mark.parametrize("encoder", ["cnn", "mlp"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    place: Path, fit: Callable[..., Result], encoder: str
) -> None:
    for output, seed in (("one", 1), ("two", 1), ("three", 2)):
        assert fit("equal.fa", "--encoder", encoder, "--seed", seed, output=output).code == 0
    one, two, three = ((place / name / "embedding.csv").read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three


GOOD = "".join(f">s{n}\n{letters}\n" for n, letters in enumerate(clustered_dna(20, LENGTH)))
READ = "@r{0}\nACGTACGTAC\n+\nIIIIIIIIII\n"
PROTEIN = "MKLPVELIFRQWEEPLLQFIDE"
CASES: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "protein": ("seqs.fa", f">p1\n{PROTEIN}\n".encode(), ("record 'p1' looks like a protein",)),
    "protein among DNA": (
        "seqs.fa",
        f"{GOOD}>p1\n{PROTEIN}\n".encode(),
        ("record 'p1' looks like a protein",),
    ),
    "no record": ("seqs.fa", b"", ("is empty: it holds no record",)),
    "empty record": ("seqs.fa", f"{GOOD}>gone\n>next\nACGT\n".encode(), ("record 'gone' has no sequence",)),
    "no id": ("seqs.fa", f"{GOOD}>\nACGT\n".encode(), ("record 21 has no id",)),
    "repeated id": ("seqs.fa", f"{GOOD}>s3\nACGT\n".encode(), ("1 record ids occur", "'s3'")),
    "only short records": ("seqs.fa", b">a\nACG\n>b\nAC\n", ("fewer than 4 letters", "record 'a'")),
    "gaps": ("seqs.fa", f"{GOOD}>gapped\nACG--T\n".encode(), ("record 'gapped' holds '-'",)),
    "cut gzip": ("seqs.fa.gz", gzip.compress(GOOD.encode())[:-40], ("is not a complete gzip file",)),
    "FASTQ cut off": (
        "reads.fastq",
        (READ.format(1) + READ.format(2)[:-5]).encode(),
        ("is cut off in its last record 'r2'", "line 5"),
    ),
    "FASTQ without plus": (
        "reads.fastq",
        (READ.format(1) + READ.format(2).replace("+", "IIII")).encode(),
        ("record 'r2' has no '+' in line 7",),
    ),
    "FASTQ that is FASTA": ("reads.fq", GOOD.encode(), ("is not FASTQ, see line 1",)),
    "FASTA that is FASTQ": ("seqs.fa", READ.format(1).encode(), ("is not FASTA, see line 1",)),
    "three alike": ("seqs.fa", b">a\nACGTACGT\n>b\nACGTACGT\n>c\nACGTACGT\n", ("nothing to learn",)),
}


@pytest.mark.parametrize(("name", "content", "messages"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong_with_a_file_is_said_and_nothing_is_left(
    place: Path,
    fit: Callable[..., Result],
    name: str,
    content: bytes,
    messages: tuple[str, ...],
) -> None:
    (place / name).write_bytes(content)
    before = sorted(place.rglob("*"))
    of_file = () if "nothing to learn" in messages else (str(place / name),)
    fails(fit(name), *messages, *of_file)
    assert sorted(place.rglob("*")) == before


def test_records_shorter_than_a_word_are_left_out_with_a_warning(
    place: Path, fit: Callable[..., Result]
) -> None:
    (place / "some.fa").write_text(f"{GOOD}>short\nACGT\n>shorter\nA\n")
    result = fit("some.fa", "--k", 5)
    assert result.code == 0
    assert "2 sequences of fewer than 5 letters are left out: 'short', 'shorter'." in result.err
    assert len(read_embedding(place / "run")) == 20


def test_a_broken_file_leaves_nothing_where_it_was_to_be_embedded(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result]
) -> None:
    assert fit("equal.fa").code == 0
    (place / "bad.fa").write_text(f"{GOOD}>p1\n{PROTEIN}\n")
    result = call("embed", place / "bad.fa", "--model", place / "run", "-o", place / "new", *OPTIONS)
    fails(result, f"{place / 'bad.fa'} record 'p1' looks like a protein")
    assert not (place / "new").exists()


def test_new_data_are_read_as_the_model_counts_words(
    place: Path, fit: Callable[..., Result], call: Callable[..., Result]
) -> None:
    write_sequences(place / "short.fa", [*clustered_dna(N_OBS, LENGTH), "ACGT", "ACG"])
    assert fit("short.fa", "--k", "3,5").code == 0
    result = call("embed", place / "short.fa", "--model", place / "run", "-o", place / "new", *OPTIONS)
    assert result.code == 0, result.err
    # Of the records too short for five letters, none is embedded that was not fitted.
    pd.testing.assert_frame_equal(
        read_embedding(place / "new"), read_embedding(place / "run"), atol=1e-5, rtol=0
    )
    new, old = (anndata.read_h5ad(place / folder / "embedded.h5ad") for folder in ("new", "run"))
    assert list(new.var_names) == list(old.var_names)
