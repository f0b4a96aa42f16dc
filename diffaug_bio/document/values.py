"""Parts of a page, model card or summary. Renderers escape all text; only `Picture.svg` is markup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """Number that stands out at the top of a page."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Small image of pixels inside a table: a `data:` address, and a description in words."""

    data: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Cell of a table."""

    text: str
    notes: tuple[str, ...] = ()
    """Small lines below the text."""
    image: Image | None = None
    mark: Literal["", "best", "same"] = ""
    """"best" for the best value of its row or column, "same" for the class of the first cell of its row."""
    is_code: bool = False
    """If True, letters are of equal width, as for names of rows and sequences."""
    n_rows: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Table with a header; the first cell of a row heads the row."""

    kind: ClassVar[str] = "table"
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    numeric: tuple[int, ...] = ()
    """Numbers of the columns that hold figures, which are aligned on the right."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Drawing with a caption."""

    svg: str
    """Markup that stands in the page as it is."""
    alt: str
    caption: str
    width: float
    """Width in CSS pixels; the picture shrinks where there is less room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Drawings side by side, where there is room."""

    kind: ClassVar[str] = "pictures"
    pictures: tuple[Picture, ...]
    title: str = ""
    legend: tuple[tuple[str, str], ...] = ()
    """Colours such as "#0072b2" (or nothing) with their meaning in all of the drawings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names with their values."""

    kind: ClassVar[str] = "facts"
    facts: tuple[tuple[str, str], ...]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Lines to copy."""

    kind: ClassVar[str] = "code"
    title: str
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """List of remarks and warnings."""

    kind: ClassVar[str] = "messages"
    messages: tuple[tuple[Literal["info", "warning"], str], ...]


Block = Table | Pictures | Facts | Text | Code | Messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Part with a heading."""

    key: str
    """Anchor in a page."""
    title: str
    lead: str = ""
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Whole page."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    highlights: tuple[Highlight, ...] = ()
    footer: str = ""
