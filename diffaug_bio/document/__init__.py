"""Documents (cards, `info`, reports, summaries) as plain values, written as Markdown or terminal text."""

from __future__ import annotations

from diffaug_bio.document._markdown import escaped, markdown
from diffaug_bio.document._plain import plain
from diffaug_bio.document._words import base_name, one_line
from diffaug_bio.document.values import (
    Block,
    Cell,
    Code,
    Facts,
    Highlight,
    Image,
    Messages,
    Picture,
    Pictures,
    Report,
    Section,
    Table,
    Text,
)

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Facts",
    "Highlight",
    "Image",
    "Messages",
    "Picture",
    "Pictures",
    "Report",
    "Section",
    "Table",
    "Text",
    "base_name",
    "escaped",
    "markdown",
    "one_line",
    "plain",
]
