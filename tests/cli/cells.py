"""Cells and settings with which a fit of the command line takes a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

TINY = """
[features]
n_components = 8
[encoder]
n_latent = 6
hidden = [16]
projector_hidden = [16]
n_projection = 8
[generator]
width = 16
n_blocks = 1
n_steps = 50
n_sampling_steps = 5
[train]
warmup_epochs = 2
generator_epochs = 2
encoder_epochs = 2
min_steps = 4
batch_size = 64
"""


def make_cells() -> AnnData:
    """Return counts of 90 cells of three kinds."""
    rng = np.random.default_rng(0)
    cluster = np.arange(90) % 3
    rates = rng.gamma(1.0, 1.0, size=(3, 30))
    return anndata.AnnData(
        X=sparse.csr_matrix(rng.poisson(rates[cluster]).astype(np.float32)),
        obs=pd.DataFrame(
            {"kind": pd.Categorical([f"k{i}" for i in cluster])}, index=[f"cell{i}" for i in range(90)]
        ),
        var=pd.DataFrame(index=[f"gene{i}" for i in range(30)]),
    )


def write_cells(folder: Path) -> Path:
    """Write `cells.h5ad` and `tiny.toml` into a folder, and return it."""
    make_cells().write_h5ad(folder / "cells.h5ad")
    (folder / "tiny.toml").write_text(TINY)
    return folder
