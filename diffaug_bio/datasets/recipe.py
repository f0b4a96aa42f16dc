"""Contents of a recipe, which describes a data set, and its files on this machine."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from diffaug_bio._wording import shorten
from diffaug_bio.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from diffaug_bio.config import Preset
    from diffaug_bio.config.kinds import Modality

Fixed = Literal["n_obs", "n_vars", "n_labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file or archive of a data set, and where it comes from."""

    file: str
    """Name, with folders and `/` if they matter: in the cache, and in the folder given to `--from`."""
    url: str = ""
    by_hand: str = ""
    """Instructions where it cannot be downloaded: who has it, and what to click."""
    size: int | None = None
    sha256: str = ""
    """Hexadecimal digits, where known for sure."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Size of the genuine data after all steps."""

    n_obs: int | None = None
    n_vars: int | None = None
    n_labels: int | None = None
    fixed: tuple[Fixed, ...] = ()
    """Numbers that all files of this format have: loading insists on these, `recipes verify` on all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A figure from a paper, to compare with."""

    method: str
    score: str
    """Score, in the words of the paper."""
    value: float
    where: str
    """Paper and table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A data set by name; `data_recipes/README.md` explains the keys."""

    name: str
    title: str
    modality: Modality
    loader: Call
    sources: tuple[Source, ...] = ()
    """Files; none for data that come with a package."""
    steps: tuple[Call, ...] = ()
    expect: Expected = field(default_factory=Expected)
    label_key: str | None = None
    batch_key: str | None = None
    group_key: str | None = None
    """Column of `.obs` with groups, such as donors, or `id:SEPARATOR`."""
    split_key: str | None = None
    """Column of `.obs` with "train" and "test", or `"none"`; if left out, "split" where it has both."""
    paper: str = ""
    """Experiment and paper that it reproduces."""
    licence: str = ""
    citation: str = ""
    notes: str = ""
    preset: Preset = "default"
    published: tuple[Published, ...] = ()
    path: Path | None = None
    """File of a user's own recipe; files without `url` and `by_hand` lie beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files of a recipe on this machine, archives unpacked."""

    names: tuple[str, ...]
    roots: tuple[Path, ...]
    """Folders in which names are looked up, in order: that of the sources, then one for each archive."""

    def find(self, name: str = "") -> Path:
        """Find a file or folder by its name in the recipe or in an archive, relative and with `/`.

        `"."` is the folder of the sources. Without a name it is the only source; if that is an archive, the
        only file or folder in it, or the folder it was unpacked to. Several sources need a name.
        """
        if not name:
            if len(self.names) != 1:
                msg = (
                    f"There are {len(self.names)} sources; say in the recipe which one the loader reads: "
                    f'[loader] path = "{self.names[0]}".'
                )
                raise RecipeError(msg)
            if len(self.roots) == 1:
                return self.roots[0] / self.names[0]
            inside = [entry for entry in self.roots[-1].iterdir() if not entry.name.startswith(("__", "."))]
            return inside[0] if len(inside) == 1 else self.roots[-1]
        for root in self.roots:
            if (path := root / name).exists():
                return path
        held = sorted({entry.name for root in self.roots if root.is_dir() for entry in root.iterdir()})
        msg = (
            f"There is no {name!r} among the files of the recipe; they are {shorten(held) or 'none'}. "
            "Is this the file that the recipe asks for?"
        )
        raise RecipeError(msg)


def nearest(name: str, known: Iterable[str]) -> str:
    """Word a guess at the name that was meant, after a space; empty where no name is near."""
    guesses = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, guesses))}?" if guesses else ""
