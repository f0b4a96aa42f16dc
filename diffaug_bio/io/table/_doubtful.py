"""Numbers that may be no features: what a fit warns of is what a proposed schema leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.io.table._kinds import warn_of_codes, warn_of_counters
from diffaug_bio.io.table._suspicious import warn_of_numbers

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pandas as pd


def warn_of_doubtful(features: pd.DataFrame, path: Path, *, meant: Collection[str]) -> dict[str, str]:
    """Warn of numeric features that may be none, but for those `meant`; return the doubt about each."""
    counters = warn_of_counters(features, path, meant=meant)
    codes = warn_of_codes(features, path, meant=meant)
    odd = warn_of_numbers(features, path, meant=meant)
    return {
        **dict.fromkeys(odd, "It may hold codes for missing values, or points between thousands."),
        **dict.fromkeys(counters, "It counts the rows."),
        **dict.fromkeys(codes, "It looks like a label, a batch or an outcome."),
    }
