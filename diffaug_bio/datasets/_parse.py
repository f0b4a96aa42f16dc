"""Parsing of recipes: every key, name and value is checked, and errors name file and key."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from diffaug_bio.config import Preset
from diffaug_bio.config.kinds import Modality
from diffaug_bio.datasets.loaders import LOADERS, keyword_hints, required_keywords
from diffaug_bio.datasets.recipe import Call, Recipe, nearest
from diffaug_bio.datasets.steps import STEPS
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from diffaug_bio.datasets.recipe import Source

_SHA256 = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"https?://\S+")
_WITHOUT_FILES = frozenset({"scanpy", "sklearn"})  # loaders of what comes inside a package
_STAND_INS = {"Mapping": Mapping, "Modality": Modality, "Path": Path, "Preset": Preset}
_WORDS: dict[Any, str] = {
    str: "text",
    Path: "the name of a file",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def parse_recipe(text: str, *, name: str, file: str, path: Path | None = None) -> Recipe:
    """Make a recipe from TOML; refuse keys that are unknown, missing, or have a wrong value.

    `file` is the name for errors, `path` the file of a user's own recipe.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{file} is not a TOML file: {error}."
        raise RecipeError(msg) from error
    place = _Place(file)
    hints = get_type_hints(Recipe, localns=_STAND_INS)
    known = [entry.name for entry in fields(Recipe) if entry.name not in {"name", "path"}]
    place.check_keys(table, known, required=["title", "modality"])
    values: dict[str, Any] = {
        key: _parsed(value, hints[key], place.inside(key))
        for key, value in table.items()
        if key not in {"loader", "steps"}
    }
    loader = _call(table.get("loader", {"name": "read"}), LOADERS, "loader", place.inside("loader"))
    steps = _tables(table.get("steps", []), place.inside("steps"))
    calls = tuple(_call(entry, STEPS, "preparation step", where) for entry, where in steps)
    recipe = Recipe(name=name, path=path, loader=loader, steps=calls, **values)
    if recipe.group_key and recipe.split_key not in {None, "none"}:
        place.inside("split_key").refuse("and `group_key` are both given; leave one out.")
    for key in recipe.expect.fixed:
        if getattr(recipe.expect, key) is None:
            place.inside("expect").refuse(f"has no {key}, which `fixed` names.")
    _check_sources(recipe, place)
    return recipe


@dataclass(frozen=True, slots=True)
class _Place:
    """Place of a value in a file."""

    file: str
    key: str = ""

    def inside(self, key: str) -> _Place:
        """Return the place of a key of the table here."""
        return _Place(self.file, f"{self.key}.{key}" if self.key else key)

    def entry(self, number: int) -> _Place:
        """Return the place of an entry of the list here, counted from 1."""
        return _Place(self.file, f"{self.key}[{number}]")

    def refuse(self, problem: str) -> NoReturn:
        """Raise an error about the value here."""
        msg = f"{self.file}: `{self.key}` {problem}"
        raise RecipeError(msg)

    def check_keys(
        self, table: Mapping[str, Any], known: Iterable[str], *, required: Iterable[str]
    ) -> None:
        """Refuse keys that are unknown, and tables that lack one."""
        known = list(known)
        for key in table:
            if key not in known:
                msg = (
                    f"{self.file}: unknown key `{self.inside(key).key}`.{nearest(key, known)} "
                    f"Known are {', '.join(known) or 'none'}."
                )
                raise RecipeError(msg)
        for key in required:
            if key not in table:
                msg = f"{self.file}: the key `{self.inside(key).key}` is missing."
                raise RecipeError(msg)


def _call(table: object, known: Mapping[str, Callable[..., Any]], what: str, place: _Place) -> Call:
    """Check a call against the signature of the function that it names."""
    if not isinstance(table, dict) or not isinstance(table.get("name"), str):
        place.refuse(f'has to be a table with the name of a {what}, name = "...", got {table!r}.')
    name = table["name"]
    if name not in known:
        names = ", ".join(sorted(known))
        place.inside("name").refuse(f"{name!r} is no {what}.{nearest(name, known)} Known are {names}.")
    hints = keyword_hints(known[name])
    given = {key: value for key, value in table.items() if key != "name"}
    place.check_keys(given, hints, required=required_keywords(known[name]))
    checked = {key: _parsed(value, hints[key], place.inside(key)) for key, value in given.items()}
    return Call(name=name, parameters=checked)


