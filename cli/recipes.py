"""`diffaug-bio recipes`."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from diffaug_bio.output.kept import kept

from ._options import start_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from diffaug_bio.datasets.download import Progress
    from diffaug_bio.datasets.recipe import Recipe

_PREFIX = "recipe:"
_EPILOG = """\b
Examples:
  diffaug-bio recipes list --modality dna
  diffaug-bio recipes show pbmc68k
  diffaug-bio recipes fetch cifar10 --from ~/Downloads
  diffaug-bio fit recipe:cifar10
\b
Files are kept in the system's folder for caches, or in that named by DIFFAUG_BIO_CACHE.
"""

_name_argument = click.argument(
    "name", callback=lambda _context, _argument, value: value.removeprefix(_PREFIX)
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("recipes", invoke_without_command=True, epilog=_EPILOG)
@click.pass_context
def command(context: click.Context) -> None:
    """List, show, fetch and verify data sets by name.

    NAME is one of the list, or the path of a TOML file of your own. Without a command, list all names.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_recipes, modality=None, as_json=False)


@command.command("list")
@click.option("--modality", type=click.Choice(["table", "dna", "image"]), help="Kind of data.")
@_json_option
def list_recipes(*, modality: Any, as_json: bool) -> None:
    """List names, sizes and titles, and whether the files are here."""
    from diffaug_bio import datasets
    from diffaug_bio.datasets.files import is_here

    recipes = [datasets.load_recipe(name) for name in datasets.recipe_names(modality)]
    if as_json:
        table = {
            recipe.name: {
                "title": recipe.title,
                "modality": recipe.modality,
                **{key: getattr(recipe.expect, key) for key in ("n_obs", "n_vars", "n_labels")},
                "is_here": is_here(recipe),
            }
            for recipe in recipes
        }
        click.echo(json.dumps(table, indent=2))
        return
    width = max((len(recipe.name) for recipe in recipes), default=0)
    for recipe in recipes:
        size = f"{_known(recipe.expect.n_obs)} x {_known(recipe.expect.n_vars)}"
        state = "here" if is_here(recipe) else _to_get(recipe)
        click.echo(f"{recipe.name:<{width}}  {recipe.modality:<5}  {size:>14}  {state:<8}  {recipe.title}")


@command.command("show")
@_name_argument
@_json_option
def show(name: str, *, as_json: bool) -> None:
    """Show a recipe and the folder of its files."""
    from diffaug_bio import datasets
    from diffaug_bio.datasets.files import Store, is_here

    recipe = datasets.load_recipe(name)
    folder = Store.of(recipe).files
    if as_json:
        table = {**asdict(recipe), "path": None if recipe.path is None else str(recipe.path)}
        click.echo(json.dumps({**table, "folder": str(folder), "is_here": is_here(recipe)}, indent=2))
        return
    click.echo(f"{recipe.name}: {recipe.title}")
    for key in ("modality", "paper", "licence", "citation", "notes"):
        _show_line(key, getattr(recipe, key))
    for key in ("label_key", "batch_key", "group_key", "split_key", "preset"):
        _show_line(key.replace("_", " "), getattr(recipe, key))
    for source in recipe.sources:
        size = "" if source.size is None else f", {source.size / 1e6:.1f} MB"
        _show_line("file", f"{source.file}{size}: {source.url or source.by_hand or 'beside the recipe'}")
    for what, call in [("loader", recipe.loader), *(("step", step) for step in recipe.steps)]:
        given = ", ".join(f"{key} = {value!r}" for key, value in call.parameters.items())
        _show_line(what, f"{call.name}({given})")
    expect = recipe.expect
    _show_line(
        "expected",
        f"{_known(expect.n_obs)} rows, {_known(expect.n_vars)} features, {_known(expect.n_labels)} labels",
    )
    for entry in recipe.published:
        _show_line("published", f"{entry.method}, {entry.score}: {entry.value:g} ({entry.where})")
    if recipe.sources:
        _show_line("folder", f"{folder} ({'here' if is_here(recipe) else 'not complete'})")


@command.command("fetch")
@_name_argument
@click.option(
    "--from",
    "from_path",
    type=click.Path(),
    help="Folder with files that you have, or the file; they are checked and copied.",
)
@click.option(
    "--unchecked",
    is_flag=True,
    help="Accept files in --from of another size or hash than the recipe says.",
)
@click.option("--force", is_flag=True, help="Download files again that are there.")
@click.option("--quiet", is_flag=True, help="No log and no progress, only errors.")
def fetch(name: str, *, from_path: str | None, unchecked: bool, force: bool, quiet: bool) -> None:
    """Bring the files of a recipe into the cache, checked and unpacked.

    An interrupted download is continued. Afterwards recipe:NAME needs no network.
    """
    start_log(quiet=quiet)
    from diffaug_bio import datasets

    go_on = kept("Run the same command to go on.", on=(KeyboardInterrupt,))
    with go_on, _progress(quiet=quiet) as on_progress:
        files = datasets.fetch(
            name, from_path=from_path, force=force, on_progress=on_progress, checked=not unchecked
        )
    if not quiet:
        here = f"in {files.roots[0]}" if files.roots else "inside an installed package"
        click.echo(f"The files of {name} are {here}. Use them: diffaug-bio fit {_PREFIX}{name}")


@command.command("verify")
@_name_argument
@_json_option
def verify(name: str, *, as_json: bool) -> None:
    """Compare fetched files, and the data in them, with a recipe.

    The exit code is 1 if a size, hash or number differs.
    """
    from diffaug_bio import datasets

    findings = datasets.verify(name)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{'ok   ' if finding.is_good else 'WRONG'}  {finding.what}: {finding.detail}")
    if wrong := [finding.what for finding in findings if not finding.is_good]:
        msg = f"Recipe {name!r} differs from what is here: {', '.join(wrong)}."
        raise click.ClickException(msg)


def _show_line(key: str, value: str | None) -> None:
    """Print a key and what it holds, if anything."""
    if value:
        click.echo(f"  {key + ':':<12} {value}")


def _known(number: int | None) -> str:
    return "?" if number is None else f"{number}"


def _to_get(recipe: Recipe) -> str:
    return "by hand" if any(source.by_hand for source in recipe.sources) else "download"


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Draw a bar for each file on a terminal; elsewhere lines are logged."""
    from diffaug_bio.model.progress import is_watched

    if quiet or not is_watched():
        yield None
        return
    from tqdm.auto import tqdm

    with ExitStack() as stack:
        bars: dict[str, Any] = {}

        def draw(progress: Progress) -> None:
            if progress.file not in bars:
                bar = tqdm(desc=progress.file, total=progress.total, unit="B", unit_scale=True, leave=False)
                bars[progress.file] = stack.enter_context(bar)
            bars[progress.file].update(progress.done - bars[progress.file].n)

        yield draw
