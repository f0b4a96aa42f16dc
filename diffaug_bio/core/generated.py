"""What a trained generator makes of rows that come after the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from diffaug_bio.core.generation import code_rows, conditions_of, decode, generate
from diffaug_bio.core.runtime import seeded_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.state import TrainState


def generated_codes(
    state: TrainState, rows: Rows, config: DiffAugConfig, *, seed: int
) -> tuple[Tensor, Tensor]:
    """Generate a code from each row.

    Parameters
    ----------
    state
        The trained networks; moved to the rows' device.
    rows
        What to generate from.
    config
        Its `generator` says how to sample.
    seed
        Of the noise.

    Returns
    -------
    Codes of the rows, and what was generated from each. Shape of both: `(n_rows, n_codes)`.
    """
    state = state.to(rows.device)
    codes = code_rows(state, rows)
    generated = generate(
        state,
        codes,
        conditions_of(state, rows, config),
        config,
        generator=seeded_generator(seed, rows.device, "generate_rows"),
        condition_stream=seeded_generator(seed, rows.device, "conditions"),
    )
    return codes.take(torch.arange(rows.shape[0], device=rows.device)), generated


def decoded_rows(state: TrainState, codes: NDArray[np.float32], rows: Rows, *, seed: int) -> Tensor:
    """Turn codes into rows; see :func:`diffaug_bio.core.generation.decode`.

    Parameters
    ----------
    state
        The trained networks; moved to the rows' device.
    codes
        Shape: `(n_rows, n_codes)`.
    rows
        What they were generated from.
    seed
        Of the letters.
    """
    held = torch.from_numpy(np.ascontiguousarray(codes, np.float32)).to(rows.device)
    return decode(
        state.to(rows.device), held, rows, generator=seeded_generator(seed, rows.device, "letters")
    )
