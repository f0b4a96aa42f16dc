"""Documents as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from diffaug_bio.document._words import one_line
from diffaug_bio.document.values import Code, Facts, Messages, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diffaug_bio.document.values import Block, Cell, Section

_LONGEST = 100_000  # letters of a paragraph; names are cut where they are written down
_ADDRESS = re.compile(r"(?:\w+://|www\.)\S*", re.IGNORECASE)  # links in some renderers, without any markup


def markdown(sections: Iterable[Section]) -> str:
    """Write sections as Markdown, without their pictures; all text is escaped."""
    parts = []
    for section in sections:
        parts += [f"## {escaped(section.title)}", escaped(section.lead)]
        parts += [part for block in section.blocks for part in _block(block)]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(value: object) -> str:
    """Write any text so that Markdown and its tables show it as it is; addresses become no links."""
    text = re.sub(r"([\\`*_\[\]<>|~#&$!@])", r"\\\1", one_line(value, limit=_LONGEST))
    return _ADDRESS.sub(lambda found: re.sub(r"([.:/])", r"\\\1", found[0]), text)


def _block(block: Block) -> list[str]:
    """Write one block as paragraphs."""
    if isinstance(block, Text):
        return [escaped(block.text)]
    if isinstance(block, Facts):
        rows = [f"| {escaped(name)} | {escaped(value)} |" for name, value in block.facts]
        return [_title(block.title), "\n".join(["|  |  |", "| --- | --- |", *rows])]
    if isinstance(block, Code):
        return [_title(block.title), f"```{block.language}\n{block.text.rstrip()}\n```"]
    if isinstance(block, Messages):
        marks = {"info": "", "warning": "Note: "}
        return ["\n".join(f"- {marks[level]}{escaped(text)}" for level, text in block.messages)]
    if isinstance(block, Table):
        lines = [
            [escaped(name) for name in block.header],
            *([_cell(one) for one in row] for row in block.rows),
        ]
        return [_title(block.caption), _table(lines), *map(escaped, block.notes)]
    return []  # pictures


def _title(text: str) -> str:
    return f"{escaped(text)}:" if text else ""


def _cell(cell: Cell) -> str:
    """Write a cell with its notes: a spread beside the value, anything else in brackets."""
    notes = [note if note.startswith("±") else f"({note})" for note in cell.notes if note]
    text = f"**{escaped(cell.text)}**" if cell.mark == "best" else escaped(cell.text)
    return " ".join([text, *map(escaped, notes)])


def _table(lines: list[list[str]]) -> str:
    """Align the columns of a table."""
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(lines[0]))]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in ruled
    )
