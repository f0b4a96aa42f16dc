"""Self-contained HTML page from a document: SVG pictures, layout of rows, HTML; no torch, no models."""

from __future__ import annotations

from diffaug_bio.report.page._layout import Neighbors, lay_out, nearest
from diffaug_bio.report.page._pictures import drawn, thumbnail
from diffaug_bio.report.page._render import render

__all__ = ["Neighbors", "drawn", "lay_out", "nearest", "render", "thumbnail"]
