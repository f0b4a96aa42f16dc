"""Documents as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.document._words import one_line
from diffaug_bio.document.values import Code, Facts, Messages, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diffaug_bio.document.values import Block, Section

_LONGEST = 2000  # letters of a line


def plain(sections: Iterable[Section]) -> str:
    """Write sections as text in aligned columns, without pictures; control characters become spaces."""
    return "\n\n".join(
        "\n".join(
            [_shown(text) for text in (section.title, section.lead) if text]
            + [f"  {line}".rstrip() for block in section.blocks for line in _lines(block)]
        )
        for section in sections
    )


def _lines(block: Block) -> list[str]:
    """Write one block as lines."""
    if isinstance(block, Text):
        return [_shown(block.text)]
    if isinstance(block, Facts):
        return _aligned([[name, value] for name, value in block.facts])
    if isinstance(block, Code):
        return [_shown(line) for line in block.text.splitlines()]
    if isinstance(block, Messages):
        return [f"- {_shown(text)}" for _, text in block.messages]
    if isinstance(block, Table):
        rows = [[cell.text for cell in row] for row in block.rows]
        return _aligned([list(block.header), *rows], figures=block.numeric)
    return []  # pictures


def _aligned(rows: list[list[str]], *, figures: tuple[int, ...] = ()) -> list[str]:
    rows = [[_shown(text) for text in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            text.rjust(width) if number in figures else text.ljust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _shown(text: str) -> str:
    return one_line(text, limit=_LONGEST)
