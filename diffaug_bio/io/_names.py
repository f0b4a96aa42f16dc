"""Names of rows: numbered where a file gives none, or repeats them."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def number_rows(splits: Sequence[str | None]) -> list[str]:
    """Name rows by numbers that restart in each split, such as `train/0`; without a split, `0`."""
    counters = {split: count() for split in splits}
    numbers = [next(counters[split]) for split in splits]
    return [
        str(number) if split is None else f"{split}/{number}"
        for split, number in zip(splits, numbers, strict=True)
    ]


def number_repeats(names: Iterable[str]) -> list[str]:
    """Add `_2`, `_3` and so on to names that occurred before, skipping names that are taken."""
    names = list(names)
    taken, counts, unique = set(names), Counter[str](), []
    for name in names:
        counts[name] += 1
        candidate = name if counts[name] == 1 else f"{name}_{counts[name]}"
        while counts[name] > 1 and candidate in taken:
            counts[name] += 1
            candidate = f"{name}_{counts[name]}"
        taken.add(candidate)
        unique.append(candidate)
    return unique
