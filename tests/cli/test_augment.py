"""`diffaug-bio augment`: new sequences from a fitted model, into a file."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io, runs, tl
from diffaug_bio.datasets import DataSource
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig
    from tests.cli.conftest import Result

N_OBS = 45
OPTIONS = ["--threads", "1", "--device", "cpu"]


def write_sequences(path: Path) -> Path:
    letters = clustered_dna(N_OBS, 30)
    path.write_text("".join(f">s{n} kind=k{n % 3}\n{one}\n" for n, one in enumerate(letters)))
    return path


def fit(folder: Path, config: DiffAugConfig, encoder: str) -> None:
    """Fit a model of the sequences of a folder."""
    config = config.replace(encoder={"kind": encoder})
    source = DataSource(data=str(folder / "seqs.fa"))
    runs.fit(source, folder / "run", config=config, device="cpu")


@pytest.fixture
def place(tmp_path: Path, letters_config: DiffAugConfig) -> Path:
    """A folder with sequences, and `run`, a model of their letters."""
    write_sequences(tmp_path / "seqs.fa")
    fit(tmp_path, letters_config, "cnn")
    return tmp_path


def arguments_in(place: Path, output: str) -> list[object]:
    return ["augment", place / "seqs.fa", "--model", place / "run", "-o", place / output, *OPTIONS]


def letters_of(path: Path) -> list[str]:
    return [str(letters) for letters in io.read(path).obs["sequence"]]


def check(generated: AnnData, place: Path, *, n_views: int = 1, seed: int = 0) -> None:
    """Compare what was written with what it was made from."""
    source = io.read(place / "seqs.fa")
    assert generated.n_obs == n_views * N_OBS
    expected = [f"{name}-generated-{seed + n}" for n in range(n_views) for name in source.obs_names]
    assert list(generated.obs_names) == expected
    assert list(generated.obs["source"]) == list(source.obs_names) * n_views
    assert list(generated.obs["kind"]) == list(source.obs["kind"]) * n_views
    assert {str(value) for value in generated.obs["generated"]} == {"True"}


@pytest.mark.parametrize("output", ["more.fa", "more.fa.gz", "MORE.FASTA.GZ", "more.h5ad"])
def test_as_many_sequences_as_there_are_come_into_a_file(
    place: Path, call: Callable[..., Result], output: str
) -> None:
    result = call(*arguments_in(place, output))
    assert (result.code, result.out) == (0, f"{N_OBS} rows generated; see {place / output}.\n")
    assert {path.name for path in place.iterdir()} == {"seqs.fa", "run", output}
    assert (place / output).read_bytes().startswith(b"\x1f\x8b") == output.lower().endswith(".gz")
    check(io.read(place / output), place)
    new, old = letters_of(place / output), letters_of(place / "seqs.fa")
    assert new != old
    assert [len(letters) for letters in new] == [30] * N_OBS


def test_fasta_and_h5ad_hold_the_same(place: Path, call: Callable[..., Result]) -> None:
    for output in ("more.fa.gz", "more.h5ad"):
        assert call(*arguments_in(place, output), "--quiet") == (0, "", "")
    fasta, h5ad = io.read(place / "more.fa.gz"), anndata.read_h5ad(place / "more.h5ad")
    assert list(fasta.obs["sequence"]) == list(h5ad.obs["sequence"])
    assert (fasta.X != h5ad.X).nnz == 0
    assert h5ad.obs["generated"].dtype == bool


def test_views_and_seed_are_those_asked_for(place: Path, call: Callable[..., Result]) -> None:
    result = call(*arguments_in(place, "two.fa"), "--n-views", 2, "--seed", 5)
    assert result.out.startswith(f"{2 * N_OBS} rows generated; see ")
    check(io.read(place / "two.fa"), place, n_views=2, seed=5)
    assert call(*arguments_in(place, "one.fa"), "--seed", 5).code == 0
    assert letters_of(place / "one.fa") == letters_of(place / "two.fa")[:N_OBS]
    assert letters_of(place / "one.fa") != letters_of(place / "two.fa")[N_OBS:]


def test_the_same_seed_gives_the_same_bytes(place: Path, call: Callable[..., Result]) -> None:
    for output in ("a.fa.gz", "b.fa.gz"):
        assert call(*arguments_in(place, output), "--seed", 3).code == 0
    assert (place / "a.fa.gz").read_bytes() == (place / "b.fa.gz").read_bytes()


def test_json_is_all_that_is_printed(place: Path, call: Callable[..., Result]) -> None:
    result = call(*arguments_in(place, "more.h5ad"), "--json", "--seed", 2)
    assert json.loads(result.out) == {
        "n_obs": N_OBS,
        "n_vars": 256,
        "output": str(place / "more.h5ad"),
        "seed": 2,
    }
    assert "45 sequences." in result.err


def test_a_file_with_new_sequences_can_be_embedded(place: Path, call: Callable[..., Result]) -> None:
    assert call(*arguments_in(place, "more.fa.gz")).code == 0
    arguments = ["embed", place / "more.fa.gz", "--model", place / "run", "-o", place / "new", *OPTIONS]
    result = call(*arguments)
    assert result.out.startswith(f"{N_OBS} rows embedded; see ")


def test_reads_are_augmented(
    tmp_path: Path, letters_config: DiffAugConfig, call: Callable[..., Result]
) -> None:
    letters = clustered_dna(N_OBS, 30)
    reads = "".join(f"@r{n} kind=k{n % 3}\n{one}\n+\n{'I' * 30}\n" for n, one in enumerate(letters))
    (tmp_path / "reads.fq").write_text(reads)
    source = DataSource(data=str(tmp_path / "reads.fq"))
    runs.fit(source, tmp_path / "run", config=letters_config, device="cpu")
    arguments = ["--model", tmp_path / "run", "-o", tmp_path / "more.fa", *OPTIONS]
    assert call("augment", tmp_path / "reads.fq", *arguments).code == 0
    assert list(io.read(tmp_path / "more.fa").obs["kind"]) == [f"k{n % 3}" for n in range(N_OBS)]


def fails(result: Result, message: str) -> None:
    """Look at exit code and streams."""
    assert result.code == 1
    assert result.out == ""
    lines = result.err.splitlines()
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    assert message in lines[-1]


def test_a_model_of_counted_words_gives_an_h5ad_and_no_fasta(
    tmp_path: Path, letters_config: DiffAugConfig, call: Callable[..., Result]
) -> None:
    write_sequences(tmp_path / "seqs.fa")
    fit(tmp_path, letters_config, "mlp")
    assert call(*arguments_in(tmp_path, "more.h5ad")).code == 0
    generated = anndata.read_h5ad(tmp_path / "more.h5ad")
    check(generated, tmp_path)
    assert "sequence" not in generated.obs
    fails(
        call(*arguments_in(tmp_path, "more.fa")),
        "The model generates features, not letters, which more.fa would",
    )
    assert {path.name for path in tmp_path.iterdir()} == {"seqs.fa", "run", "more.h5ad"}


def test_a_file_that_exists_is_replaced_only_by_force(place: Path, call: Callable[..., Result]) -> None:
    (place / "more.fa").write_text("years of work")
    refused = call(*arguments_in(place, "more.fa"))
    fails(
        refused, "more.fa exists already. Choose another output file (`-o`), or overwrite it (`--force`)."
    )
    assert (place / "more.fa").read_text() == "years of work"
    assert call(*arguments_in(place, "more.fa"), "--force").code == 0
    check(io.read(place / "more.fa"), place)


def test_a_file_stays_as_it_was_where_nothing_can_be_generated(
    place: Path, call: Callable[..., Result]
) -> None:
    (place / "more.fa").write_text("years of work")
    (place / "seqs.fa").write_text(">a\n\n")
    fails(call(*arguments_in(place, "more.fa"), "--force"), "record 'a' has no sequence")
    assert (place / "more.fa").read_text() == "years of work"
    assert {path.name for path in place.iterdir()} == {"seqs.fa", "run", "more.fa"}


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["plain", "force"])
def test_a_folder_is_no_file_to_write(place: Path, call: Callable[..., Result], force: list[str]) -> None:
    (place / "more.h5ad").mkdir()
    fails(
        call(*arguments_in(place, "more.h5ad"), *force),
        "more.h5ad exists and is a folder. Choose another output file.",
    )
    assert not list((place / "more.h5ad").iterdir())


@pytest.mark.parametrize("output", ["more", "more.h5ad.gz", "more.fastq", "more.csv.zip"])
def test_an_unknown_ending_is_refused(place: Path, call: Callable[..., Result], output: str) -> None:
    fails(call(*arguments_in(place, output)), "has no known ending. Use .h5ad")
    assert {path.name for path in place.iterdir()} == {"seqs.fa", "run"}


def test_a_missing_folder_is_refused_and_not_made(place: Path, call: Callable[..., Result]) -> None:
    fails(call(*arguments_in(place, "nowhere/more.fa")), "nowhere to write more.fa into. Make it first.")
    assert {path.name for path in place.iterdir()} == {"seqs.fa", "run"}


def test_a_missing_model_is_refused(place: Path, call: Callable[..., Result]) -> None:
    shutil.rmtree(place / "run")
    fails(call(*arguments_in(place, "more.fa")), "run is not a model folder")
    assert {path.name for path in place.iterdir()} == {"seqs.fa"}


def test_views_have_to_be_one_or_more(place: Path, call: Callable[..., Result]) -> None:
    result = call(*arguments_in(place, "more.fa"), "--n-views", 0)
    assert result.code == 2
    assert "'--n-views': 0 is not in the range 1<=x" in result.err


def test_features_are_named_by_a_column(
    tmp_path: Path, tiny_config: DiffAugConfig, call: Callable[..., Result]
) -> None:
    matrix = np.random.default_rng(0).normal(5, 2, (40, 8)).astype(np.float32)
    data = anndata.AnnData(matrix, var=pd.DataFrame(index=[f"p{number}" for number in range(8)]))
    tl.fit(data, config=tiny_config, device="cpu").save(tmp_path / "model")
    data.var["protein"], data.var_names = list(data.var_names), [f"x{number}" for number in range(8)]
    data.write_h5ad(tmp_path / "renamed.h5ad")
    words = [
        "augment",
        tmp_path / "renamed.h5ad",
        "--model",
        tmp_path / "model",
        "-o",
        tmp_path / "new.h5ad",
    ]
    failed = call(*words, "--threads", "1")
    assert failed.code == 1
    assert "`.var['protein']` holds 100% of them: pass var_key='protein'" in failed.err
    assert call(*words, "--var-key", "protein", "--threads", "1").code == 0
    assert list(anndata.read_h5ad(tmp_path / "new.h5ad").var_names)[:2] == ["p0", "p1"]
