"""Choosing the batch of each row of an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._checks import check_held
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

_SEPARATOR = " / "


def batches_of(adata: AnnData, keys: str | Sequence[str]) -> NDArray[np.str_]:
    """Find the batch of each row as text, `(n_obs,)`; values of several columns are joined by " / ".

    `keys` are columns of `.obs`: a sequence, or names with commas between them, unless one column has that
    whole name. Raises InputError if a column or a row's batch is missing, or two combinations read alike.
    """
    names = _checked(adata, batch_columns(adata, keys))
    for name in names:
        column = adata.obs[name]
        if (missing := column.isna().to_numpy()).any():
            msg = (
                f"{int(missing.sum())} rows have no batch in the column {name!r}, the first "
                f"{str(adata.obs_names[missing][0])!r}. Fill it in, or leave these rows out."
            )
            raise InputError(msg)
    columns = [adata.obs[name].astype(str).to_numpy(dtype=object) for name in names]
    batches = np.array([_SEPARATOR.join(parts) for parts in zip(*columns, strict=True)], dtype=np.str_)
    n_combinations = len(set(zip(*columns, strict=True)))
    if len(np.unique(batches)) < n_combinations:
        msg = (
            f"Two batches of the columns {shorten(names)} read alike once their values are joined "
            f"by {_SEPARATOR!r}, which values hold already. Rename them."
        )
        raise InputError(msg)
    return batches


def batch_columns(adata: AnnData, keys: str | Sequence[str]) -> list[str]:
    """List the columns that keys name, each once, whether they exist or not."""
    if isinstance(keys, str):
        keys = [keys] if keys in adata.obs else [name.strip() for name in keys.split(",")]
    return list(dict.fromkeys(keys))


def _checked(adata: AnnData, names: list[str]) -> list[str]:
    """Refuse an empty list, and columns that do not exist."""
    if not names:
        msg = f"`batch_key` names no column. Name one or more of `.obs`: {shorten(adata.obs) or 'none'}."
        raise InputError(msg)
    for name in names:
        check_held(name, adata.obs, what="batch column", where="`.obs`")
    return names
