"""The split into training and test rows that data come with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_held
from diffaug_bio._keys import SPLIT_KEY, TEST, TRAIN
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

AUTO = "auto"
NO_SPLIT = "none"

logger = logging.getLogger(__name__)


def choose_split(adata: AnnData, split_key: str | None) -> NDArray[np.str_] | None:
    """Return each row's value in a split column: "train", "test", or another, which is fitted, not scored.

    Raises InputError if there is no such column, a value is missing, or no row is "train", or none "test".
    """
    if split_key is None:
        return None
    check_held(split_key, adata.obs, what="split column", where="`.obs`")
    column = adata.obs[split_key]
    if (missing := column.isna().to_numpy()).any():
        msg = (
            f"{int(missing.sum())} rows have no value in the split column {split_key!r}, the first "
            f"{str(adata.obs_names[missing][0])!r}. Fill it in ({TRAIN!r}, {TEST!r}, or another word for "
            "rows that are fitted and not scored), or leave these rows out."
        )
        raise InputError(msg)
    split = np.asarray(column.astype(str), dtype=np.str_)
    found = np.unique(split)
    if lacking := [part for part in (TRAIN, TEST) if part not in found]:
        msg = (
            f"The split column {split_key!r} has no row {' and no row '.join(map(repr, lacking))}; it "
            f"holds {shorten(found)}. A split needs {TRAIN!r} and {TEST!r}. Choose another column."
        )
        raise InputError(msg)
    return split


def resolve_split_key(
    adata: AnnData, split_key: str | None, *, group_key: str | None, name: str = "the data"
) -> str | None:
    """Find the column of the split to use, and log the number of its rows.

    `"auto"` takes the column "split" if it holds "train" and "test", unless groups are asked for; `"none"`
    takes none. `name` is the name of the data in the log.
    """
    if split_key is None or split_key == NO_SPLIT:
        return None
    if split_key == AUTO:
        if not _has_split(adata):
            return None
        if group_key is not None:
            logger.info(
                "The own split of %s (column %r) is not used: rows of a group are kept together instead.",
                name,
                SPLIT_KEY,
            )
            return None
        split_key = SPLIT_KEY
    split = choose_split(adata, split_key)
    n_train, n_test = np.sum(split == TRAIN), np.sum(split == TEST)
    n_others = adata.n_obs - n_train - n_test
    logger.info(
        "The own split of %s (column %r) is used: %d rows to train on, %d to test%s (`split_key` %r uses "
        "all rows alike).",
        name,
        split_key,
        n_train,
        n_test,
        f", {n_others} to fit that are neither" if n_others else "",
        NO_SPLIT,
    )
    return split_key


def rows_to_fit(adata: AnnData, split: NDArray[np.str_] | None) -> AnnData:
    """Leave test rows out; without a split, keep all rows."""
    return adata if split is None else adata[split != TEST]


def _has_split(adata: AnnData) -> bool:
    """Tell whether the usual column holds training and test rows."""
    return SPLIT_KEY in adata.obs and {TRAIN, TEST} <= set(adata.obs[SPLIT_KEY].dropna().astype(str))
