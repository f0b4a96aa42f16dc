"""What the docs say of recipes is so."""

from __future__ import annotations

import dataclasses
import re
import runpy
import shlex
from pathlib import Path

import pytest

from diffaug_bio.datasets import recipe as recipes
from diffaug_bio.datasets.loaders import LOADERS
from diffaug_bio.datasets.steps import STEPS
from tests.cli.conftest import run_here

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "recipes.md"
SCHEMA = (ROOT / "data_recipes" / "README.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_recipes_say() -> None:
    expected = runpy.run_path(str(ROOT / "docs" / "make_recipes.py"))["render"]()
    assert PAGE.read_text(encoding="utf-8") == expected, "run `python docs/make_recipes.py`"


def blocks(kind: str) -> list[str]:
    """Code blocks of the page."""
    return re.findall(
        rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )


def test_a_recipe_of_ones_own_works_word_for_word(tmp_path: Path) -> None:
    [recipe], [commands] = blocks("toml"), blocks("bash")
    assert len(recipe.splitlines()) < 10
    (tmp_path / "proteins.toml").write_text(recipe, encoding="utf-8")
    rows = [f"mouse{i},{i % 7},{i % 3 + 5 * (i % 2)},{i % 5},{'wt' if i % 2 else 'ko'}" for i in range(40)]
    table = "\n".join(["id,p53,actin,tubulin,genotype", *rows])
    (tmp_path / "proteins.csv").write_text(f"{table}\n", encoding="utf-8")
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "diffaug-bio"
        done = run_here(*arguments, folder=tmp_path)
        assert done.code == 0, done.err
    assert (tmp_path / "run" / "metrics.json").is_file()


KEYS = {
    entry.name
    for cls in (recipes.Recipe, recipes.Source, recipes.Expected, recipes.Published)
    for entry in dataclasses.fields(cls)
} - {"path", "sources", "expect", "steps", "loader", "published", "name"}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_key_is_explained(key: str) -> None:
    assert re.search(rf"^\|.*[` ]{key}`", SCHEMA, flags=re.MULTILINE)


@pytest.mark.parametrize("name", sorted({*LOADERS, *STEPS}))
def test_every_loader_and_step_is_listed(name: str) -> None:
    assert f"\n| `{name}` | " in PAGE.read_text(encoding="utf-8")


def test_the_schema_names_only_steps_that_there_are() -> None:
    [example] = re.findall(r"^```toml\n(.*?)^```", SCHEMA, flags=re.DOTALL | re.MULTILINE)
    names = re.findall(r'\[\[steps\]\]\nname = "(\w+)"', example)
    assert names
    assert set(names) <= set(STEPS)
