"""Every recipe is complete, and data are what recipes insist on."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import datasets
from diffaug_bio.datasets._load import recipe_fingerprint
from diffaug_bio.datasets.files import is_here
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

OLD_FILE = "ignore:Moving element from .uns:FutureWarning"  # scanpy's file is of an old AnnData
WITHOUT_FILES = [name for name in datasets.recipe_names() if not datasets.load_recipe(name).sources]
TABLE = "id,a,b,genotype\nrow1,1,2,x\nrow2,3,4,y\nrow3,3,5,y\n"
RECIPE = """
title = "My proteins"
modality = "table"
label_key = "genotype"
[[sources]]
file = "proteins.csv"
"""


def own(folder: Path, *, more: str = "", table: str = TABLE) -> str:
    """Write a recipe and its table, and return what it is called."""
    (folder / "proteins.csv").write_text(table, encoding="utf-8")
    (folder / "my.toml").write_text(RECIPE + more, encoding="utf-8")
    return str(folder / "my.toml")


def test_there_are_recipes() -> None:
    assert "pbmc68k" in datasets.recipe_names()
    assert "pbmc68k" in datasets.recipe_names("table")
    assert "pbmc68k" not in datasets.recipe_names("dna")


@pytest.mark.parametrize("name", datasets.recipe_names())
def test_a_recipe_of_ours_is_complete(name: str) -> None:
    recipe = datasets.load_recipe(name)
    assert re.fullmatch(r"[a-z0-9_]+", name)
    for key in ("title", "licence", "citation"):
        assert getattr(recipe, key), f"{name} has an empty {key}"
    assert all(source.url or source.by_hand for source in recipe.sources)


@pytest.mark.filterwarnings(OLD_FILE, "ignore:Observation names are not unique")
@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_data_inside_packages_are_what_the_recipe_says(name: str) -> None:
    assert [finding for finding in datasets.verify(name) if not finding.is_good] == []
    assert datasets.load(name).obs_names.is_unique
    assert datasets.load_recipe(name).expect.fixed == ("n_obs", "n_vars", "n_labels")


@pytest.mark.parametrize("name", ["nothing", "", "../pbmc68k", "pbmc68k.h5ad"])
def test_unknown_recipe_says_how_to_list_the_known_ones(name: str) -> None:
    with pytest.raises(RecipeError, match=r"There is no recipe .*`diffaug-bio recipes list` shows all"):
        datasets.load(name)


def test_the_nearest_names_are_offered() -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'pbmc86k'\. Did you mean 'pbmc68k'"):
        datasets.load_recipe("pbmc86k")


def test_a_recipe_of_ones_own_reads_the_file_beside_it(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    name = own(tmp_path)
    adata = datasets.load(name, cache=cache)
    assert adata.shape == (3, 2)
    assert list(adata.obs["genotype"]) == ["x", "y", "y"]
    assert not cache.exists()  # nothing is copied, nothing is written
    assert is_here(datasets.load_recipe(name), cache=cache)
    assert set(recipe_fingerprint(name, cache=cache)) == {"my.toml", "proteins.csv"}


def test_steps_run_in_order_on_what_the_loader_gives(tmp_path: Path) -> None:
    step = '[[steps]]\nname = "drop_small_classes"\nkey = "genotype"\nmin_obs = 2\n'
    assert datasets.load(own(tmp_path, more=step)).n_obs == 2


def test_what_is_fixed_is_insisted_on_and_the_rest_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    more = '[expect]\nn_obs = 30\nn_vars = 2\nn_labels = 2\nfixed = ["n_vars"]\n'
    with caplog.at_level(logging.WARNING):
        assert datasets.load(own(tmp_path, more=more)).n_obs == 3
    assert caplog.messages == ["Recipe 'my' says n_obs = 30, these data have 3."]
    other = own(tmp_path, more=more.replace("n_vars = 2", "n_vars = 3"))
    with pytest.raises(RecipeError, match=r"Recipe 'my' expects n_vars = 3, the data have 2\."):
        datasets.load(other)


def test_verify_insists_on_everything(tmp_path: Path) -> None:
    name = own(tmp_path, more="[expect]\nn_obs = 30\nn_vars = 2\n")
    found = {finding.what: (finding.is_good, finding.detail) for finding in datasets.verify(name)}
    assert found == {
        "n_obs": (False, "3, the recipe says 30"),
        "n_vars": (True, "2"),
        "n_labels": (True, "2, the recipe does not say"),
    }


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    name = own(tmp_path, table=TABLE.replace("genotype", "strain"))
    with pytest.raises(RecipeError, match=r"names the column 'genotype', .*it holds 'strain'"):
        datasets.load(name)
    assert [finding.what for finding in datasets.verify(name) if not finding.is_good] == ["data"]


def test_what_a_reader_refuses_is_said_with_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"Recipe 'my': .*line 3 has 2 fields"):
        datasets.load(own(tmp_path, table="a,b,genotype\n1,2,x\n1,2\n"))


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"The recipe .*none\.toml cannot be read: No such file"):
        datasets.load_recipe(str(tmp_path / "none.toml"))
