"""`diffaug-bio info`: what a folder is, in words and as JSON, without loading the model."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from tests.cli.cells import TINY, make_cells
from tests.cli.conftest import run_here
from tests.conftest import clustered_dna, shifted_textures, sign_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

MODELS = Path(__file__).parent.parent / "fixtures" / "models" / "format_1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, fitted by the command to cells with a split of their own."""
    folder = tmp_path_factory.mktemp("place")
    adata = make_cells()
    adata.obs["split"] = ["test" if number % 5 == 0 else "train" for number in range(adata.n_obs)]
    adata.layers["counts"] = adata.X.copy()
    adata.write_h5ad(folder / "cells.h5ad")
    (folder / "tiny.toml").write_text(TINY)
    arguments = ["fit", str(folder / "cells.h5ad"), "-o", str(folder / "run"), "--layer", "counts"]
    arguments += ["--config", str(folder / "tiny.toml"), "--label-key", "kind", "--threads", "1"]
    arguments += ["--device", "cpu", "--precision", "float32", "--model-license", "CC-BY-4.0"]
    result = run_here(*arguments)
    assert result.code == 0, result.err
    return folder


@pytest.fixture
def run(place: Path, tmp_path: Path) -> Path:
    """The run folder, to be changed."""
    shutil.copytree(place / "run", tmp_path / "run")
    return tmp_path / "run"


def test_the_library_size_of_a_panel_is_told(run: Path) -> None:
    """The cells have 30 genes."""
    page = html.unescape((run / "report.html").read_text())
    target_sum = json.loads((run / "model" / "config.json").read_text())["config"]["features"]["target_sum"]
    assert target_sum < 1000
    assert f"counts, normalised to {target_sum:,.5g} a row" in page


def test_totals_that_are_kept_are_told(place: Path, call: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "kept.toml").write_text(TINY.replace("[features]", '[features]\ntotals = "kept"'))
    arguments = ["--config", tmp_path / "kept.toml", "--threads", 1, "--device", "cpu"]
    assert call("fit", place / "cells.h5ad", "-o", tmp_path / "run", *arguments).code == 0
    said = "counts, with the total of each row kept"
    assert said in html.unescape((tmp_path / "run" / "report.html").read_text())
    assert said in (tmp_path / "run" / "model" / "README.md").read_text()
    assert said in call("info", tmp_path / "run").out


def test_a_run_is_told_in_words(call: Callable[..., Result], run: Path) -> None:
    result = call("info", run)
    assert result.code == 0
    for words in (
        "cells.h5ad",
        "gene0, gene1, gene2, gene3, gene4, ...",
        ".layers['counts']",
        "split; test rows were not used in the fit",
        "6 wide (3 components and 3 learned columns)",
        "5 steps of ddim",
        "diffaug-bio embed, diffaug-bio augment",
        "format 1",
        "kind; not used in the fit",
        "PCA, 6 wide",
    ):
        assert words in result.out


def test_a_model_folder_knows_nothing_of_the_run_that_is_not_there(
    call: Callable[..., Result], run: Path, tmp_path: Path
) -> None:
    shutil.copytree(run / "model", tmp_path / "shared")
    result = call("info", tmp_path / "shared")
    assert result.code == 0
    assert "cells.h5ad" not in result.out
    assert "Scores" not in result.out


def test_everything_is_printed_as_json(call: Callable[..., Result], run: Path) -> None:
    for folder in (run, run / "model"):
        result = call("info", folder, "--json")
        found = json.loads(result.out)
        assert found["model"]["format_version"] == 1
        assert found["model"]["n_features"] == 30
        assert found["model"]["feature_names"] == [f"gene{number}" for number in range(10)]
        assert found["model"]["uses"] == ["embed", "augment"]
        assert found["model"]["config"]["encoder"]["n_latent"] == 6
        assert found["run"]["data"]["n_obs"] == 90
        assert found["metrics"] == json.loads((run / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expression", "counts"),
        ("sequence", "letters of sequences"),
        ("image", "12 x 12 x 1"),
        ("measured", "diffaug-bio embed\n"),
    ],
)
def test_every_kind_of_model_is_told(call: Callable[..., Result], kind: str, words: str) -> None:
    result = call("info", MODELS / kind)
    assert result.code == 0
    assert words in result.out


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; from diffaug_bio.cli.info import command\n"
        f"command.main([{str(MODELS / 'sequence')!r}, '--json'], standalone_mode=False)\n"
        "assert not {'torch', 'scanpy', 'sklearn'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["model"]["kind"] == "sequence"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", "{", r"run.json is damaged"),
        ("metrics.json", "[]", "'label_key'"),
        ("metrics.json", '{"label_key": "t", "embedding": [1], "pca": {}}', "'embedding.width'"),
        ("metrics.json", "[" * 100_000, "metrics.json is damaged"),
        ("run.json", '{"data": "cells.h5ad"}', "'data.data', 'data.n_obs'"),
        ("run.json", '{"data": {"data": "cells.h5ad", "n_obs": "\\u001b[2J"}}', "'data.n_obs'"),
        ("run.json", '{"data": null}', "run.json is damaged"),
        ("model/config.json", "{", "model is damaged"),
        ("model/config.json", "[" * 100_000, "model is damaged"),
        ("model/history.json", '{"phase": 3}', "model is damaged"),
        ("model/weights.safetensors", "", "model is damaged"),
    ],
)
def test_damage_is_one_sentence(
    call: Callable[..., Result], run: Path, name: str, content: str, message: str
) -> None:
    (run / name).write_text(content)
    result = call("info", run)
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(("row", "score"), [("embedding", "width"), ("pca", "kmeans_ari")])
@pytest.mark.parametrize("value", [None, "\x1b[2J", [], float("nan"), 10**400])
def test_a_score_that_is_no_number_is_one_sentence(
    call: Callable[..., Result], run: Path, row: str, score: str, value: object
) -> None:
    table = json.loads((run / "metrics.json").read_text())
    table[row][score] = value
    (run / "metrics.json").write_text(json.dumps(table))
    result = call("info", run)
    assert (result.code, result.out) == (1, "")
    assert f"'{row}.{score}'" in result.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("source", {"kmers": "x"}),
        ("source", ["layer"]),
        ("source", None),
        ("seed", float("inf")),
        ("preprocessing", "counts"),
        ("config", []),
    ],
)
def test_a_model_with_parts_of_another_form_is_one_sentence(
    call: Callable[..., Result], run: Path, key: str, value: object
) -> None:
    path = run / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    result = call("info", run)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1


