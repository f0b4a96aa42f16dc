"""Data sets by name: reads recipes, fetches what they name, prepares it and checks it."""

from __future__ import annotations

from diffaug_bio.datasets._catalogue import load_recipe, recipe_names
from diffaug_bio.datasets._download import Progress
from diffaug_bio.datasets._fetch import fetch, is_here
from diffaug_bio.datasets._files import Files
from diffaug_bio.datasets._load import Finding, load, verify
from diffaug_bio.datasets._loaders import LOADERS
from diffaug_bio.datasets._recipe import Call, Expected, Published, Recipe, Source
from diffaug_bio.datasets._store import Store, cache_folder
from diffaug_bio.datasets.source import DataSource, read_source

__all__ = [
    "LOADERS",
    "Call",
    "DataSource",
    "Expected",
    "Files",
    "Finding",
    "Progress",
    "Published",
    "Recipe",
    "Source",
    "Store",
    "cache_folder",
    "fetch",
    "is_here",
    "load",
    "load_recipe",
    "read_source",
    "recipe_names",
    "verify",
]
