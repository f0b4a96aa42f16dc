"""Write docs/recipes.md from the recipes.

    python docs/make_recipes.py

`tests/datasets/test_docs.py` fails where the file is not what this writes.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio import datasets
from diffaug_bio.datasets.loaders import LOADERS, keyword_hints
from diffaug_bio.datasets.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffaug_bio.datasets.recipe import Call, Recipe, Source

TARGET = Path(__file__).with_name("recipes.md")

_START = """\
# Recipes: data sets by name

<!-- Written by `python docs/make_recipes.py`; change the recipes, not this file. -->

`diffaug-bio fit recipe:NAME -o run` fetches a data set, prepares it as its recipe says, embeds it and
scores the embedding against its labels; `embed`, `augment`, `evaluate` and `benchmark` take `recipe:NAME`
for `DATA` as well. Files are downloaded once, or given once:

    diffaug-bio recipes list                        # all recipes, and those whose files are here
    diffaug-bio recipes show NAME                   # a recipe, and the folder of its files
    diffaug-bio recipes fetch NAME                  # download; an interrupted download is continued
    diffaug-bio recipes fetch NAME --from FOLDER    # check and copy files that you have
    diffaug-bio recipes verify NAME                 # compare files and data with the recipe

Files are kept in the system's folder for caches, or in that named by the variable `DIFFAUG_BIO_CACHE`.

## A recipe of your own

For a table `proteins.csv` with a column `genotype`, write `proteins.toml` beside it:

```toml
title = "My proteins"
modality = "table"
label_key = "genotype"

[[sources]]
file = "proteins.csv"
```

and use it by its path:

```bash
diffaug-bio recipes verify proteins.toml
diffaug-bio fit recipe:proteins.toml -o run --config quick --threads 1
```

[data_recipes/README.md](../data_recipes/README.md) explains all keys: downloads with checksums, archives,
preparation steps, batches, and the expected size of the data. To add a recipe to the package, put its file
into `data_recipes/`, a test into `tests/recipes/`, and write this page anew.

"""
_TITLES = {"table": "Cells and tables", "dna": "DNA", "image": "Images"}


def render() -> str:
    """Return the text of the page."""
    return _START + "\n".join([*_lines(), *_functions()]) + "\n"


def _lines() -> Iterator[str]:
    """Give a table for each kind of data, and a section for each recipe."""
    for modality, title in _TITLES.items():
        recipes = [datasets.load_recipe(name) for name in datasets.recipe_names(modality)]
        if not recipes:
            continue
        yield f"## {title}\n"
        yield "| recipe | rows | features | classes | files | data |"
        yield "|---|---|---|---|---|---|"
        for recipe in recipes:
            expect = recipe.expect
            counts = [_number(count) for count in (expect.n_obs, expect.n_vars, expect.n_labels)]
            yield f"| `{recipe.name}` | {' | '.join(counts)} | {_way(recipe)} | {_cell(recipe.title)} |"
        yield ""
        for recipe in recipes:
            yield from _section(recipe)


def _functions() -> Iterator[str]:
    """List loaders and steps with their keywords."""
    for title, functions in (("Loaders", LOADERS), ("Steps", STEPS)):
        yield f"## {title}\n"
        yield "| name | keywords and defaults | effect |"
        yield "|---|---|---|"
        for name, function in sorted(functions.items()):
            parameters = inspect.signature(function).parameters
            listed = ", ".join(_keyword(parameters[key]) for key in keyword_hints(function))
            first_line = (inspect.getdoc(function) or "").splitlines()[0]
            what = re.sub(r":\w+:`([^`]+)`", r"`\1`", first_line)
            yield f"| `{name}` | {listed or 'none'} | {_cell(what)} |"
        if title == "Loaders":
            yield ""


def _keyword(keyword: inspect.Parameter) -> str:
    """Word a keyword and its default, in TOML."""
    if keyword.default in {keyword.empty, None, "", ()}:
        return f"`{keyword.name}`"
    default = keyword.default
    shown = str(default).lower() if isinstance(default, bool) else json.dumps(default)
    return f"`{keyword.name} = {shown}`"


def _section(recipe: Recipe) -> Iterator[str]:
    """Describe a recipe."""
    yield f"### {recipe.name}\n"
    yield f"{recipe.title}.\n"
    if recipe.notes:
        yield f"{recipe.notes}\n"
    said = [
        ("Reproduces", recipe.paper),
        ("Cite", recipe.citation),
        ("Licence", recipe.licence),
        ("Labels", recipe.label_key and f"`{recipe.label_key}`"),
        ("Batches", recipe.batch_key and f"`{recipe.batch_key}`"),
        ("Groups", recipe.group_key and f"`{recipe.group_key}`"),
        ("Split", recipe.split_key and f"`{recipe.split_key}`"),
        ("Preset", recipe.preset != "default" and f"`{recipe.preset}`"),
        ("Preparation", ", then ".join(_call(step) for step in recipe.steps)),
    ]
    yield from (f"- {key}: {value}" for key, value in said if value)
    yield from (f"- File {_source(source)}" for source in recipe.sources)
    for entry in recipe.published:
        yield f"- Published: {entry.method}, {entry.score}: {entry.value:g} ({entry.where})"
    yield ""


def _call(step: Call) -> str:
    """Word a step as a call."""
    return f"`{step.name}({', '.join(f'{key}={value!r}' for key, value in step.parameters.items())})`"


def _source(source: Source) -> str:
    """Word where a file comes from, and its size and hash."""
    known = [] if source.size is None else [f"{source.size / 1e6:.1f} MB"]
    known += [f"SHA-256 `{source.sha256}`"] if source.sha256 else []
    where = f"<{source.url}>" if source.url else source.by_hand
    listed = f" ({', '.join(known)})" if known else ""
    return f"`{source.file}`{listed}: {where}"


def _way(recipe: Recipe) -> str:
    """Word in short where files come from."""
    if not recipe.sources:
        package = {"sklearn": "scikit-learn"}.get(recipe.loader.name, recipe.loader.name)
        return f"with {package}"
    if any(source.by_hand for source in recipe.sources):
        return "by hand"
    sizes = [source.size for source in recipe.sources]
    known = [size for size in sizes if size is not None]
    return f"download, {sum(known) / 1e6:.1f} MB" if len(known) == len(sizes) else "download"


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _cell(text: str) -> str:
    """Escape a text for a cell of a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
