"""What a file calls columns and rows: the other way round if it is transposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """How messages call the features and observations of a table."""

    path: Path
    column: str = "column"
    """What the file calls a feature."""
    row: str = "row"
    """What the file calls an observation."""
