"""Files of a recipe: from a folder that the user has, the cache, or the network, and checked."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from diffaug_bio._wording import shorten
from diffaug_bio.datasets._archives import unpack
from diffaug_bio.datasets.catalogue import load_recipe
from diffaug_bio.datasets.download import Download
from diffaug_bio.datasets.recipe import Files
from diffaug_bio.errors import DownloadError, RecipeError
from diffaug_bio.output.digest import digest
from diffaug_bio.output.files import staged_file, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from diffaug_bio.datasets.download import Progress
    from diffaug_bio.datasets.recipe import Recipe, Source

logger = logging.getLogger(__name__)

_CACHE_VARIABLE = "DIFFAUG_BIO_CACHE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Facts noted about a file when it came."""

    size: int
    """Bytes; for a folder those of its files."""
    sha256: str
    """Hash; for a folder that of the names and hashes of its files."""
    origin: str
    """Address it came from, or "by hand"."""
    is_checked: bool = True
    """True unless the user gave a file of other content on purpose."""


@dataclass(frozen=True, slots=True)
class Store:
    """Folder of a recipe in the cache: `files/`, `partial/`, `unpacked/` and `record.json`."""

    folder: Path

    @classmethod
    def of(cls, recipe: Recipe, cache: str | PathLike[str] | None = None) -> Store:
        """Return the folder of a recipe; for a user's own it depends on where the recipe lies."""
        name = recipe.name
        if recipe.path is not None:
            place = os.fsencode(recipe.path.resolve().parent)
            name = f"{name}-{hashlib.sha256(place).hexdigest()[:8]}"
        return cls(cache_folder(cache) / name)

    @property
    def files(self) -> Path:
        """Folder of the sources."""
        return self.folder / "files"

    def path(self, source: Source) -> Path:
        """Return the path of a source."""
        return self.files / source.file

    def unpacked(self, source: Source) -> Path:
        """Return the folder that an archive is unpacked to."""
        return self.folder / "unpacked" / source.file

    def noted(self) -> dict[str, Noted]:
        """Read the facts noted about files, by name."""
        path = self.folder / "record.json"
        if not path.exists():
            return {}
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            return {file: Noted(**entry) for file, entry in table.items()}
        except (ValueError, TypeError, AttributeError) as error:
            msg = f"{path} is damaged; remove it, and the files beside it are checked again."
            raise RecipeError(msg) from error

    def note(self, source: Source, noted: Noted | None) -> None:
        """Note facts about a file, or forget them."""
        known = {file: entry for file, entry in self.noted().items() if file != source.file}
        if noted is not None:
            known[source.file] = noted
        table = {file: asdict(entry) for file, entry in sorted(known.items())}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / "record.json", json.dumps(table, indent=2) + "\n")

    def forget(self, source: Source) -> None:
        """Remove a source and its unpacked files."""
        self.note(source, None)
        for path in (self.path(source), self.unpacked(source)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the folder while the block runs."""
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                logger.info("Another process is fetching files into %s; waiting for it.", self.folder)
                lock.acquire()
        except OSError as error:
            msg = (
                f"Cannot write to {self.folder}: {error.strerror}. Set {_CACHE_VARIABLE} to another folder "
                "for downloaded files."
            )
            raise RecipeError(msg) from error
        try:
            yield
        finally:
            lock.release()


def cache_folder(cache: str | PathLike[str] | None = None) -> Path:
    """Return the given folder for files, that named by `DIFFAUG_BIO_CACHE`, or the system's for caches."""
    import platformdirs

    cache = cache or os.environ.get(_CACHE_VARIABLE) or platformdirs.user_cache_dir("diffaug-bio")
    return Path(cache).expanduser().resolve()


def fetch(
    name: str,
    *,
    from_path: str | PathLike[str] | None = None,
    cache: str | PathLike[str] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    force: bool = False,
    checked: bool = True,
) -> Files:
    """Bring the files of a recipe into the cache, checked and unpacked; files that are there already stay.

    Parameters
    ----------
    name
        One of :func:`recipe_names`, or the path of a TOML file of your own.
    from_path
        Folder of files that you have, by the names in the recipe, or the file itself if there is one: they
        are copied, and others are taken from the cache or downloaded.
    cache
        Folder for files; by default that named by `DIFFAUG_BIO_CACHE`, or the system's folder for caches.
    on_progress
        Called as bytes of a download arrive.
    force
        If True, fetch files again that are there.
    checked
        If False, files in `from_path` may have another size or hash than the recipe says;
        `diffaug-bio recipes verify` reports them all the same.

    Returns
    -------
    Paths of the files.

    Raises
    ------
    RecipeError
        If there is no such recipe; if a file is missing, cannot be downloaded, or has another size or hash
        than the recipe says; or if an archive is damaged or not safe.
    """
    recipe = load_recipe(name)
    if not recipe.sources:
        return Files(names=(), roots=())
    if from_path is not None and not Path(from_path).exists():
        msg = f"There is no file or folder {from_path}."
        raise RecipeError(msg)
    store = Store.of(recipe, cache)
    given = {} if from_path is None else _given(recipe, Path(from_path))
    beside, archives = _beside(recipe, set(given))
    given |= archives
    rest = [source for source in recipe.sources if source.file not in beside]
    if rest and (given or force or not _has_all(store, rest)):
        with store.locked():
            for source in rest:
                if source.file in given:
                    _copy(source, given[source.file], store, checked=checked)
                else:
                    _bring(recipe, source, store, on_progress, force=force)
            for source in rest:
                if source.unpack and not store.unpacked(source).exists():
                    logger.info("Unpacking %s", source.file)
                    unpack(store.path(source), store.unpacked(source), max_bytes=source.max_unpacked)
    folders = [store.files] if rest else []
    folders += [recipe.path.parent] if beside and recipe.path is not None else []
    folders += [store.unpacked(source) for source in recipe.sources if source.unpack]
    return Files(names=tuple(source.file for source in recipe.sources), roots=tuple(folders))


def is_here(recipe: Recipe, *, cache: str | PathLike[str] | None = None) -> bool:
    """Tell whether a recipe can be used without network: all files are here, checked and unpacked."""
    beside, _ = _beside(recipe, set())
    rest = [source for source in recipe.sources if source.file not in beside]
    return _has_all(Store.of(recipe, cache), rest)


def source_paths(name: str) -> dict[str, Path]:
    """List the sources of a recipe that are here, in the cache or beside the recipe, by name."""
    recipe = load_recipe(name)
    beside, archives = _beside(recipe, set())
    store = Store.of(recipe)
    paths = {source.file: store.path(source) for source in recipe.sources} | beside | archives
    return {file: path for file, path in paths.items() if path.exists()}


def _has_all(store: Store, sources: list[Source]) -> bool:
    """Tell whether sources are here as they were noted, and unpacked."""
    known = store.noted()
    for source in sources:
        noted, path = known.get(source.file), store.path(source)
        if noted is None or not path.exists() or (source.unpack and not store.unpacked(source).exists()):
            return False
        is_same = path.is_dir() or path.stat().st_size == noted.size
        if not is_same or (noted.is_checked and source.sha256 not in {"", noted.sha256}):
            return False
    return True


def _beside(recipe: Recipe, given: set[str]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Find sources beside a user's own recipe: files, which stay there, and archives to copy."""
    if recipe.path is None:
        return {}, {}
    own = [
        source for source in recipe.sources if not (source.url or source.by_hand or source.file in given)
    ]
    paths = {source: recipe.path.parent / source.file for source in own}
    here = {source: path for source, path in paths.items() if path.exists()}
    return (
        {source.file: path for source, path in here.items() if not source.unpack},
        {source.file: path for source, path in here.items() if source.unpack},
    )


def _given(recipe: Recipe, path: Path) -> dict[str, Path]:
    """Find sources in a folder that the user has, or take a single file."""
    names = [source.file for source in recipe.sources]
    last = {PurePosixPath(name).name: name for name in names}
    if len(names) == 1 and not any((path / name).exists() for name in (*names, *last)):
        takes_folder = recipe.sources[0].by_hand and not recipe.sources[0].unpack
        if path.is_file() or (takes_folder and path.name in last):
            return {names[0]: path}
    if path.is_file():
        found = {last[path.name]: path} if path.name in last else {}
    else:
        # All in one folder, which only works where last parts differ; or, preferred, as in the recipe.
        flat = {name: path / short for short, name in last.items()} if len(last) == len(names) else {}
        found = {name: place for name, place in flat.items() if place.exists()}
        found |= {name: path / name for name in names if (path / name).exists()}
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
    on_progress: Callable[[Progress], None] | None,
    *,
    force: bool,
) -> None:
    """Make sure that a source lies in the cache, checked; download it where it does not."""
    path = store.path(source)
    if force and source.url:
        store.forget(source)
    noted = store.noted().get(source.file)
    if path.exists() and noted is None:  # put there by hand
        _accept(source, path, store, origin="by hand")
    elif path.exists() and noted is not None:
        if not path.is_dir() and path.stat().st_size != noted.size:
            msg = (
                f"{path} has {path.stat().st_size} bytes where {noted.size} came. Fetch it again: "
                f"`diffaug-bio recipes fetch {_call_name(recipe)} --force`."
            )
            raise RecipeError(msg)
        if noted.is_checked:
            _check(source, path, noted.size, noted.sha256)
    elif not source.url:
        raise RecipeError(_how_to_get(recipe, store, ""))
    else:
        try:
            _download(source, store, on_progress)
        except DownloadError as error:
            raise DownloadError(_how_to_get(recipe, store, str(error))) from error


def _download(source: Source, store: Store, on_progress: Callable[[Progress], None] | None) -> None:
    """Download a source; it gets its name once its size and hash are those of the recipe."""
    size = "" if source.size is None else f" ({source.size / 1e6:.1f} MB)"
    logger.info("Downloading %s%s from %s", source.file, size, source.url)
    path, part = store.path(source), store.folder / "partial" / f"{source.file}.part"
    download = Download(
        url=source.url,
        part=part,
        size=source.size,
        is_checked=bool(source.sha256),
        on_progress=on_progress,
    )
    download.run()
    found, sha256 = digest(part)
    if source.sha256 not in {"", sha256}:
        download.drop()
        msg = (
            f"{source.url} gave a file whose SHA-256 is {sha256} where the recipe says {source.sha256}; it "
            "was removed. Has it changed on the server?"
        )
        raise DownloadError(msg)
    if not source.sha256:
        logger.info("The recipe has no hash of %s; its SHA-256 is %s.", source.file, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)
    store.note(source, Noted(size=found, sha256=sha256, origin=source.url))


def _copy(source: Source, given: Path, store: Store, *, checked: bool) -> None:
    """Copy a source from the user's folder, and check it before it gets its name."""
    path = store.path(source)
    size, sha256 = digest(given)
    if checked:
        _check(source, given, size, sha256)
    noted = store.noted().get(source.file)
    if given.resolve() != path and not (noted is not None and noted.sha256 == sha256 and path.exists()):
        store.forget(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        if given.is_dir():
            copy = store.folder / "partial" / source.file
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(given, copy)
            copy.rename(path)
        else:
            with staged_file(path) as stage:
                shutil.copyfile(given, stage)
    _accept(source, path, store, origin="by hand", checked=checked)


def _accept(source: Source, path: Path, store: Store, *, origin: str, checked: bool = True) -> None:
    """Check a file that lies in the cache, and note its size and hash."""
    size, sha256 = digest(path)
    if checked:
        _check(source, path, size, sha256)
    store.note(source, Noted(size=size, sha256=sha256, origin=origin, is_checked=checked))


def _check(source: Source, path: Path, size: int, sha256: str) -> None:
    """Refuse a file of another size or hash than the recipe says."""
    remedy = "Get the right file, or take this one on purpose with `--unchecked`."
    if source.size is not None and size != source.size:
        msg = f"{path} has {size} bytes where the recipe says {source.size}. {remedy}"
        raise RecipeError(msg)
    if source.sha256 not in {"", sha256}:
        msg = f"{path} has the SHA-256 {sha256} where the recipe says {source.sha256}. {remedy}"
        raise RecipeError(msg)


def _how_to_get(recipe: Recipe, store: Store, problem: str) -> str:
    """Word which files are missing, where to get them, and what to do with them."""
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
    """Return the name by which users call a recipe."""
    return recipe.name if recipe.path is None else str(recipe.path)
