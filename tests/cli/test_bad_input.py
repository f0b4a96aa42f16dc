"""Whatever is wrong: one sentence, exit code 1, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.cli.conftest import Result

Case: TypeAlias = "Callable[[Path], list[object]]"

TINY = "[train]\nwarmup_epochs = 1\ngenerator_epochs = 1\nencoder_epochs = 1\nmin_steps = 1\n"


def make_counts(n_obs: int = 30) -> NDArray[np.float32]:
    return np.random.default_rng(0).poisson(3.0, (n_obs, 8)).astype(np.float32)


def write_cells(folder: Path, matrix: NDArray[np.float32], names: list[str] | None = None) -> Path:
    index = names or [f"cell{i}" for i in range(len(matrix))]
    obs = pd.DataFrame({"kind": pd.Categorical([f"k{i % 2}" for i in range(len(matrix))])}, index=index)
    adata = anndata.AnnData(
        X=sparse.csr_matrix(matrix), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(8)])
    )
    adata.layers["logged"] = adata.X.copy()
    adata.obsm["X_pca"] = np.ones((len(matrix), 2))
    adata.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


def write_table(folder: Path, text: str) -> Path:
    (folder / "table.csv").write_text(text)
    return folder / "table.csv"


def with_value(value: float) -> Case:
    """A case of counts with one other value."""

    def prepare(folder: Path) -> list[object]:
        matrix = make_counts()
        matrix[4, 5] = value
        return [write_cells(folder, matrix), "--input-state", "counts"]

    return prepare


def with_options(*options: str) -> Case:
    """A case of good counts with options."""

    def prepare(folder: Path) -> list[object]:
        return [write_cells(folder, make_counts()), *options]

    return prepare


def with_rows(n_obs: int) -> Case:
    def prepare(folder: Path) -> list[object]:
        return [write_cells(folder, make_counts(n_obs))]

    return prepare


def with_constant(value: float) -> Case:
    def prepare(folder: Path) -> list[object]:
        return [write_cells(folder, np.full((30, 8), value, np.float32))]

    return prepare


def with_table(text: str) -> Case:
    def prepare(folder: Path) -> list[object]:
        return [write_table(folder, text)]

    return prepare


def with_config(text: str) -> Case:
    def prepare(folder: Path) -> list[object]:
        (folder / "bad.toml").write_text(text)
        return [write_cells(folder, make_counts()), "--config", folder / "bad.toml"]

    return prepare


def missing_file(folder: Path) -> list[object]:
    return [folder / "nowhere.h5ad"]


def folder_as_data(folder: Path) -> list[object]:
    (folder / "data.h5ad").mkdir()
    return [folder / "data.h5ad"]


def truncated_h5ad(folder: Path) -> list[object]:
    path = write_cells(folder, make_counts())
    path.write_bytes(path.read_bytes()[:3000])
    return [path]


def repeated_names(folder: Path) -> list[object]:
    names = [f"cell{i // 2}" for i in range(30)]
    return [write_cells(folder, make_counts(), names)]


def unknown_recipe(folder: Path) -> list[object]:
    assert folder.is_dir()
    return ["recipe:everything"]


def output_below_a_file(folder: Path) -> list[object]:
    (folder / "notes").touch()
    return [write_cells(folder, make_counts()), "-o", folder / "notes" / "run"]


def output_on_proc(folder: Path) -> list[object]:
    return [write_cells(folder, make_counts()), "-o", "/proc/run"]


def output_that_is_a_file(folder: Path) -> list[object]:
    (folder / "notes").touch()
    return [write_cells(folder, make_counts()), "-o", folder / "notes"]


CASES: dict[str, tuple[Case, str]] = {
    "missing file": (missing_file, "There is no file"),
    "folder as data": (folder_as_data, "is a folder"),
    "truncated h5ad": (truncated_h5ad, "it is cut off"),
    "ragged table": (with_table("id,a,b\ns1,1,2\ns2,1\n"), "line 3 has 2 fields"),
    "text among numbers": (
        with_table("id,a,b\ns1,1,2\ns2,2,high\ns3,3,4\n"),
        "column 'b' is numeric, but row 's2' holds 'high'",
    ),
    "missing counts": (with_value(float("nan")), "are missing (NaN)"),
    "infinite value": (with_value(float("inf")), "infinite values; the first is in row 4, feature 'g5'"),
    "no rows": (with_rows(0), "has 0 rows"),
    "one row": (with_rows(1), "has 1 row;"),
    "two rows": (with_rows(2), "has 2 rows"),
    "repeated names": (repeated_names, "15 observation names occur more than once"),
    "all zero": (with_constant(0.0), "nothing to learn"),
    "constant": (with_constant(3.0), "nothing to learn"),
    "negative counts": (with_value(-3.0), "1 of them are negative"),
    "unknown layer": (
        with_options("--layer", "counts"),
        "no layer 'counts' in `.layers`; it holds 'logged'",
    ),
    "unknown representation": (with_options("--use-rep", "X_umap"), "`.obsm`; it holds 'X_pca'"),
    "no raw": (with_options("--use-raw"), "There is no `.raw`"),
    "layer and raw": (with_options("--layer", "logged", "--use-raw"), "Give at most one of"),
    "unknown labels": (
        with_options("--label-key", "type"),
        "label column 'type' in `.obs`; it holds 'kind'",
    ),
    "unknown recipe": (unknown_recipe, "There is no recipe 'everything'. `diffaug-bio recipes list`"),
    "unknown device": (with_options("--device", "abacus"), "abacus"),
    "unknown preset": (with_options("--config", "quik"), "no preset 'quik' (did you mean 'quick'?)"),
    "missing configuration": (with_options("--config", "nowhere.toml"), "nowhere.toml cannot be read"),
    "configuration that is no TOML": (with_config("[encoder\n"), "is not a TOML file"),
    "configuration with an unknown key": (
        with_config("[encoder]\ndepth = 3\n"),
        "unknown key encoder.depth",
    ),
    "output below a file": (output_below_a_file, "Cannot write to"),
    "output that is a file": (output_that_is_a_file, "is not a folder"),
}
if Path("/proc/self").is_dir():
    CASES["output where nothing can be written"] = (output_on_proc, "Cannot write to /proc")


def fails_with_a_sentence(
    arguments: list[object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Call the command line and look at exit code and streams."""
    monkeypatch.setattr(sys, "argv", ["diffaug-bio", *map(str, arguments), "--threads", "1"])
    with pytest.raises(SystemExit, match=r"^1$") as caught:
        main()
    assert caught.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    lines = printed.err.splitlines()
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    assert message in lines[-1]


