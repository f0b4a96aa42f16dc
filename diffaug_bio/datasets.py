"""Data sets by name: reads the recipes in `data_recipes/`, loads what they name and checks it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from typing import TYPE_CHECKING, Literal

from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from anndata import AnnData

_PACKAGE = "diffaug_bio.data_recipes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where data come from."""

    kind: Literal["scanpy"]
    """`"scanpy"`: ships inside the scanpy package."""
    name: str
    """Name there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What data have to look like."""

    n_obs: int
    """Rows."""
    n_vars: int
    """Features."""
    n_labels: int
    """Different labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A data set by name; `data_recipes/README.md` explains the keys."""

    name: str
    """Name of the recipe."""
    title: str
    """One line for people."""
    modality: Literal["table"]
    """Kind of data."""
    licence: str
    """Terms of the data."""
    citation: str
    """What to cite."""
    label_key: str
    """Column of `.obs` with the labels."""
    source: Source
    """Where the data come from."""
    expect: Expected
    """What they have to look like."""


def recipe_names() -> list[str]:
    """List the names of all recipes.

    Examples
    --------
    >>> recipe_names()
    ['pbmc68k']
    """
    files = resources.files(_PACKAGE).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name
        One of :func:`recipe_names`.

    Raises
    ------
    RecipeError
        If there is no such recipe, or its file has unknown or missing keys.
    """
    if name not in recipe_names():
        msg = f"There is no recipe {name!r}; known are {', '.join(recipe_names())}."
        raise RecipeError(msg)
    text = resources.files(_PACKAGE).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    try:
        source = Source(**table.pop("source"))
        expect = Expected(**table.pop("expect"))
        return Recipe(name=name, source=source, expect=expect, **table)
    except (KeyError, TypeError) as error:
        known = ", ".join(entry.name for entry in fields(Recipe))
        msg = f"Recipe {name!r} is not valid: {error}. It has to hold {known}."
        raise RecipeError(msg) from error


def load(name: str) -> AnnData:
    """Load the data set of a recipe.

    Parameters
    ----------
    name
        One of :func:`recipe_names`.

    Raises
    ------
    RecipeError
        If there is no such recipe, or the data are not what it expects.

    Examples
    --------
    >>> load("pbmc68k").shape
    (700, 765)
    """
    recipe = load_recipe(name)
    if recipe.source.kind != "scanpy":
        msg = f"Recipe {name!r} comes from {recipe.source.kind!r}, which this version cannot read."
        raise RecipeError(msg)
    adata = _from_scanpy(recipe)
    found = {
        "n_obs": adata.n_obs,
        "n_vars": adata.n_vars,
        "n_labels": adata.obs[recipe.label_key].nunique() if recipe.label_key in adata.obs else 0,
    }
    for key, value in found.items():
        expected = getattr(recipe.expect, key)
        if value != expected:
            msg = f"Recipe {name!r} expects {key} = {expected}, the data have {value}."
            raise RecipeError(msg)
    return adata


def _from_scanpy(recipe: Recipe) -> AnnData:
    """Read a data set that ships inside scanpy."""
    import scanpy

    reader = getattr(scanpy.datasets, recipe.source.name)
    adata: AnnData = reader()
    return adata
