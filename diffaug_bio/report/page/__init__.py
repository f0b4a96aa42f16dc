"""One self-contained HTML page made of a document: pictures as SVG, layout of rows, and the HTML itself.

Nothing here knows torch, models or run folders.
"""

from __future__ import annotations

from diffaug_bio.report.page._layout import Neighbors, lay_out, nearest
from diffaug_bio.report.page._pictures import drawn, thumbnail
from diffaug_bio.report.page._render import render

__all__ = ["Neighbors", "drawn", "lay_out", "nearest", "render", "thumbnail"]
