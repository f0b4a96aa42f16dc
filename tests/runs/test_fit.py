"""`runs.fit`: what a run folder holds of data that were embedded before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest

from diffaug_bio import DiffAug, runs
from diffaug_bio.datasets import DataSource

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig


@pytest.mark.parametrize("use_rep", [None, "X_diffaug"])
def test_an_earlier_embedding_may_be_embedded_and_is_replaced(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path, use_rep: str | None
) -> None:
    earlier = np.random.default_rng(0).normal(size=(counts.n_obs, 5)).astype(np.float32)
    counts.obsm["X_diffaug"], counts.obsm["X_umap_diffaug"] = earlier, earlier[:, :2].copy()
    counts.obs["diffaug_distance"] = 1.0
    counts.write_h5ad(tmp_path / "cells.h5ad")
    source = DataSource(data=str(tmp_path / "cells.h5ad"))
    runs.fit(source, tmp_path / "run", config=tiny_config, use_rep=use_rep, device="cpu")
    found = anndata.read_h5ad(tmp_path / "run" / "embedded.h5ad")
    assert set(found.obsm) == {"X_diffaug"}
    assert set(found.obs) == {"cluster"}
    model = DiffAug.load(tmp_path / "run", device="cpu")
    fitted = counts.X if use_rep is None else earlier
    np.testing.assert_array_equal(found.obsm["X_diffaug"], model.transform(fitted))
    np.testing.assert_array_equal(found.X.toarray(), counts.X.toarray())
    assert found.uns["diffaug"]["params"]