@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
@pytest.mark.parametrize(("prepare", "message"), CASES.values(), ids=CASES.keys())
def test_fit_says_in_a_sentence_what_is_wrong_and_leaves_nothing(
    prepare: Case,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = prepare(tmp_path)
    if "--config" not in arguments:
        (tmp_path / "tiny.toml").write_text(TINY)
        arguments += ["--config", tmp_path / "tiny.toml"]
    if "-o" not in arguments:
        arguments += ["-o", tmp_path / "run"]
    before = sorted(tmp_path.rglob("*"))
    fails_with_a_sentence(["fit", *arguments], message, monkeypatch, capsys)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("model", "message"),
    [("nowhere", "nowhere is not a model folder"), (".", "is not a model folder: it lacks config.json")],
    ids=["missing", "another folder"],
)
def test_embed_says_what_is_no_model_and_leaves_nothing(
    model: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_cells(tmp_path, make_counts())
    arguments = ["embed", path, "--model", tmp_path / model, "-o", tmp_path / "new"]
    fails_with_a_sentence(arguments, message, monkeypatch, capsys)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cells.h5ad"]


@pytest.mark.parametrize("place", [0, 1, 4], ids=["before the command", "after it", "at the end"])
def test_debug_shows_the_traceback_wherever_it_stands(
    place: int, tmp_path: Path, call: Callable[..., Result]
) -> None:
    arguments = ["fit", str(tmp_path / "nowhere.h5ad"), "-o", str(tmp_path / "run"), "--threads", "1"]
    arguments.insert(place, "--debug")
    result = call(*arguments)
    assert (result.code, result.out) == (1, "")
    assert "Traceback (most recent call last)" in result.err
    assert result.err.splitlines()[-1].startswith("Error: There is no file")
    assert list(tmp_path.iterdir()) == []


BEYOND = str(10**20)
REFUSED: list[list[str]] = [
    ["fit", "x.h5ad", "--n-latent", BEYOND],
    ["fit", "x.h5ad", "--n-latent", "100000"],
    ["fit", "x.h5ad", "--n-latent", "9" * 5000],
    ["fit", "x.h5ad", "--seed", "-1"],
    ["fit", "x.h5ad", "--seed", "nan"],
    ["fit", "x.h5ad", "--image-size", BEYOND],
    ["fit", "x.h5ad", "--bins", BEYOND],
    ["fit", "x.h5ad", "--k", "9"],
    ["fit", "x.h5ad", "--k", "4,,5"],
    ["fit", "x.h5ad", "--k", BEYOND],
    ["fit", "x.h5ad", "--layer", ""],
    ["fit", "x.h5ad", "--layer="],
    ["fit", ""],
    ["fit", "x.h5ad", "-o", ""],
    ["fit", "x\0.h5ad"],
    ["fit", "x" * 100_000],
    ["augment", "x.h5ad", "--model", "m", "--n-views", "100000000"],
    ["augment", "x.h5ad", "--model", "m", "--target", BEYOND],
    ["augment", "x.h5ad", "--model", "m", "--guidance", "nan"],
    ["augment", "x.h5ad", "--model", "m", "--guidance", "inf"],
    ["augment", "x.h5ad", "--model", "m", "--strength", "nan"],
    ["transfer", "x.h5ad", "--model", "m", "--label-key", "k", "--min-confidence", "nan"],
    ["transfer", "x.h5ad", "--model", "m", "--label-key", "k", "--n-neighbors", BEYOND],
    ["benchmark", "x.h5ad", "--seeds", BEYOND],
    ["benchmark", "x.h5ad", "--jobs", BEYOND],
    ["benchmark", "x.h5ad", "--min-rows", BEYOND],
]


@pytest.mark.parametrize("arguments", REFUSED, ids=lambda words: " ".join(words)[:60].replace("\0", "0"))
def test_absurd_arguments_are_refused_in_a_line(
    arguments: list[str], call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert (result.code, result.out) == (2, "")
    assert [line for line in result.err.splitlines() if line.startswith("Error: ")] == (
        result.err.splitlines()[-1:]
    )
    assert len(result.err) < 1000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["fit", "x.h5ad", "--n-latent", "100000"], 2),
        (["fit", "nowhere.h5ad"], 1),
        (["benchmark", "x.h5ad", "--config", "quik"], 1),
    ],
    ids=["width", "missing file", "preset"],
)
def test_arguments_are_refused_before_anything_heavy_is_loaded(words: list[str], code: int) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['diffaug-bio', *{words}]\n"
        "from diffaug_bio.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(sorted({'torch', 'anndata', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (code, "[]\n")