def test_what_is_no_model_is_one_sentence(call: Callable[..., Result], run: Path, tmp_path: Path) -> None:
    assert "nowhere" in call("info", tmp_path / "nowhere").err
    (run / "model" / "features.json").unlink()
    result = call("info", run)
    assert (result.code, result.out) == (1, "")
    assert "features.json" in result.err


def test_a_newer_format_asks_for_an_upgrade(call: Callable[..., Result], run: Path) -> None:
    path = run / "model" / "config.json"
    table: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps({**table, "format_version": 2_000}))
    result = call("info", run)
    assert result.code == 1
    assert "format 2000" in result.err
    assert "pip install -U diffaug-bio" in result.err


def test_names_cannot_steer_the_terminal(call: Callable[..., Result], run: Path) -> None:
    path = run / "model" / "features.json"
    names = json.loads(path.read_text())["names"]
    path.write_text(json.dumps({"names": ["\x1b[2Jgene\n", *names[1:]]}))
    sign_model(run / "model")  # as a stranger can
    result = call("info", run)
    assert "\x1b" not in result.out
    assert "[2Jgene , gene1" in result.out


def test_the_card_tells_data_scores_and_licence(run: Path, place: Path) -> None:
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "cc-by-4.0"
    scores = json.loads((run / "metrics.json").read_text())
    for words in (
        "# DiffAug model of cells.h5ad",
        "| Rows | 90 |",
        "| Matrix | .layers\\['counts'\\] |",
        "test rows were not used in the fit",
        f"{scores['embedding']['linear_probe']:.3f}",
        f"{scores['pca']['linear_probe']:.3f}",
        json.loads((run / "run.json").read_text())["data"]["sha256"],
    ):
        assert words in card
    assert str(place) not in card


def fit_as_the_card_says(call: Callable[..., Result], card: Path) -> None:
    """Run a card's command on its settings, in the folder of the data."""
    blocks = card.read_text(encoding="utf-8").split("```")
    command = next(block for block in blocks if block.startswith("bash\ndiffaug-bio fit"))
    settings = next(block for block in blocks if block.startswith("toml\n"))
    Path("settings.toml").write_text(settings.removeprefix("toml\n"))
    words = command.split()[2:]
    result = call(*["again" if word == "run" else word for word in words], "--device", "cpu", "--quiet")
    assert result.code == 0, result.err


def test_the_command_of_a_card_gives_the_same_embedding(
    call: Callable[..., Result], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    fit_as_the_card_says(call, place / "run" / "model" / "README.md")
    assert (place / "again" / "embedding.csv").read_bytes() == (
        place / "run" / "embedding.csv"
    ).read_bytes()


@pytest.mark.parametrize("kind", ["letters", "words", "images", "table"])
def test_the_command_of_a_card_suits_every_kind(
    call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TINY)
    Path("dna.fa").write_text("".join(f">s{n}\n{dna}\n" for n, dna in enumerate(clustered_dna(60))))
    np.savez("images.npz", images=shifted_textures(40))
    make_cells().to_df().sub(0.3).to_csv("table.csv")
    options = {
        "letters": ["dna.fa"],
        "words": ["dna.fa", "--k", "2,3", "--bins", "2", "--canonical"],
        "images": ["images.npz", "--warmup-view", "hand"],
        "table": ["table.csv", "--n-latent", "5"],
    }[kind]
    common = ["--config", "tiny.toml", "--threads", "1", "--device", "cpu", "--quiet", "--seed", "3"]
    assert call("fit", *options, "-o", "run", *common).code == 0
    fit_as_the_card_says(call, Path("run/model/README.md"))
    assert Path("again/embedding.csv").read_bytes() == Path("run/embedding.csv").read_bytes()
