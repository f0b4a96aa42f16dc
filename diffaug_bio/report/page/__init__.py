"""One self-contained HTML page: what it says as plain values, pictures as SVG, and the page made of both.

Nothing here knows torch, models or run folders; :mod:`diffaug_bio.runs` collects what a page says.
"""

from __future__ import annotations

from diffaug_bio.report.page._content import (
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
from diffaug_bio.report.page._layout import Neighbors, lay_out, nearest
from diffaug_bio.report.page._pictures import drawn, thumbnail
from diffaug_bio.report.page._render import render

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Facts",
    "Highlight",
    "Image",
    "Messages",
    "Neighbors",
    "Picture",
    "Pictures",
    "Report",
    "Section",
    "Table",
    "Text",
    "drawn",
    "lay_out",
    "nearest",
    "render",
    "thumbnail",
]
