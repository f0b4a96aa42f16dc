"""Data sets by name: recipes are read, their files fetched, prepared and checked."""

from __future__ import annotations

from diffaug_bio.datasets._load import load, verify
from diffaug_bio.datasets.catalogue import load_recipe, recipe_names
from diffaug_bio.datasets.files import fetch
from diffaug_bio.datasets.source import DataSource, read_source

__all__ = [
    "DataSource",
    "fetch",
    "load",
    "load_recipe",
    "read_source",
    "recipe_names",
    "verify",
]
