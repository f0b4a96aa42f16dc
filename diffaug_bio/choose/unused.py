"""Columns of annotations that look like batches or labels, and that a fit was not told of."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._wording import cut

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

_BATCHES = frozenset(
    (
        *("batch", "batches", "donor", "donors", "patient", "patients", "subject", "subjects"),
        *("individual", "individuals", "sample", "samples", "library", "lane", "plate", "chip"),
        *("run", "runs", "protocol", "tech", "technology", "platform", "assay", "study", "dataset"),
        *("site", "center", "centre", "lab", "sequencer", "chemistry", "replicate", "mouse"),
        *("animal", "ident", "stim"),
    )
)
_LABELS = frozenset(
    (
        *("celltype", "celltypes", "label", "labels", "class", "classes", "cluster", "clusters"),
        *("leiden", "louvain", "annotation", "annotations", "subtype", "subtypes", "lineage"),
        *("subclass", "identity", "voting"),
    )
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LEAST_ROWS = 5  # of a level, on average
_MOST_NAMED = 3


def mention_unused(
    obs: pd.DataFrame, *, used: Iterable[str], has_batches: bool, has_labels: bool
) -> str | None:
    """Name columns that look like batches or labels, and the option that would use them; else None.

    Columns in `used` are left out, and those with one level, or fewer than five rows a level. Batches are
    looked for unless a fit has some (`has_batches`), and labels alike.
    """
    known = set(used)
    candidates = [name for name in map(str, obs.columns) if name not in known and _is_grouping(obs[name])]
    labels = [name for name in candidates if _is_like(name, _LABELS, pair=("cell", "type"))]
    batches = [name for name in candidates if name not in labels and _is_like(name, _BATCHES)]
    said = []
    if batches and not has_batches:
        said.append(
            f"{_listed(obs, batches)} may be batches (`--batch-key {_quoted(batches[0])}` brings batches "
            "together)"
        )
    if labels and not has_labels:
        said.append(
            f"{_listed(obs, labels)} may be labels (`--label-key {_quoted(labels[0])}` scores the "
            "embedding by them)"
        )
    return f"Columns that are not used: {'; '.join(said)}." if said else None


def _is_grouping(column: pd.Series) -> bool:
    """Tell whether a column has from 2 levels to one for five rows, and is not measured."""
    if column.dtype.kind == "f":
        values = column.dropna().to_numpy()
        if not np.array_equal(values, np.rint(values)):
            return False
    n_levels = column.nunique()
    return bool(2 <= n_levels <= len(column) / _LEAST_ROWS)


def _is_like(name: str, words: frozenset[str], pair: tuple[str, str] | None = None) -> bool:
    """Tell whether a name has one of some words, or two words that follow on each other."""
    parts = [word.lower() for word in _WORDS.findall(name)]
    return not words.isdisjoint(parts) or (pair is not None and pair in pairwise(parts))


def _listed(obs: pd.DataFrame, names: list[str]) -> str:
    """Name a few columns with their numbers of levels."""
    listed = ", ".join(f"{cut(name)!r} ({obs[name].nunique()} values)" for name in names[:_MOST_NAMED])
    return listed + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def _quoted(name: str) -> str:
    """Write a name as a shell takes it."""
    import shlex

    return shlex.quote(cut(name))
