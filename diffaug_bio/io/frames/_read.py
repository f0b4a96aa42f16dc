"""Reading a typed table into a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.io.frames._arrow import FEATHER_ENDINGS, PARQUET_ENDINGS, read_arrow
from diffaug_bio.io.frames._excel import SHEET_ENDINGS, read_excel

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FRAME_ENDINGS = (*PARQUET_ENDINGS, *FEATHER_ENDINGS, *SHEET_ENDINGS)


def read_typed_frame(path: Path, *, sheet: str | None = None) -> pd.DataFrame:
    """Read a table of Parquet, Feather or Excel, with the types of its columns."""
    is_excel = path.name.lower().endswith(SHEET_ENDINGS)
    return read_excel(path, sheet) if is_excel else read_arrow(path)
