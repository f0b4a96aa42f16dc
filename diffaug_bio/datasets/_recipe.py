"""What a recipe holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Modality = Literal["table", "dna", "image"]
Fixed = Literal["n_obs", "n_vars", "n_labels"]
Preset = Literal["quick", "default", "paper", "paper-images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file or archive that a data set consists of, and where it comes from."""

    file: str
    """Its name, with folders and `/` if they matter: in the cache, and in what is given to `--from`."""
    url: str = ""
    """Where it is downloaded from."""
    by_hand: str = ""
    """How people get it where it cannot be downloaded: who has it, and what to click."""
    size: int | None = None
    """Its bytes, where known."""
    sha256: str = ""
    """Its hash in hexadecimal digits, where known for sure."""
    unpack: bool = False
    """Whether it is an archive (`.zip`, `.tar`, `.tar.gz`, ...) or a compressed file (`.gz`) to unpack."""
    max_unpacked: int | None = None
    """Bytes that may come out of it; if left out, a hundred times its own, and at least 1 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A loader or preparation step by name, and its parameters."""

    name: str
    """Name in `diffaug_bio.datasets.LOADERS` or `diffaug_bio.pp.STEPS`."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Its keywords, checked against its signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the genuine data look like after all steps."""

    n_obs: int | None = None
    """Rows."""
    n_vars: int | None = None
    """Features."""
    n_labels: int | None = None
    """Different labels."""
    fixed: tuple[Fixed, ...] = ()
    """Which of them every file of this format has: loading insists on these, `recipes verify` on all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A figure from a paper, to compare with."""

    method: str
    """Whose."""
    score: str
    """Which, in the words of the paper."""
    value: float
    """The figure, as printed there."""
    where: str
    """Paper and table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A data set by name; `data_recipes/README.md` explains the keys."""

    name: str
    """Name of the recipe: that of its file."""
    title: str
    """One line for people."""
    modality: Modality
    """Kind of data."""
    loader: Call
    """Makes an AnnData of the files."""
    sources: tuple[Source, ...] = ()
    """The files; none for what comes inside a package."""
    steps: tuple[Call, ...] = ()
    """Preparation steps, in order."""
    expect: Expected = field(default_factory=Expected)
    """What the genuine data look like."""
    label_key: str | None = None
    """Column of `.obs` with the labels."""
    batch_key: str | None = None
    """Column of `.obs` with batches."""
    group_key: str | None = None
    """Column of `.obs` with what rows belong to, or `id:SEPARATOR`."""
    split_key: str | None = None
    """Column of `.obs` with "train" and "test", or `"none"`; if left out, "split" where it has both."""
    paper: str = ""
    """Which experiment of which paper it reproduces."""
    licence: str = ""
    """Terms of the data."""
    citation: str = ""
    """What to cite."""
    notes: str = ""
    """What users have to know: differences from the paper, traps."""
    preset: Preset = "default"
    """Configuration to start with."""
    published: tuple[Published, ...] = ()
    """Figures to compare with."""
    path: Path | None = None
    """Its file, if it is a user's own; files without `url` and `by_hand` lie beside it."""
