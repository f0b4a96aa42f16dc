"""Recipes: data sets by name, described in TOML files."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["table", "dna", "image"]
Fixed = Literal["n_obs", "n_vars", "n_labels"]
Preset = Literal["quick", "default", "paper", "paper-images"]

_PACKAGE = "diffaug_bio.data_recipes"
_ENDING = ".toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file or archive of a data set, and where it comes from."""

    file: str
    """Name, with folders and `/` if they matter: in the cache, and in the folder given to `--from`."""
    url: str = ""
    """Address to download it from."""
    by_hand: str = ""
    """Instructions where it cannot be downloaded: who has it, and what to click."""
    size: int | None = None
    """Size in bytes, where known."""
    sha256: str = ""
    """SHA-256 in hexadecimal digits, where known for sure."""
    unpack: bool = False
    """If True, it is an archive (`.zip`, `.tar`, `.tar.gz`, ...) or a compressed file (`.gz`) to unpack."""
    max_unpacked: int | None = None
    """Limit in bytes when unpacking; if left out, a hundred times its own size, and at least 1 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A loader or preparation step by name, and its parameters."""

    name: str
    """Name in `LOADERS` or `STEPS`."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Keywords, checked against the signature of the function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Size of the genuine data after all steps."""

    n_obs: int | None = None
    """Number of rows."""
    n_vars: int | None = None
    """Number of features."""
    n_labels: int | None = None
    """Number of different labels."""
    fixed: tuple[Fixed, ...] = ()
    """Numbers that all files of this format have: loading insists on these, `recipes verify` on all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A figure from a paper, to compare with."""

    method: str
    """Method that reached it."""
    score: str
    """Score, in the words of the paper."""
    value: float
    """Figure as printed there."""
    where: str
    """Paper and table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A data set by name; `data_recipes/README.md` explains the keys."""

    name: str
    """Name of the recipe, which is the name of its file."""
    title: str
    """Description in one line."""
    modality: Kind
    """Kind of data."""
    loader: Call
    """Reader that makes an AnnData of the files."""
    sources: tuple[Source, ...] = ()
    """Files; none for data that come with a package."""
    steps: tuple[Call, ...] = ()
    """Preparation steps, in order."""
    expect: Expected = field(default_factory=Expected)
    """Size of the genuine data."""
    label_key: str | None = None
    """Column of `.obs` with the labels."""
    batch_key: str | None = None
    """Column of `.obs` with batches."""
    group_key: str | None = None
    """Column of `.obs` with groups, such as donors, or `id:SEPARATOR`."""
    split_key: str | None = None
    """Column of `.obs` with "train" and "test", or `"none"`; if left out, "split" where it has both."""
    paper: str = ""
    """Experiment and paper that it reproduces."""
    licence: str = ""
    """Terms of the data."""
    citation: str = ""
    """Reference to cite."""
    notes: str = ""
    """Differences from the paper, and traps."""
    preset: Preset = "default"
    """Configuration to start with."""
    published: tuple[Published, ...] = ()
    """Figures to compare with."""
    path: Path | None = None
    """File of a user's own recipe; files without `url` and `by_hand` lie beside it."""


def recipe_names(modality: Kind | None = None) -> list[str]:
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


def nearest(name: str, known: Iterable[str]) -> str:
    """Word a guess at the name that was meant, after a space; empty where no name is near."""
    guesses = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, guesses))}?" if guesses else ""
