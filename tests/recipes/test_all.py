"""Every recipe is tried with tiny files in the genuine format, without network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import datasets
from diffaug_bio.errors import RecipeError
from tests.recipes.genuine import GENUINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

RECIPES = {name: datasets.load_recipe(name) for name in datasets.recipe_names()}
INSIDE_A_PACKAGE = sorted(name for name, recipe in RECIPES.items() if not recipe.sources)
WITH_SIZE_OR_HASH = sorted(
    name
    for name, recipe in RECIPES.items()
    if any(source.size or source.sha256 for source in recipe.sources)
)
OF_SCANPY = ("ignore:Moving element from .uns", "ignore:Observation names are not unique")


def check(adata: AnnData, name: str) -> None:
    """What holds for the data of every recipe."""
    recipe = RECIPES[name]
    assert adata.obs_names.is_unique
    assert adata.var_names.is_unique
    for key in recipe.expect.fixed:
        found = {"n_obs": adata.n_obs, "n_vars": adata.n_vars}
        assert found.get(key, getattr(recipe.expect, key)) == getattr(recipe.expect, key)
    if recipe.label_key is not None:
        labels = adata.obs[recipe.label_key]
        is_unlabeled = adata.obs["split"] == "unlabeled" if "split" in adata.obs else False
        assert (labels.notna() | is_unlabeled).all()
        assert labels.nunique() >= 1
    if recipe.split_key not in {None, "none"}:
        assert {"train", "test"} <= set(adata.obs[recipe.split_key])
    assert ("image_shape" in adata.uns) == (recipe.modality == "image")
    assert ("sequence" in adata.obs) == (recipe.modality == "dna")


def test_no_recipe_is_without_genuine_files() -> None:
    assert set(GENUINE) == {name for name, recipe in RECIPES.items() if recipe.sources}


@pytest.mark.parametrize("name", sorted(GENUINE))
def test_genuine_files_are_read(load: Callable[[str], AnnData], name: str) -> None:
    check(load(name), name)


@pytest.mark.parametrize("name", INSIDE_A_PACKAGE)
@pytest.mark.filterwarnings(*OF_SCANPY)
def test_data_inside_a_package_are_all_that_the_recipe_says(name: str) -> None:
    adata, expect = datasets.load(name), RECIPES[name].expect
    check(adata, name)
    n_labels = adata.obs[RECIPES[name].label_key].nunique()
    assert (adata.n_obs, adata.n_vars, n_labels) == (expect.n_obs, expect.n_vars, expect.n_labels)


@pytest.mark.parametrize("name", WITH_SIZE_OR_HASH)
def test_other_files_are_refused_where_size_or_hash_is_known(tmp_path: Path, name: str) -> None:
    (tmp_path / "given").mkdir()
    GENUINE[name](tmp_path / "given")
    with pytest.raises(RecipeError, match=r"where the recipe says"):
        datasets.load(name, from_path=tmp_path / "given", cache=tmp_path / "cache")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_says_what_people_have_to_know(name: str) -> None:
    recipe = RECIPES[name]
    assert re.fullmatch(r"[a-z0-9_]+", name)
    assert len(recipe.title) <= 110
    assert not recipe.title.endswith(".")
    assert recipe.licence
    assert recipe.citation
    assert not recipe.notes or recipe.notes.endswith(".")
    assert recipe.label_key is not None or "without labels" in recipe.notes


@pytest.mark.parametrize(
    "name", sorted(name for name, recipe in RECIPES.items() if recipe.modality == "image")
)
def test_pixels_are_bytes(load: Callable[[str], AnnData], name: str) -> None:
    adata = load(name)
    assert adata.X.dtype == np.uint8
    assert np.prod(adata.uns["image_shape"]) == adata.n_vars == RECIPES[name].expect.n_vars
