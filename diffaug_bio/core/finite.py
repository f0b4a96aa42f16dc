"""Check that results are finite before they are returned or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def finite_rows(rows: Tensor, *, what: str) -> Tensor:
    """Return the networks' output, or raise InputError that names the first row that is not finite.

    `what` is the name of the output in the message, such as "embedding".
    """
    # One pass without a second array: finite float32 values have a finite sum in float64.
    if torch.isfinite(rows.cpu().sum(dtype=torch.float64)):
        return rows
    unfit = (~torch.isfinite(rows.flatten(1) if rows.ndim > 1 else rows[:, None])).any(1).nonzero()[:, 0]
    msg = (
        f"The {what} is not finite for {len(unfit)} of {len(rows)} rows, first for row {int(unfit[0])} "
        "(counted from 0). Look for extreme values in that row. If it resembles the rows of the fit, the "
        "model is damaged: restore it, or fit it again."
    )
    raise InputError(msg)
