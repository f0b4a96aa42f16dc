"""Result of a benchmark run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """Result of a benchmark."""

    scores: pd.DataFrame
    """Scores, one a row; columns data, method, seed, metric, value, seconds, peak_memory_mb."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Reason for each method that could not run on all or some data."""
    failed: dict[str, str] = field(default_factory=dict)
    """Error of each cell that failed."""
