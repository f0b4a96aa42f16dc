"""What a page says, as plain values: :func:`diffaug_bio.report.render` makes HTML of it.

All text is text: rendering escapes it. Only `Picture.svg` is markup, which :func:`drawn` makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """A number that stands out at the top of the page."""

    name: str
    """What it is."""
    value: str
    """The number."""
    note: str = ""
    """What to hold it against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A small image of pixels inside a table."""

    data: str
    """A `data:` address."""
    alt: str
    """What is seen, for those who do not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of a table."""

    text: str
    """What it says."""
    notes: tuple[str, ...] = ()
    """Said below it, smaller, a line each."""
    image: Image | None = None
    """Seen above it."""
    mark: Literal["", "best", "same"] = ""
    """Whether it is the best of its row, or of the same class as the first of its row."""
    is_code: bool = False
    """Whether letters are of equal width: names of rows, sequences."""
    n_rows: int = 1
    """Rows that it spans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a header; the first cell of a row heads it."""

    kind: ClassVar[str] = "table"
    caption: str
    """What it shows."""
    header: tuple[str, ...]
    """Names of the columns."""
    rows: tuple[tuple[Cell, ...], ...]
    """Rows of cells."""
    numeric: tuple[int, ...] = ()
    """Numbers of the columns whose cells are numbers."""
    notes: tuple[str, ...] = ()
    """Said below the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawing."""

    svg: str
    """Markup that stands in the page as it is."""
    alt: str
    """What is seen, for those who do not see it."""
    caption: str
    """Said below it."""
    width: float
    """In CSS pixels; it shrinks where there is less room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Drawings side by side, where there is room."""

    kind: ClassVar[str] = "pictures"
    pictures: tuple[Picture, ...]
    """In order."""
    title: str = ""
    """Heads them."""
    legend: tuple[tuple[str, str], ...] = ()
    """Colours such as `#0072b2`, or nothing, and what they stand for in all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and what they stand for."""

    kind: ClassVar[str] = "facts"
    facts: tuple[tuple[str, str], ...]
    """Pairs."""
    title: str = ""
    """Heads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str
    """What it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Lines to copy."""

    kind: ClassVar[str] = "code"
    title: str
    """What they do."""
    text: str
    """The lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """What a run said."""

    kind: ClassVar[str] = "messages"
    messages: tuple[tuple[Literal["info", "warning"], str], ...]
    """How much it matters, and what was said."""


Block = Table | Pictures | Facts | Text | Code | Messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page with a heading."""

    key: str
    """Its anchor."""
    title: str
    """Its heading."""
    lead: str = ""
    """Its first sentence."""
    blocks: tuple[Block, ...] = ()
    """What it shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole page."""

    title: str
    """Heads it."""
    subtitle: str
    """What it is about, in a sentence."""
    sections: tuple[Section, ...]
    """In order."""
    highlights: tuple[Highlight, ...] = ()
    """Numbers at its top."""
    footer: str = ""
    """Said at its end."""
