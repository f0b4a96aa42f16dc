"""Bringing the files of a recipe together: from what is given, the cache, or the network."""

from __future__ import annotations

import logging
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from diffaug_bio._wording import shorten
from diffaug_bio.datasets._archives import unpack
from diffaug_bio.datasets._catalogue import load_recipe
from diffaug_bio.datasets._download import ResumingDownload
from diffaug_bio.datasets._files import Files
from diffaug_bio.datasets._store import Noted, Store
from diffaug_bio.errors import DownloadError, RecipeError
from diffaug_bio.output.digest import digest
from diffaug_bio.output.files import staged_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from diffaug_bio.datasets._download import Progress
    from diffaug_bio.datasets._recipe import Recipe, Source

logger = logging.getLogger(__name__)


def fetch(
    name: str,
    *,
    from_path: str | PathLike[str] | None = None,
    cache: str | PathLike[str] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    force: bool = False,
    checked: bool = True,
) -> Files:
    """Bring the files of a recipe into the cache, checked and unpacked; what is there already stays.

    Parameters
    ----------
    name
        One of :func:`recipe_names`, or the path of a TOML file of your own.
    from_path
        Files that are there already, which are copied: a folder that holds them by the names in the recipe,
        or the file itself if the recipe has one. What is not there is taken from the cache or downloaded.
    cache
        Folder for files; by default that of `DIFFAUG_BIO_CACHE`, or the system's folder for caches.
    on_progress
        Called as bytes of a download come.
    force
        Whether to fetch files again that are there.
    checked
        Whether files in `from_path` have to be of the size and hash that the recipe says; :func:`verify`
        insists on them all the same.

    Returns
    -------
    Where the files lie.

    Raises
    ------
    RecipeError
        If there is no such recipe; if a file is missing, cannot be downloaded, or is not the one that the
        recipe means; or if an archive is damaged or not safe.
    """
    recipe = load_recipe(name)
    names = tuple(source.file for source in recipe.sources)
    if not names:
        return Files(names=(), roots=())
    if from_path is not None and not Path(from_path).exists():
        msg = f"There is no file or folder {from_path}."
        raise RecipeError(msg)
    store = Store.of(recipe, cache)
    given = {} if from_path is None else _given(recipe, Path(from_path))
    beside = _beside(recipe, given)
    must_bring = len(beside) < len(recipe.sources)
    if must_bring and (given or force or not is_here(recipe, cache=cache)):
        with store.locked():
            for source in recipe.sources:
                if source.file not in beside:
                    _bring(
                        recipe,
                        source,
                        store,
                        given.get(source.file),
                        on_progress,
                        force=force,
                        checked=checked,
                    )
            for source in recipe.sources:
                if source.unpack:
                    _unpack(source, store)
    return Files(names=names, roots=tuple(_roots(recipe, store, beside)))


def is_here(recipe: Recipe, *, cache: str | PathLike[str] | None = None) -> bool:
    """Whether a recipe can be used without network: all its files are here, looked at and unpacked.

    Parameters
    ----------
    recipe
        The recipe.
    cache
        As for :func:`fetch`.
    """
    rest = [source for source in recipe.sources if source.file not in _beside(recipe, {})]
    return Store.of(recipe, cache).has_all(rest)


def source_paths(name: str) -> dict[str, Path]:
    """List the sources of a recipe that are here, by their names: those in the cache, and beside it.

    Parameters
    ----------
    name
        One of :func:`recipe_names`, or the path of a TOML file of your own.

    Raises
    ------
    RecipeError
        If there is no such recipe.
    """
    recipe = load_recipe(name)
    given: dict[str, Path] = {}
    folder = Path() if recipe.path is None else recipe.path.parent
    places = {file: folder / file for file in _beside(recipe, given)} | given
    store = Store.of(recipe, None)
    cached = {source.file: store.path(source) for source in recipe.sources}
    return {file: path for file, path in {**cached, **places}.items() if path.exists()}


