"""Writing an embedding as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from diffaug_bio._keys import CSV_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def write_embedding(path: Path, embedding: NDArray[np.float32], names: Iterable[str]) -> None:
    """Write an embedding as CSV: one row a name, columns `diffaug_1` and up.

    Values are written with as many digits as float32 needs to be read back unchanged.

    Parameters
    ----------
    path
        The file, overwritten if it is there.
    embedding
        Shape: `(n_obs, n_latent)`.
    names
        Name of each row.
    """
    columns = [f"{CSV_PREFIX}{number}" for number in range(1, embedding.shape[1] + 1)]
    index = pd.Index(list(names), name="id")
    pd.DataFrame(embedding, index=index, columns=columns).to_csv(path)
