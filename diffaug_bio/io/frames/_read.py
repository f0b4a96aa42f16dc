"""Reading a typed table into a frame, and the frame into AnnData as text tables are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.io.frames._arrow import FEATHER_ENDINGS, PARQUET_ENDINGS, read_arrow
from diffaug_bio.io.frames._excel import SHEET_ENDINGS, read_excel
from diffaug_bio.io.table import table_from_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

FRAME_ENDINGS = (*PARQUET_ENDINGS, *FEATHER_ENDINGS, *SHEET_ENDINGS)


def read_frame_table(
    path: Path, *, obs_columns: Sequence[str] = (), transpose: bool = False, sheet: str | None = None
) -> AnnData:
    """Read a table of Parquet, Feather or Excel; see :func:`diffaug_bio.io.read`."""
    is_excel = path.name.lower().endswith(SHEET_ENDINGS)
    frame = read_excel(path, sheet) if is_excel else read_arrow(path)
    return table_from_frame(frame, path, obs_columns=obs_columns, transpose=transpose)