def _roots(recipe: Recipe, store: Store, beside: set[str]) -> Iterator[Path]:
    """Folders in which a loader looks for names."""
    if len(beside) < len(recipe.sources):
        yield store.files
    if beside and recipe.path is not None:
        yield recipe.path.parent
    yield from (store.unpacked(source) for source in recipe.sources if source.unpack)


def _beside(recipe: Recipe, given: dict[str, Path]) -> set[str]:
    """Find sources beside a user's own recipe: they stay there, but archives are given like any file."""
    if recipe.path is None:
        return set()
    own = [source for source in recipe.sources if not (source.url or source.by_hand)]
    beside = set()
    for source in own:
        path = recipe.path.parent / source.file
        if source.file not in given and path.exists():
            if source.unpack:
                given[source.file] = path
            else:
                beside.add(source.file)
    return beside


def _given(recipe: Recipe, path: Path) -> dict[str, Path]:
    """Find sources in what the user gave.

    Raises
    ------
    RecipeError
        If none is there.
    """
    names = [source.file for source in recipe.sources]
    last = {PurePosixPath(name).name: name for name in names}
    if len(names) == 1 and not (path / names[0]).exists() and not (path / next(iter(last))).exists():
        takes_folder = recipe.sources[0].by_hand and not recipe.sources[0].unpack
        if path.is_file() or (takes_folder and path.name == next(iter(last))):
            return {names[0]: path}
    if path.is_file():
        found = {last[path.name]: path} if path.name in last else {}
    else:
        # As in the recipe, or all in one folder, which only works where last parts differ.
        flat = {name: path / short for short, name in last.items()} if len(last) == len(names) else {}
        places = {name: [path / name, flat.get(name, path / name)] for name in names}
        found = {
            name: next(place for place in tried if place.exists())
            for name, tried in places.items()
            if any(place.exists() for place in tried)
        }
    if not found:
        is_packed = any(source.unpack for source in recipe.sources)
        hint = " Give archives as they are, not unpacked." if is_packed else ""
        msg = f"{path} holds no file of recipe {recipe.name!r}; it needs {shorten(names)}.{hint}"
        raise RecipeError(msg)
    return found


def _bring(
    recipe: Recipe,
    source: Source,
    store: Store,
    given: Path | None,
    on_progress: Callable[[Progress], None] | None,
    *,
    force: bool,
    checked: bool,
) -> None:
    """Make sure that a source lies in the cache, and that what it has to be is noted."""
    path = store.path(source)
    if given is not None:
        if given.resolve() != path:
            _copy(source, given, store, checked=checked)
        else:
            _accept(source, path, store, origin="by hand", checked=checked)
        return
    if force and source.url:
        _forget(source, store)
    if path.exists():
        noted = store.noted().get(source.file)
        if noted is None:  # put there by hand
            _accept(source, path, store, origin="by hand")
        elif not path.is_dir() and path.stat().st_size != noted.size:
            msg = (
                f"{path} has {path.stat().st_size} bytes where {noted.size} came. Fetch it again: "
                f"`diffaug-bio recipes fetch {_call_name(recipe)} --force`."
            )
            raise RecipeError(msg)
        elif noted.is_checked and source.sha256 not in {"", noted.sha256}:
            raise RecipeError(_wrong_hash(source, path, noted.sha256))
        return
    if not source.url:
        raise RecipeError(_how_to_get(recipe, store, ""))
    try:
        _download(source, store, on_progress)
    except DownloadError as error:
        raise DownloadError(_how_to_get(recipe, store, str(error))) from error


def _copy(source: Source, given: Path, store: Store, *, checked: bool) -> None:
    """Copy a source from where the user has it, and check it before it gets its name."""
    path = store.path(source)
    size, sha256 = digest(given)
    if checked:
        _check(source, given, size, sha256)
    noted = store.noted().get(source.file)
    if noted is not None and noted.sha256 == sha256 and path.exists():
        store.note(source, replace(noted, is_checked=checked))
        return
    _forget(source, store)
    path.parent.mkdir(parents=True, exist_ok=True)
    if given.is_dir():
        stage = path.with_name(f".{path.name}.copying")
        shutil.rmtree(stage, ignore_errors=True)
        try:
            shutil.copytree(given, stage)
            stage.rename(path)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
    else:
        with staged_file(path) as stage:
            shutil.copyfile(given, stage)
    _accept(source, path, store, origin="by hand", checked=checked)


