"""The rule that nothing is written or returned that is not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def finite_rows(rows: Tensor, *, what: str) -> Tensor:
    """Return what networks made of rows as it is, and refuse it where a value is not finite.

    Parameters
    ----------
    rows
        Of embeddings, codes or errors. Shape: `(n_rows, ...)`.
    what
        What it is, for the error: "embedding", for example.

    Raises
    ------
    InputError
        If there is NaN or infinity among the values; it names the first such row.
    """
    # One pass without an array beside it: the sum of any finite float32 values is finite in float64.
    if torch.isfinite(rows.cpu().sum(dtype=torch.float64)):
        return rows
    unfit = (~torch.isfinite(rows.flatten(1) if rows.ndim > 1 else rows[:, None])).any(1).nonzero()[:, 0]
    msg = (
        f"The {what} of row {int(unfit[0])} (counted from 0) is not finite, and so for {len(unfit)} of "
        f"{len(rows)} rows. Look for extreme values in that row. If it is like the rows that the model was "
        "fitted on, the model is damaged: restore it, or fit it again."
    )
    raise InputError(msg)
