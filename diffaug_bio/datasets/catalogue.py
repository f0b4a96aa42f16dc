"""Recipes: data sets by name, described in TOML files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.datasets.recipe import nearest
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from diffaug_bio.config.kinds import Modality
    from diffaug_bio.datasets.recipe import Recipe

_PACKAGE = "diffaug_bio.data_recipes"
_ENDING = ".toml"


def recipe_names(modality: Modality | None = None) -> list[str]:
    """List the names of all recipes.

    Parameters
    ----------
    modality
        Kind of data; if left out, all kinds.

    Examples
    --------
    >>> "pbmc68k" in recipe_names()
    True
    """
    files = resources.files(_PACKAGE).iterdir()
    names = sorted(file.name.removesuffix(_ENDING) for file in files if file.name.endswith(_ENDING))
    return [name for name in names if modality is None or load_recipe(name).modality == modality]


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name
        One of :func:`recipe_names`, or the path of a TOML file of your own.

    Raises
    ------
    RecipeError
        If there is no such recipe, or its file has an unknown, a missing or a wrong key.
    """
    from diffaug_bio.datasets._parse import parse_recipe

    if name.endswith(_ENDING):
        path = Path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            msg = f"The recipe {path} cannot be read: {why}."
            raise RecipeError(msg) from error
        return parse_recipe(text, name=path.stem, file=str(path), path=path)
    if name not in recipe_names():
        msg = (
            f"There is no recipe {name!r}.{nearest(name, recipe_names())} `diffaug-bio recipes list` shows "
            "all; the path of one of your own has to end in .toml."
        )
        raise RecipeError(msg)
    text = resources.files(_PACKAGE).joinpath(f"{name}{_ENDING}").read_text(encoding="utf-8")
    return parse_recipe(text, name=name, file=f"{name}{_ENDING}")
