"""Default names of outputs: after the data, in the current folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from diffaug_bio.datasets.source import RECIPE_PREFIX
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

Writer = Literal["fit", "embed", "transfer", "augment", "benchmark"]

_ENDINGS: dict[Writer, str] = {
    "fit": ".diffaug",
    "embed": ".diffaug-embed",
    "transfer": ".diffaug-transfer",
    "augment": ".diffaug-augment.h5ad",
    "benchmark": ".diffaug-benchmark",
}
_N_NAMED = 3  # data sets that a name is made of


def default_output(command: Writer, data: str | Sequence[str]) -> Path:
    """Name the output of a command after its data: `fit` of `data.h5ad` writes to `data.diffaug`.

    The name is in the current folder; nothing is created, and a file of this name may exist. Raises
    InputError if the data have no usable name: a pipe, or a folder that holds the current one.
    """
    names = [_name_of(one) for one in ([data] if isinstance(data, str) else data)]
    shown = names if len(names) <= _N_NAMED else [names[0], f"{len(names) - 1}-more"]
    return Path("+".join(shown) + _ENDINGS[command])


def _name_of(data: str) -> str:
    """Take the name of a data set, without endings."""
    path = Path(data.removeprefix(RECIPE_PREFIX))
    # The name as it is written: `..` has none, and a link has its own.
    name = os.path.basename(os.path.abspath(path))  # noqa: PTH100, PTH119 - resolve() follows links
    is_recipe = data.startswith(RECIPE_PREFIX)
    if not is_recipe and path.is_dir():
        if Path.cwd().is_relative_to(path.resolve()):
            _ask(data, "is the folder that we are in, or holds it")
        name = _bare(name)  # a store is a folder with an ending
    elif not is_recipe and path.exists() and not path.is_file():
        _ask(data, "is no ordinary file")
    else:
        name = _without_endings(name, is_recipe=is_recipe)
    # A leading dot would hide the results, a dash would make an option of their name.
    return name.lstrip(".-") or _ask(data, "has no name")


def _without_endings(name: str, *, is_recipe: bool) -> str:
    """Remove the ending of a file and `.gz`; of recipes only `.toml`."""
    if is_recipe:
        return name.removesuffix(".toml")
    name = name.lstrip(".")
    bare = _bare(name)
    return bare if bare != name else Path(name[:-3] if name.lower().endswith(".gz") else name).stem


def _bare(name: str) -> str:
    """Remove the ending of a zarr store, which may be zipped."""
    found = next((ending for ending in (".zarr.zip", ".zarr") if name.lower().endswith(ending)), "")
    return name[: len(name) - len(found)] or name


def _ask(data: str, why: str) -> NoReturn:
    msg = f"The output cannot be named after {data!r}, which {why}. Say where to write (`-o`)."
    raise InputError(msg)
