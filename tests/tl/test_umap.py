"""UMAP is that of scanpy, the same every time, and stands where the plots look for it.

All tests that compute UMAP are in this file: in a process of its own, it compiles for a long time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from matplotlib.axes import Axes
from scipy import sparse

import diffaug_bio as db
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.config import DiffAugConfig


@pytest.fixture
def clusters() -> AnnData:
    """300 rows of three clusters, in four dimensions."""
    rng = np.random.default_rng(0)
    label = np.arange(300) % 3
    centers = 2 * np.eye(3, 4)
    return anndata.AnnData(
        obs=pd.DataFrame({"label": label}, index=[f"row{number}" for number in range(300)]),
        obsm={"X_diffaug": (centers[label] + rng.normal(size=(300, 4))).astype(np.float32)},
    )


def test_coordinates_are_those_of_scanpy_and_nothing_else_is_written(clusters: AnnData) -> None:
    again = db.tl.umap(clusters, copy=True)
    other = db.tl.umap(clusters, random_state=1, copy=True)
    assert again is not None
    assert other is not None
    assert "X_umap_diffaug" not in clusters.obsm
    db.tl.umap(clusters)
    assert set(clusters.obsm) == {"X_diffaug", "X_umap_diffaug"}
    assert set(clusters.uns) == {"umap_diffaug"}
    assert not clusters.obsp
    coordinates = clusters.obsm["X_umap_diffaug"]
    assert coordinates.dtype == np.float32
    assert np.array_equal(coordinates, again.obsm["X_umap_diffaug"])
    assert not np.allclose(coordinates, other.obsm["X_umap_diffaug"])
    sc.pp.neighbors(clusters, use_rep="X_diffaug")
    sc.tl.umap(clusters, min_dist=0.3)
    assert np.allclose(clusters.obsm["X_umap"], coordinates, atol=1e-3)


def test_names_follow_the_embedding_or_the_key(clusters: AnnData, tmp_path: Path) -> None:
    clusters.obsm["latent"] = sparse.csr_matrix(clusters.obsm["X_diffaug"])
    db.tl.umap(clusters, use_rep="latent", n_neighbors=5)
    db.tl.umap(clusters, key_added="X_mine", n_neighbors=500, min_dist=0)
    assert set(clusters.obsm) == {"X_diffaug", "latent", "X_umap_latent", "X_mine"}
    assert set(clusters.uns) == {"umap_latent", "mine"}
    clusters.write_h5ad(tmp_path / "clusters.h5ad")
    params = anndata.read_h5ad(tmp_path / "clusters.h5ad").uns["umap_latent"]["params"]
    assert params == {
        "use_rep": "latent",
        "n_neighbors": 5,
        "min_dist": 0.3,
        "random_state": 0,
        "n_laid_out": 300,
    }


def test_rows_beyond_the_sample_stand_with_their_neighbors(clusters: AnnData) -> None:
    db.tl.umap(clusters, max_obs=150)
    assert clusters.uns["umap_diffaug"]["params"]["n_laid_out"] == 150
    coordinates, labels = clusters.obsm["X_umap_diffaug"], clusters.obs["label"].to_numpy()
    whole = db.tl.umap(clusters, max_obs=None, copy=True)
    assert whole is not None

    def share_of_neighbors(points: np.ndarray[Any, Any]) -> float:
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        nearest = np.argsort(distances, axis=1)[:, 1:6]
        return float(np.mean(labels[nearest] == labels[:, None]))

    # Rows between their neighbors are as well among their own as rows that were laid out.
    assert share_of_neighbors(coordinates) > share_of_neighbors(whole.obsm["X_umap_diffaug"]) - 0.05


@pytest.mark.slow
def test_scanpy_finds_neighbors_of_so_many_cells_that_it_takes_an_index() -> None:
    # From 8192 on; an index of pynndescent 0.7 fails.
    many = anndata.AnnData(obsm={"X_diffaug": np.random.default_rng(0).normal(size=(9000, 8))})
    sc.pp.neighbors(many, use_rep="X_diffaug")
    assert (many.obsp["connectivities"] > 0).sum(1).min() > 0


def test_four_rows_are_enough_and_copies_do_no_harm() -> None:
    few = anndata.AnnData(obsm={"X_diffaug": np.array([[0, 0], [0, 0], [1, 0], [0, 1]], np.float32)})
    db.tl.umap(few, max_obs=2)  # four are laid out all the same
    assert np.isfinite(few.obsm["X_umap_diffaug"]).all()
    assert few.uns["umap_diffaug"]["params"]["n_laid_out"] == 4


def test_coordinates_of_an_embedding_that_is_made_anew_are_removed(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    db.tl.embed(counts, config=tiny_config, device="cpu")
    for key in ("X_umap_diffaug", "X_kept"):
        db.tl.umap(counts, key_added=key)
    db.tl.embed(counts, config=tiny_config, random_state=1, device="cpu")
    assert "X_umap_diffaug" not in counts.obsm
    assert "umap_diffaug" not in counts.uns
    assert "X_kept" in counts.obsm


def test_a_figure_without_coordinates_shows_the_umap_of_a_sample_and_says_so(
    clusters: AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    plt.switch_backend("Agg")
    view = clusters[:60]
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        ax = db.pl.embedding(view, color="label", max_obs=50, show=False)
    assert isinstance(ax, Axes)
    assert ax.get_title() == "label\n50 of 60 rows"
    assert "50 of 60" in caplog.text
    assert ax.get_xlabel() == "UMAP1"
    assert len(np.asarray(ax.collections[0].get_offsets())) == 50
    assert view.is_view
    assert set(view.obsm) == {"X_diffaug"}
    plt.close("all")


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        ({"use_rep": "X_scvi"}, r"X_scvi.*X_diffaug.*tl\.embed"),
        ({"n_neighbors": 1}, "`n_neighbors`.* 1"),
        ({"min_dist": -1.0}, "`min_dist`.*-1.0"),
        ({"max_obs": 0}, "`max_obs`"),
        ({"random_state": 1.5}, "`random_state`"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    clusters: AnnData, choice: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        db.tl.umap(clusters, **choice)


def test_too_few_rows_and_missing_values_are_refused(clusters: AnnData) -> None:
    with pytest.raises(InputError, match=r"4 rows.*3"):
        db.tl.umap(clusters[:3].copy())
    clusters.obsm["X_diffaug"][5, 1] = np.nan
    with pytest.raises(InputError, match=r"X_diffaug.*missing"):
        db.tl.umap(clusters)
