"""Every recipe loads what it says."""

from __future__ import annotations

import dataclasses

import pytest

from diffaug_bio import datasets
from diffaug_bio.errors import RecipeError

OLD_FILE = "ignore:Moving element from .uns:FutureWarning"  # scanpy's file is of an old AnnData


def test_there_is_a_recipe() -> None:
    assert "pbmc68k" in datasets.recipe_names()


@pytest.mark.parametrize("name", datasets.recipe_names())
def test_recipe_is_complete(name: str) -> None:
    recipe = datasets.load_recipe(name)
    for key, value in dataclasses.asdict(recipe).items():
        assert value, f"{name} has an empty {key}"


@pytest.mark.filterwarnings(OLD_FILE)
@pytest.mark.parametrize("name", datasets.recipe_names())
def test_data_are_what_the_recipe_expects(name: str) -> None:
    recipe = datasets.load_recipe(name)
    adata = datasets.load(name)
    assert adata.shape == (recipe.expect.n_obs, recipe.expect.n_vars)
    assert adata.obs[recipe.label_key].nunique() == recipe.expect.n_labels
    assert adata.obs_names.is_unique


@pytest.mark.parametrize("name", ["nothing", "", "../pbmc68k", "pbmc68k.toml"])
def test_unknown_recipe_lists_the_known_ones(name: str) -> None:
    with pytest.raises(RecipeError, match=r"There is no recipe .*; known are pbmc68k"):
        datasets.load(name)
