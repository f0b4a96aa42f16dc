"""Preparation steps that a recipe may name.

A step takes an AnnData and keywords, and returns an AnnData: the same one changed, or another. The keywords
are what `[[steps]]` of a recipe may hold, and are checked against their annotations: `str`, `int`, `float`,
`bool`, `Literal`, one of them `| None`, or `tuple[..., ...]` of one.

Steps see all rows, those to test with as well, as loaders of papers do: what they learn from the rows (the
range of values, principal components, which features are kept) is then known of test rows too. Where that
matters, leave such steps out: fitting a model preprocesses features, and learns that from its own rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio.pp._steps_features import keep_features_seen_in, principal_components
from diffaug_bio.pp._steps_rows import drop_small_classes, keep_rows, number_rows, rename_labels
from diffaug_bio.pp._steps_values import divide, log1p, min_max, normalize_total

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData


STEPS: dict[str, Callable[..., AnnData]] = {
    "divide": divide,
    "drop_small_classes": drop_small_classes,
    "keep_features_seen_in": keep_features_seen_in,
    "keep_rows": keep_rows,
    "log1p": log1p,
    "min_max": min_max,
    "normalize_total": normalize_total,
    "number_rows": number_rows,
    "principal_components": principal_components,
    "rename_labels": rename_labels,
}
"""What `[[steps]] name` may be."""
