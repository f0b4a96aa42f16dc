"""Choosing labels, and groups of rows that belong together, from an AnnData."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_held
from diffaug_bio._wording import shorten
from diffaug_bio.choose.split import choose_split
from diffaug_bio.errors import InputError
from diffaug_bio.metrics.labels import (
    as_numbers,
    check_groups,
    check_labels,
    check_number_groups,
    check_numbers,
    decide_label_kind,
)
from diffaug_bio.metrics.splits import given_split

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.config.kinds import LabelKind, ScoredAs
    from diffaug_bio.metrics.splits import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Label, group and split of each row, `(n_obs,)`, and the rows that can be scored."""

    names: NDArray[np.str_]
    """Labels, undefined where `scored` is False."""
    scored: NDArray[np.bool_]
    groups: NDArray[np.str_] | None
    split: NDArray[np.str_] | None = None
    """`"train"`, `"test"`, or anything else for rows that are fitted and not scored."""
    numbers: NDArray[np.float64] | None = None
    """Labels that are scored as one number; None for classes."""

    @property
    def kind(self) -> ScoredAs:
        """What labels are scored as."""
        return "classes" if self.numbers is None else "number"

    @property
    def values(self) -> NDArray[np.str_] | NDArray[np.float64]:
        """Labels as :func:`diffaug_bio.metrics.evaluate` takes them: names of classes, or numbers."""
        return self.names if self.numbers is None else self.numbers

    @property
    def splits(self) -> list[Split] | None:
        """Training and test rows, counted among the rows that can be scored; None for folds."""
        return None if self.split is None else [given_split(self.split[self.scored])]


def choose_labels(
    adata: AnnData,
    label_key: str,
    group_key: str | None,
    *,
    split_key: str | None = None,
    label_kind: LabelKind = "auto",
) -> Labels:
    """Find labels, and groups or a split, in columns of `.obs`, and the rows that can be scored by them.

    `label_kind` says what they are scored as; by `"auto"` that is decided, and logged where they are
    numbers.
    """
    check_held(label_key, adata.obs, what="label column", where="`.obs`")
    if group_key is not None and split_key is not None:
        msg = (
            f"`group_key` {group_key!r} and `split_key` {split_key!r} would each say which rows are scored "
            "together. Give one of them."
        )
        raise InputError(msg)
    values = adata.obs[label_key].to_numpy(dtype=object)
    split = choose_split(adata, split_key)
    groups = choose_groups(adata, group_key)
    numbers = None
    if decide_label_kind(values, key=label_key, label_kind=label_kind) == "number":
        numbers = as_numbers(values, key=label_key)
        scored = check_numbers(numbers, key=label_key, split=split)
        if groups is not None and group_key is not None:
            check_number_groups(groups, scored, key=group_key)
    else:
        scored = check_labels(values, key=label_key, split=split)
        if groups is not None and group_key is not None:
            scored &= check_groups(groups, np.where(scored, values, None), key=group_key)
    return Labels(
        names=np.asarray(values.astype(str)),
        scored=scored,
        groups=None if groups is None else np.asarray(groups.astype(str)),
        split=split,
        numbers=numbers,
    )


def choose_groups(adata: AnnData, group_key: str | None) -> NDArray[np.object_] | None:
    """Find the group of each row, so that rows of one subject stay together.

    The key is a column of `.obs`; or `id:SEPARATOR` for the part of observations' names before the last
    separator, as in `mouse7_1`, `mouse7_2`.
    """
    if group_key is None:
        return None
    kind, _, separator = group_key.partition(":")
    if kind == "id" and separator and group_key not in adata.obs:
        names = adata.obs_names.astype(str)
        if without := [name for name in names if separator not in name]:
            msg = (
                f"{len(without)} names of observations hold no {separator!r}, as {group_key!r} needs: "
                f"{shorten(without)}."
            )
            raise InputError(msg)
        return np.asarray(names.str.rsplit(separator, n=1).str[0], dtype=object)
    check_held(
        group_key,
        adata.obs,
        what="group column",
        where="`.obs`",
        remedy="`id:_` groups observations by the part of their name before the last `_`.",
    )
    return np.asarray(adata.obs[group_key], dtype=object)