def _node(cls: type[Any], table: object, place: _Place) -> Any:
    """Make a dataclass from a table."""
    if not isinstance(table, dict):
        place.refuse(f"has to be a table [{place.key}], got {table!r}.")
    hints = get_type_hints(cls)
    required = [entry.name for entry in fields(cls) if entry.default is MISSING]
    place.check_keys(table, hints, required=required)
    return cls(**{key: _parsed(value, hints[key], place.inside(key)) for key, value in table.items()})


def _tables(value: object, place: _Place) -> list[tuple[dict[str, Any], _Place]]:
    """Return the tables of a list, and the place of each."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        place.refuse(f"has to be a list of tables [[{place.key}]], got {value!r}.")
    return [(entry, place.entry(number)) for number, entry in enumerate(value, start=1)]


def _parsed(value: object, hint: Any, place: _Place) -> object:
    """Return a TOML value as the annotated type."""
    if is_dataclass(hint) and isinstance(hint, type):
        return _node(hint, value, place)
    if get_origin(hint) in {tuple, Sequence}:
        entry_hint = get_args(hint)[0]
        if is_dataclass(entry_hint):
            return tuple(_parsed(entry, entry_hint, where) for entry, where in _tables(value, place))
        if not isinstance(value, list):
            place.refuse(f"has to be a list, got {value!r}.")
        entries = enumerate(value, start=1)
        return tuple(_parsed(entry, entry_hint, place.entry(number)) for number, entry in entries)
    return _scalar(value, hint, place)


def _scalar(value: object, hint: Any, place: _Place) -> object:
    """Return text, a number, the name of a file, or one of several words."""
    is_union = get_origin(hint) in {Union, UnionType}
    options = [
        option
        for option in (get_args(hint) if is_union else (hint,))
        if option not in {type(None), PathLike[str]}
    ]
    for option in options:
        if get_origin(option) is Literal and value in get_args(option):
            return value
        if option is float and isinstance(value, int | float) and type(value) is not bool:
            if math.isfinite(value):
                return float(value)
        elif (type(value) is option and (option is not str or str(value).strip())) or (
            option is Path and isinstance(value, str) and value.strip()
        ):
            return value
    wanted = [
        _WORDS.get(option) or f"one of {', '.join(map(repr, get_args(option)))}" for option in options
    ]
    return place.refuse(f"has to be {' or '.join(wanted)}, got {value!r}.")


def _check_sources(recipe: Recipe, place: _Place) -> None:
    """Refuse sources that cannot be fetched, or would not stay in their folder."""
    if bool(recipe.sources) == (recipe.loader.name in _WITHOUT_FILES):
        expected = "no [[sources]]" if recipe.sources else "[[sources]], the files that it reads"
        msg = f"{place.file}: the loader {recipe.loader.name!r} takes {expected}."
        raise RecipeError(msg)
    seen = set[str]()
    for number, source in enumerate(recipe.sources, start=1):
        _check_source(source, place.inside("sources").entry(number), is_own=recipe.path is not None)
        if source.file.lower() in seen:
            place.inside("sources").entry(number).inside("file").refuse("is there twice.")
        seen.add(source.file.lower())


def _check_source(source: Source, place: _Place, *, is_own: bool) -> None:
    """Refuse one source."""
    if not _is_relative(source.file):
        problem = f"has to be a name inside the folder of the data, got {source.file!r}."
        place.inside("file").refuse(problem)
    if source.url and source.by_hand:
        place.refuse("has both `url` and `by_hand`; leave one out.")
    if not (source.url or source.by_hand or is_own):
        place.refuse("needs `url`, or `by_hand` with how people get the file.")
    if source.url and not _URL.fullmatch(source.url):
        place.inside("url").refuse(f"has to start with https:// or http://, got {source.url!r}.")
    if source.sha256 and not _SHA256.fullmatch(source.sha256):
        place.inside("sha256").refuse(f"has to be 64 small hexadecimal digits, got {source.sha256!r}.")
    for key in ("size", "max_unpacked"):
        value = getattr(source, key)
        if value is not None and value < 1:
            place.inside(key).refuse(f"has to be at least 1, got {value}.")


def _is_relative(name: str) -> bool:
    """Tell whether a name with `/` stays inside the folder that it is put in, on any system."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not (
        name.startswith(("/", "~")) or ".." in parts or any(letter in name for letter in '\\:*?"<>|\0')
    )
