"""Tables that know the types of their columns: Parquet, Feather and Excel."""

from __future__ import annotations

from diffaug_bio.io.frames._excel import SHEET_ENDINGS
from diffaug_bio.io.frames._read import FRAME_ENDINGS, read_typed_frame

__all__ = ["FRAME_ENDINGS", "SHEET_ENDINGS", "read_typed_frame"]
