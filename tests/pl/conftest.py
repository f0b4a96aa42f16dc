"""Fixtures: figures without a screen, and tiny models of counts, words, letters and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import diffaug_bio as db

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.model.estimator import DiffAug


_SETTINGS = ("figdir", "autoshow", "autosave", "file_format_figs")


class Fitted(NamedTuple):
    """Data, and a model that was fitted on them."""

    adata: AnnData
    model: DiffAug


@pytest.fixture(autouse=True)
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder that scanpy saves figures in; what is drawn is closed again."""
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    monkeypatch.delenv("DISPLAY", raising=False)
    settings = {name: getattr(sc.settings, name) for name in _SETTINGS}
    sc.settings.figdir, sc.settings.autoshow = tmp_path, False
    before = dict(mpl.rcParams)
    yield tmp_path
    plt.close("all")
    for name, value in settings.items():
        setattr(sc.settings, name, value)
    assert dict(mpl.rcParams) == before


@pytest.fixture(scope="session")
def points() -> AnnData:
    """120 rows of three classes with genes, an embedding, and its coordinates."""
    rng = np.random.default_rng(0)
    label = np.arange(120) % 3
    centers = 8 * rng.normal(size=(3, 6))
    embedding = (centers[label] + rng.normal(size=(120, 6))).astype(np.float32)
    values = rng.poisson(2.0, size=(120, 4)).astype(np.float32)
    some = np.array([f"c{one}" for one in label], dtype=object)
    some[::4] = np.nan
    adata = anndata.AnnData(
        X=sparse.csr_matrix(values),
        obs=pd.DataFrame(
            {
                "kind": pd.Categorical([f"c{one}" for one in label]),
                "text": [f"t{one}" for one in label],
                "some": some,
                "flag": label == 1,
                "one": "only",
                "nothing": pd.Categorical([np.nan] * 120),
                "number": rng.normal(size=120),
                "gaps": np.where(label == 0, np.nan, label),
                "whole": pd.array([1, None] * 60, dtype="Int64"),
            },
            index=[f"row{number}" for number in range(120)],
        ),
        var=pd.DataFrame({"symbol": list("WXYZ")}, index=[f"gene{number}" for number in range(4)]),
        layers={"double": sparse.csr_matrix(2 * values)},
        obsm={"X_diffaug": embedding, "X_umap_diffaug": embedding[:, :2].copy()},
    )
    adata.raw = adata[:, :3].copy()
    return adata


@pytest.fixture(scope="session")
def cells(tiny_config: DiffAugConfig) -> Fitted:
    """Counts of three clusters of cells."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, 2.0, size=(3, 30))
    adata = anndata.AnnData(
        X=sparse.csr_matrix(rng.poisson(rates[np.arange(120) % 3]).astype(np.float32)),
        obs=pd.DataFrame(index=[f"cell{number}" for number in range(120)]),
        var=pd.DataFrame(index=[f"gene{number}" for number in range(30)]),
    )
    return Fitted(adata, db.tl.fit(adata, config=tiny_config, device="cpu"))


def _sequences() -> AnnData:
    rng = np.random.default_rng(0)
    letters = rng.choice(list("ACGT"), size=(90, 40))
    letters[:, 10:14] = list("TATA")  # what all of them have
    return db.io.from_sequences(["".join(row) for row in letters])


@pytest.fixture(scope="session")
def letters(tiny_config: DiffAugConfig) -> Fitted:
    """Sequences that are read by their letters."""
    config = tiny_config.replace(encoder={"kind": "cnn"})
    adata = _sequences()
    return Fitted(adata, db.tl.fit(adata, config=config, device="cpu"))


@pytest.fixture(scope="session")
def words(tiny_config: DiffAugConfig) -> Fitted:
    """Sequences whose words are counted."""
    adata = _sequences()
    config = tiny_config.replace(encoder={"kind": "mlp"})
    return Fitted(adata, db.tl.fit(adata, config=config, device="cpu"))


@pytest.fixture(scope="session")
def images(tiny_config: DiffAugConfig) -> Fitted:
    """Grey images of 12 x 16 pixels with a bright and a dark half."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 80, size=(60, 12, 16))
    pixels[::2, :, 8:] += 150
    pixels[1::2, 6:] += 150
    adata = anndata.AnnData(
        X=pixels.reshape(60, -1).astype(np.uint8),
        obs=pd.DataFrame(index=[f"image{number}" for number in range(60)]),
        uns={"image_shape": np.array([12, 16, 1])},
    )
    return Fitted(adata, db.tl.fit(adata, config=tiny_config, device="cpu"))
