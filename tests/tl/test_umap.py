"""Coordinates are those of scanpy, the same every time, and stand where the plots look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

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
    db.tl.umap(clusters)
    assert set(clusters.obsm) == {"X_diffaug", "X_umap_diffaug"}
    assert set(clusters.uns) == {"umap_diffaug"}
    assert not clusters.obsp
    assert clusters.obsm["X_umap_diffaug"].dtype == np.float32
    sc.pp.neighbors(clusters, use_rep="X_diffaug")
    sc.tl.umap(clusters, min_dist=0.3)
    assert np.allclose(clusters.obsm["X_umap"], clusters.obsm["X_umap_diffaug"], atol=1e-3)


def test_the_same_seed_gives_the_same_coordinates_and_another_one_others(clusters: AnnData) -> None:
    first, again, other = (db.tl.umap(clusters, random_state=seed, copy=True) for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    assert "X_umap_diffaug" not in clusters.obsm
    assert np.array_equal(first.obsm["X_umap_diffaug"], again.obsm["X_umap_diffaug"])
    assert not np.allclose(first.obsm["X_umap_diffaug"], other.obsm["X_umap_diffaug"])


def test_names_follow_the_embedding_or_the_key(clusters: AnnData, tmp_path: Path) -> None:
    clusters.obsm["X_pca"] = clusters.obsm["X_diffaug"]
    clusters.obsm["latent"] = clusters.obsm["X_diffaug"]
    for use_rep in ("X_pca", "latent"):
        db.tl.umap(clusters, use_rep=use_rep, n_neighbors=5)
    db.tl.umap(clusters, key_added="X_mine", n_neighbors=500, min_dist=0)
    assert {"X_umap_pca", "X_umap_latent", "X_mine"} <= set(clusters.obsm)
    assert {"umap_pca", "umap_latent", "mine"} == set(clusters.uns)
    clusters.write_h5ad(tmp_path / "clusters.h5ad")
    params = anndata.read_h5ad(tmp_path / "clusters.h5ad").uns["umap_latent"]["params"]
    assert params == {
        "use_rep": "latent",
        "n_neighbors": 5,
        "min_dist": 0.3,
        "random_state": 0,
        "n_laid_out": 300,
    }


def test_of_many_rows_a_sample_is_laid_out_and_others_stand_with_their_neighbors(clusters: AnnData) -> None:
    db.tl.umap(clusters, max_obs=150)
    assert clusters.uns["umap_diffaug"]["params"]["n_laid_out"] == 150
    coordinates = clusters.obsm["X_umap_diffaug"]
    assert np.isfinite(coordinates).all()
    whole = db.tl.umap(clusters, max_obs=None, copy=True)
    assert whole is not None
    labels = clusters.obs["label"].to_numpy()

    def share_of_neighbors(points: np.ndarray[Any, Any]) -> float:
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        nearest = np.argsort(distances, axis=1)[:, 1:6]
        return float(np.mean(labels[nearest] == labels[:, None]))

    # Rows between their neighbors are as well among their own as rows that were laid out.
    assert share_of_neighbors(coordinates) > share_of_neighbors(whole.obsm["X_umap_diffaug"]) - 0.05


@pytest.mark.slow
def test_scanpy_finds_neighbors_of_so_many_cells_that_it_takes_an_index() -> None:
    rows = (
        np.random.default_rng(0).normal(size=(9000, 8)).astype(np.float32)
    )  # from 8192 on; an index of pynndescent 0.7 fails
    many = anndata.AnnData(
        obs=pd.DataFrame(index=pd.RangeIndex(9000).astype(str)), obsm={"X_diffaug": rows}
    )
    sc.pp.neighbors(many, use_rep="X_diffaug")
    assert (many.obsp["connectivities"] > 0).sum(1).min() > 0


def test_four_rows_are_enough_and_copies_do_no_harm() -> None:
    rows = np.array([[0, 0], [0, 0], [1, 0], [0, 1]], np.float32)
    few = anndata.AnnData(obs=pd.DataFrame(index=list("abcd")), obsm={"X_diffaug": rows})
    db.tl.umap(few, max_obs=2)  # four are laid out all the same
    assert np.isfinite(few.obsm["X_umap_diffaug"]).all()
    assert few.uns["umap_diffaug"]["params"]["n_laid_out"] == 4


def test_coordinates_of_an_embedding_that_is_made_anew_are_removed(
    counts: AnnData, tiny_config: DiffAugConfig
) -> None:
    db.tl.embed(counts, config=tiny_config, device="cpu")
    db.tl.umap(counts)
    db.tl.umap(counts, key_added="X_kept")
    db.tl.embed(counts, config=tiny_config, random_state=1, device="cpu")
    assert "X_umap_diffaug" not in counts.obsm
    assert "umap_diffaug" not in counts.uns
    assert "X_kept" in counts.obsm


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            {"use_rep": "X_scvi"},
            r"no 'X_scvi' in `\.obsm`; it holds 'X_diffaug'.*tl\.embed\(adata\)` first",
        ),
        ({"n_neighbors": 0}, "`n_neighbors` has to be a whole number"),
        ({"n_neighbors": 1}, "`n_neighbors` has to be at least 2"),
        ({"min_dist": -1.0}, "`min_dist` has to be a distance from 0 to 1, got -1.0"),
        ({"max_obs": 0}, "`max_obs` has to be a whole number"),
        ({"random_state": 1.5}, "`random_state` has to be a whole number"),
    ],
)
def test_what_cannot_be_used_is_refused(clusters: AnnData, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        db.tl.umap(clusters, **choice)


def test_too_few_rows_and_missing_values_are_refused(clusters: AnnData) -> None:
    with pytest.raises(InputError, match="A layout needs at least 4 rows, and there are 3"):
        db.tl.umap(clusters[:3].copy())
    clusters.obsm["X_diffaug"][5, 1] = np.nan
    with pytest.raises(InputError, match=r"`\.obsm\['X_diffaug'\]` holds missing or infinite values"):
        db.tl.umap(clusters)