def _download(source: Source, store: Store, on_progress: Callable[[Progress], None] | None) -> None:
    """Download a source by pooch, which checks the hash before the file gets its name."""
    import pooch

    logger.info(
        "Downloading %s%s from %s",
        source.file,
        "" if source.size is None else f" ({source.size / 1e6:.1f} MB)",
        source.url,
    )
    path = store.path(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    download = ResumingDownload(
        part=store.partial(source),
        is_checked=bool(source.sha256),
        size=source.size,
        on_progress=on_progress,
    )
    shutil.rmtree(store.arriving, ignore_errors=True)  # what a killed process left
    with _quiet_pooch():
        try:
            came = pooch.retrieve(
                source.url,
                known_hash=source.sha256 or None,
                fname=path.name,
                path=store.arriving,
                downloader=download,
            )
            Path(came).replace(path)
        except DownloadError:
            raise
        except ValueError as error:
            msg = (
                f"{source.url} gave a file whose SHA-256 is not {source.sha256}, which the recipe says; it "
                "was removed. Has it changed on the server?"
            )
            raise DownloadError(msg) from error
        finally:
            shutil.rmtree(store.arriving, ignore_errors=True)
    _accept(source, path, store, origin=source.url)


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch from talking, which it does to programmers and in full paths."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _accept(source: Source, path: Path, store: Store, *, origin: str, checked: bool = True) -> None:
    """Check a file that lies in the cache, and note what it is."""
    size, sha256 = digest(path)
    if checked:
        _check(source, path, size, sha256)
    store.note(source, Noted(size=size, sha256=sha256, origin=origin, is_checked=checked))


def _check(source: Source, path: Path, size: int, sha256: str) -> None:
    """Refuse a file that is not the one that the recipe means."""
    if source.size is not None and size != source.size:
        msg = (
            f"{path} has {size} bytes where the recipe says {source.size}. Is it whole, and the right "
            "one? `--unchecked` takes it on purpose."
        )
        raise RecipeError(msg)
    if source.sha256 and sha256 != source.sha256:
        raise RecipeError(_wrong_hash(source, path, sha256))


def _wrong_hash(source: Source, path: Path, found: str) -> str:
    return (
        f"{path} is not the file that the recipe means: its SHA-256 is {found}, the recipe says "
        f"{source.sha256}. Get the right one, or take this one on purpose with `--unchecked`."
    )


def _forget(source: Source, store: Store) -> None:
    """Remove a source and what was unpacked from it."""
    store.note(source, None)
    for path in (store.path(source), store.unpacked(source)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _unpack(source: Source, store: Store) -> None:
    """Unpack an archive unless that was done."""
    target = store.unpacked(source)
    if not target.exists():
        logger.info("Unpacking %s", source.file)
        unpack(store.path(source), target, max_bytes=source.max_unpacked)


def _how_to_get(recipe: Recipe, store: Store, problem: str) -> str:
    """Say which files are missing, where people get them, and what to do with them."""
    missing = [source for source in recipe.sources if not store.path(source).exists()]
    wanted = [
        f"{source.file} ({(source.by_hand or source.url or 'has to lie beside the recipe').rstrip('.')})"
        for source in missing
    ]
    first = f"{problem} " if problem else ""
    return (
        f"{first}Recipe {recipe.name!r} lacks {shorten([source.file for source in missing])}. Get "
        f"{', '.join(wanted)}, and run `diffaug-bio recipes fetch {_call_name(recipe)} --from FOLDER`, "
        f"where FOLDER holds them; or put them into {store.files}."
    )


def _call_name(recipe: Recipe) -> str:
    """How users name a recipe."""
    return recipe.name if recipe.path is None else str(recipe.path)
