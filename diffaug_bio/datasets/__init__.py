"""Data sets by name: reads recipes, fetches what they name, prepares it and checks it."""

from __future__ import annotations

from diffaug_bio.datasets._catalogue import load_recipe, recipe_names
from diffaug_bio.datasets._load import load
from diffaug_bio.datasets._loaders import LOADERS
from diffaug_bio.datasets._recipe import Call, Expected, Published, Recipe, Source

__all__ = [
    "LOADERS",
    "Call",
    "Expected",
    "Published",
    "Recipe",
    "Source",
    "load",
    "load_recipe",
    "recipe_names",
]
