"""`diffaug-bio recipes`, and recipes as DATA."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import datasets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Result

TABLE = "id,a,b,c,strain\n" + "".join(
    f"row{i},{i % 7},{i % 3 + (i % 2) * 5},{i % 5},{'xy'[i % 2]}\n" for i in range(40)
)
RECIPE = """\
title = "Forty rows"
modality = "table"
label_key = "strain"
[[sources]]
file = "rows.csv"
by_hand = "Ask the authors."
[expect]
n_obs = 40
n_vars = 3
[[published]]
method = "PCA"
score = "accuracy"
value = 90.5
where = "a paper, table 1"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep files of tests out of the user's cache."""
    monkeypatch.setenv("DIFFAUG_BIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A recipe of one's own; its file lies elsewhere."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "rows.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "mine.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path / "recipes" / "mine.toml"


def test_every_recipe_is_listed_with_size_state_and_title(call: Callable[..., Result]) -> None:
    result = call("recipes", "list")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines] == datasets.recipe_names()
    [line] = [line for line in lines if line.startswith("pbmc68k ")]
    assert line.split()[1:6] == ["table", "700", "x", "765", "here"]
    assert line.endswith(datasets.load_recipe("pbmc68k").title)
    assert call("recipes").out == result.out


def test_json_holds_the_same(call: Callable[..., Result]) -> None:
    found = json.loads(call("recipes", "list", "--json").out)
    assert list(found) == datasets.recipe_names()
    assert found["pbmc68k"] == {
        "title": datasets.load_recipe("pbmc68k").title,
        "modality": "table",
        "n_obs": 700,
        "n_vars": 765,
        "n_labels": 10,
        "is_here": True,
    }


def test_the_list_may_be_of_one_kind(call: Callable[..., Result]) -> None:
    listed = [line.split()[0] for line in call("recipes", "list", "--modality", "table").out.splitlines()]
    assert listed == datasets.recipe_names("table")


@pytest.mark.parametrize("name", datasets.recipe_names())
def test_every_recipe_can_be_shown(name: str, call: Callable[..., Result]) -> None:
    result = call("recipes", "show", name)
    assert result.code == 0
    assert result.out.startswith(f"{name}: ")
    assert json.loads(call("recipes", "show", f"recipe:{name}", "--json").out)["name"] == name


def test_all_that_a_recipe_says_is_shown(mine: Path, call: Callable[..., Result], cache: Path) -> None:
    lines = [line.strip() for line in call("recipes", "show", mine).out.splitlines()]
    assert lines[0] == "mine: Forty rows"
    assert "file:        rows.csv: Ask the authors." in lines
    assert "loader:      read()" in lines
    assert "expected:    40 rows, 3 features, ? labels" in lines
    assert "published:   PCA, accuracy: 90.5 (a paper, table 1)" in lines
    assert lines[-1].startswith(f"folder:      {cache}")
    assert lines[-1].endswith("(not complete)")


def test_files_are_given_checked_used_and_verified(
    mine: Path, tmp_path: Path, call: Callable[..., Result], cache: Path
) -> None:
    fit = ["fit", f"recipe:{mine}", "-o", tmp_path / "run", "--config", "quick", "--threads", 1, "--quiet"]
    missing = call(*fit)
    assert missing.code == 1
    assert (
        "Recipe 'mine' lacks 'rows.csv'. Get rows.csv (Ask the authors), and run `diffaug-bio"
        in missing.err
    )
    assert call("recipes", "verify", mine).code == 1

    result = call("recipes", "fetch", mine, "--from", tmp_path / "given")
    assert result.code == 0, result.err
    assert f"Use them: diffaug-bio fit recipe:{mine}\n" in result.out
    assert (tmp_path / "given" / "rows.csv").exists()

    verified = call("recipes", "verify", mine)
    assert verified.code == 0
    assert verified.out.splitlines()[1] == "ok     n_obs: 40"
    assert call(*fit).code == 0
    data = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert data["files"]["rows.csv"]["sha256"] == hashlib.sha256(TABLE.encode()).hexdigest()

    next(cache.rglob("rows.csv")).write_text(TABLE.replace("x", "z"))
    broken = call("recipes", "verify", mine)
    assert broken.code == 1
    assert broken.out.startswith("WRONG  rows.csv: SHA-256 ")
    assert "differs from what is here: rows.csv." in broken.err
    assert not json.loads(call("recipes", "verify", mine, "--json").out)[0]["is_good"]


def test_recipes_are_compared(mine: Path, tmp_path: Path, call: Callable[..., Result]) -> None:
    assert call("recipes", "fetch", mine, "--from", tmp_path / "given", "--quiet").code == 0
    other = tmp_path / "recipes" / "other.toml"
    other.write_text(RECIPE.replace('by_hand = "Ask the authors."', ""), encoding="utf-8")
    (tmp_path / "recipes" / "rows.csv").write_text(TABLE, encoding="utf-8")
    options = ["--methods", "pca,raw", "--seeds", 1, "--jobs", 1, "-o", tmp_path / "results", "--json"]
    result = call("benchmark", f"recipe:{mine}", f"recipe:{other}", *options)
    assert result.code == 0, result.err
    assert {row["data"] for row in json.loads(result.out)["by_data"]} == {"mine", "other"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "pbmc86k"], "There is no recipe 'pbmc86k'. Did you mean 'pbmc68k'"),
        (["fetch", "nothing.toml"], "The recipe nothing.toml cannot be read: No such file"),
        (["verify", "nothing"], "There is no recipe 'nothing'."),
    ],
    ids=["near", "no file", "unknown"],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], message: str, call: Callable[..., Result], tmp_path: Path
) -> None:
    result = call("recipes", *arguments)
    assert result.code == 1
    assert result.err.startswith(f"Error: {message}")
    assert "Traceback" not in result.err
