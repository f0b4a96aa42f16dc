"""The folder in which the files of a recipe lie, and what is noted about them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diffaug_bio.errors import RecipeError
from diffaug_bio.output.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

    from diffaug_bio.datasets._recipe import Recipe, Source

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "DIFFAUG_BIO_CACHE"
_RECORD = "record.json"


def cache_folder(cache: str | PathLike[str] | None = None) -> Path:
    """Return the folder for files of all recipes.

    Parameters
    ----------
    cache
        The folder; by default what the environment variable `DIFFAUG_BIO_CACHE` names, or the folder that
        the system has for caches.
    """
    if cache is None:
        cache = os.environ.get(CACHE_VARIABLE)
    if not cache:
        import pooch

        cache = pooch.os_cache("diffaug-bio")
    return Path(cache).expanduser().resolve()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What was noted about a file when it came."""

    size: int
    """Bytes, of a folder those of its files."""
    sha256: str
    """Hash; of a folder that of its files' names and hashes."""
    origin: str
    """Where it came from."""
    is_checked: bool = True
    """Whether it had to be what the recipe says; people may give a file of other content on purpose."""


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of a recipe: `files/`, `unpacked/` and `record.json`."""

    folder: Path
    """Where it lies."""

    @classmethod
    def of(cls, recipe: Recipe, cache: str | PathLike[str] | None) -> Store:
        """Return the folder of a recipe; that of a user's own depends on where its file lies."""
        name = recipe.name
        if recipe.path is not None:
            place = str(recipe.path.resolve().parent)
            name = f"{name}-{hashlib.sha256(os.fsencode(place)).hexdigest()[:8]}"
        return cls(cache_folder(cache) / name)

    @property
    def files(self) -> Path:
        """Folder of the sources."""
        return self.folder / "files"

    def path(self, source: Source) -> Path:
        """Where a source lies."""
        return self.files / source.file

    def partial(self, source: Source) -> Path:
        """Where a source lies while it is downloaded."""
        return self.folder / "partial" / f"{source.file}.part"

    @property
    def arriving(self) -> Path:
        """Folder in which a download gets its name once it is checked."""
        return self.folder / "arriving"

    def unpacked(self, source: Source) -> Path:
        """Where what an archive holds lies."""
        return self.folder / "unpacked" / source.file

    def has_all(self, sources: Iterable[Source]) -> bool:
        """Whether sources are here as they were noted, and unpacked."""
        known = self.noted()
        return all(
            source.file in known
            and self._is_as(source, known[source.file])
            and (self.unpacked(source).exists() or not source.unpack)
            for source in sources
        )

    def _is_as(self, source: Source, noted: Noted) -> bool:
        """Whether a source is here with its size, and its hash when it came is that of the recipe."""
        path = self.path(source)
        has_size = path.is_dir() or (path.exists() and path.stat().st_size == noted.size)
        return has_size and (source.sha256 in {"", noted.sha256} or not noted.is_checked)

    def noted(self) -> dict[str, Noted]:
        """Read what is noted about files.

        Raises
        ------
        RecipeError
            If the record is damaged.
        """
        path = self.folder / _RECORD
        if not path.exists():
            return {}
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            return {file: Noted(**entry) for file, entry in table.items()}
        except (ValueError, TypeError, AttributeError) as error:
            msg = f"{path} is damaged; remove it, and the files beside it are looked at again."
            raise RecipeError(msg) from error

    def note(self, source: Source, noted: Noted | None) -> None:
        """Note something about a file, or forget it."""
        known = self.noted()
        known.pop(source.file, None)
        if noted is not None:
            known[source.file] = noted
        table = {file: asdict(entry) for file, entry in sorted(known.items())}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / _RECORD, json.dumps(table, indent=2) + "\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the folder while the block runs.

        Raises
        ------
        RecipeError
            If nothing can be written there.
        """
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
                f"Cannot write to {self.folder}: {error.strerror}. Let {CACHE_VARIABLE} name another "
                "folder for downloaded files."
            )
            raise RecipeError(msg) from error
        try:
            yield
        finally:
            lock.release()
