"""Loading the data of a recipe, and checking them against it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diffaug_bio._wording import shorten
from diffaug_bio.datasets.catalogue import load_recipe
from diffaug_bio.datasets.files import Store, fetch, is_here
from diffaug_bio.errors import DiffAugError, RecipeError
from diffaug_bio.output.digest import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from anndata import AnnData

    from diffaug_bio.datasets.recipe import Files, Recipe

logger = logging.getLogger(__name__)

_COUNTS = ("n_obs", "n_vars", "n_labels")


def load(
    name: str,
    *,
    from_path: str | PathLike[str] | None = None,
    cache: str | PathLike[str] | None = None,
    checked: bool = True,
) -> AnnData:
    """Load the data set of a recipe: fetch its files, read them, prepare the data.

    Parameters
    ----------
    name
        One of :func:`recipe_names`, or the path of a TOML file of your own.
    from_path, cache, checked
        Where files are taken from, kept and compared; see :func:`fetch`.

    Raises
    ------
    RecipeError
        If there is no such recipe, its files are missing, or the data have another size than it insists on.

    Examples
    --------
    >>> load("pbmc68k").shape
    (700, 765)
    """
    recipe = load_recipe(name)
    adata = _prepare(recipe, fetch(name, from_path=from_path, cache=cache, checked=checked))
    for key, expected, found in _differences(recipe, adata):
        if key in recipe.expect.fixed:
            msg = (
                f"Recipe {recipe.name!r} expects {key} = {expected}, the data have {found}. Are these the "
                "files that it asks for?"
            )
            raise RecipeError(msg)
        logger.warning("Recipe %r says %s = %d, these data have %d.", recipe.name, key, expected, found)
    return adata


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of :func:`verify` for one file or number."""

    what: str
    is_good: bool
    """True if it is as the recipe says."""
    detail: str
    """Value that was found, and the expected one if it differs."""


def verify(name: str, *, cache: str | PathLike[str] | None = None) -> list[Finding]:
    """Compare files in the cache, and the data in them, with everything that a recipe says.

    Hashes are compared with those of the recipe, or where it has none with those noted when the files came.
    Nothing is downloaded.

    Parameters
    ----------
    name
        One of :func:`recipe_names`, or the path of a TOML file of your own.
    cache
        Folder of the files, as in :func:`fetch`.

    Raises
    ------
    RecipeError
        If there is no such recipe, or its files have not been fetched.
    """
    recipe = load_recipe(name)
    store = Store.of(recipe, cache)
    if not is_here(recipe, cache=cache):
        msg = (
            f"The files of recipe {recipe.name!r} are not all in {store.files}. Run `diffaug-bio recipes "
            f"fetch {name}` first."
        )
        raise RecipeError(msg)
    findings = list(_verify_files(recipe, store))
    if not all(finding.is_good for finding in findings):
        return findings
    try:
        adata = _prepare(recipe, fetch(name, cache=cache))
    except RecipeError as error:
        return [*findings, Finding(what="data", is_good=False, detail=str(error))]
    wrong = {key: (expected, found) for key, expected, found in _differences(recipe, adata)}
    counts = _counts(recipe, adata)
    for key in _COUNTS:
        if key in wrong:
            detail = f"{wrong[key][1]}, the recipe says {wrong[key][0]}"
        else:
            known = "" if getattr(recipe.expect, key) is not None else ", the recipe does not say"
            detail = f"{counts[key]}{known}"
        findings.append(Finding(what=key, is_good=key not in wrong, detail=detail))
    return findings


def recipe_fingerprint(
    name: str, *, cache: str | PathLike[str] | None = None
) -> dict[str, dict[str, object]]:
    """Return size in bytes and SHA-256 of each file of a recipe that is here, a user's recipe included."""
    recipe = load_recipe(name)
    noted = Store.of(recipe, cache).noted()
    found = {source.file: noted[source.file] for source in recipe.sources if source.file in noted}
    known: dict[str, tuple[int, str]] = {file: (entry.size, entry.sha256) for file, entry in found.items()}
    if recipe.path is not None:
        folder = recipe.path.parent
        names = [recipe.path.name, *(source.file for source in recipe.sources)]
        beside = [file for file in names if file not in known and (folder / file).exists()]
        known |= {file: digest(folder / file) for file in beside}
    return {file: {"bytes": size, "sha256": sha256} for file, (size, sha256) in known.items()}


def _verify_files(recipe: Recipe, store: Store) -> Iterator[Finding]:
    """Compare sizes and hashes."""
    noted = store.noted()
    for source in recipe.sources:
        if source.file not in noted:
            continue  # a user's own file, which may change
        known = noted[source.file]
        size, sha256 = digest(store.path(source))
        expected = source.sha256 or known.sha256
        whose = "the recipe" if source.sha256 else f"noted when it came ({known.origin})"
        if sha256 != expected:
            detail = f"SHA-256 {sha256}, {whose} says {expected}"
        elif source.size is not None and size != source.size:
            detail = f"{size} bytes, the recipe says {source.size}"
        else:
            yield Finding(what=source.file, is_good=True, detail=f"{size} bytes, SHA-256 as {whose}")
            continue
        yield Finding(what=source.file, is_good=False, detail=detail)


def _prepare(recipe: Recipe, files: Files) -> AnnData:
    """Read and prepare the data of a recipe, and check that the columns it names are there."""
    from diffaug_bio.datasets.loaders import call_loader
    from diffaug_bio.datasets.steps import STEPS

    try:
        adata = call_loader(recipe.loader, files)
        for step in recipe.steps:
            adata = STEPS[step.name](adata, **step.parameters)
    except DiffAugError as error:
        msg = f"Recipe {recipe.name!r}: {error}"
        raise RecipeError(msg) from error
    keys = [recipe.label_key, recipe.batch_key, recipe.group_key, recipe.split_key]
    for key in keys:
        needs_none = key is None or key.startswith("id:") or key == "none"
        if not needs_none and key not in adata.obs:
            msg = (
                f"Recipe {recipe.name!r} names the column {key!r}, which is not in `.obs`; it holds "
                f"{shorten(adata.obs) or 'none'}."
            )
            raise RecipeError(msg)
    return adata


def _differences(recipe: Recipe, adata: AnnData) -> Iterator[tuple[str, int, int]]:
    """Give the numbers that differ from the recipe: name, expected, found."""
    for key, found in _counts(recipe, adata).items():
        expected = getattr(recipe.expect, key)
        if expected is not None and found != expected:
            yield key, expected, found


def _counts(recipe: Recipe, adata: AnnData) -> dict[str, int]:
    """Count rows, features and labels."""
    n_labels = int(adata.obs[recipe.label_key].nunique()) if recipe.label_key else 0
    return dict(zip(_COUNTS, (adata.n_obs, adata.n_vars, n_labels), strict=True))
