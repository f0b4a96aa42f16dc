"""From a recipe to data."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio._validation import shorten
from diffaug_bio.datasets._catalogue import load_recipe
from diffaug_bio.datasets._files import Files
from diffaug_bio.datasets._loaders import LOADERS
from diffaug_bio.errors import DiffAugError, RecipeError
from diffaug_bio.pp import STEPS

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.datasets._recipe import Recipe

logger = logging.getLogger(__name__)


def load(
    name: str, *, from_path: str | PathLike[str] | None = None, cache: str | PathLike[str] | None = None
) -> AnnData:
    """Load the data set of a recipe: files, loader, preparation steps.

    Parameters
    ----------
    name
        One of :func:`recipe_names`, or the path of a TOML file of your own.
    from_path
        Files that are there already, instead of a download: a folder that holds them by the names in the
        recipe, or the file itself if the recipe has one.
    cache
        Folder for files; by default that of `DIFFAUG_BIO_CACHE`, or the system's folder for caches.

    Raises
    ------
    RecipeError
        If there is no such recipe, its files cannot be had, or the data are not what it insists on.

    Examples
    --------
    >>> load("pbmc68k").shape
    (700, 765)
    """
    recipe = load_recipe(name)
    folder = Path(from_path) if from_path is not None else Path()
    files = Files(names=tuple(source.file for source in recipe.sources), roots=(folder,))
    adata = _prepare(recipe, files)
    _check(recipe, adata)
    return adata


def _prepare(recipe: Recipe, files: Files) -> AnnData:
    """Call the loader and the steps of a recipe."""
    try:
        adata = LOADERS[recipe.loader.name](files, **recipe.loader.parameters)
        for step in recipe.steps:
            adata = STEPS[step.name](adata, **step.parameters)
    except DiffAugError as error:
        msg = f"Recipe {recipe.name!r}: {error}"
        raise RecipeError(msg) from error
    return adata


def _check(recipe: Recipe, adata: AnnData) -> None:
    """Refuse data that lack what the recipe insists on."""
    for key in (recipe.label_key, recipe.batch_key):
        if key is not None and key not in adata.obs:
            msg = (
                f"Recipe {recipe.name!r} names the column {key!r}, which is not in `.obs`; it holds "
                f"{shorten(adata.obs) or 'none'}."
            )
            raise RecipeError(msg)
    found = measure(recipe, adata)
    for key in recipe.expect.fixed:
        if found[key] != getattr(recipe.expect, key):
            msg = (
                f"Recipe {recipe.name!r} expects {key} = {getattr(recipe.expect, key)}, the data have "
                f"{found[key]}. Are these the files that it asks for?"
            )
            raise RecipeError(msg)


def measure(recipe: Recipe, adata: AnnData) -> dict[str, int]:
    """Count rows, features and labels."""
    n_labels = adata.obs[recipe.label_key].nunique() if recipe.label_key else 0
    return {"n_obs": adata.n_obs, "n_vars": adata.n_vars, "n_labels": int(n_labels)}
