"""Noticing that rows are replicates, by their names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEAST_GROUPS = 5  # fewer are classes or batches rather than subjects
_MOST = 0.9  # share of rows that is called most


def look_like_replicates(names: Iterable[str]) -> bool:
    """Whether most names share what stands before their last `_` with another, as `mouse7_1`, `mouse7_2`.

    Parameters
    ----------
    names
        Of observations.
    """
    starts = [name.rpartition("_")[0] for name in names]
    counts = Counter(start for start in starts if start)
    n_shared = sum(count for count in counts.values() if count > 1)
    return len(counts) >= _LEAST_GROUPS and n_shared >= _MOST * len(starts)
