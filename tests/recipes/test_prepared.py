"""Data come out as the papers' own loaders prepare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler

from tests.recipes.genuine import ACTIVITIES, abs_random, letters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    Load = Callable[[str], AnnData]


def test_cells_of_the_stomach_are_an_eighth_and_rare_types_are_gone(load: Load) -> None:
    adata = load("ga1457")
    assert list(adata.obs["celltype"]) == ["pit"] * 60
    np.testing.assert_allclose(adata.X, abs_random(70, 1457)[:60] / 8, rtol=1e-6)


def test_genes_of_the_mouse_are_those_seen_in_more_than_3000_cells(load: Load) -> None:
    adata = load("mc1374")
    assert list(adata.var_names) == ["0", "3", "4"]  # in 3001, 3200 and 3200 cells of all types
    assert adata.obs["label"].value_counts().to_dict() == {"4": 2000, "7": 1101}
    assert set(np.unique(adata.X)) == {0.0, 1.0}
    assert adata.X.dtype == np.float32


def test_components_of_the_human_landscape_have_a_range_before_small_clusters_go(
    load: Load, tmp_path: Path
) -> None:
    adata = load("hcl500")
    assert adata.obs["louvain"].value_counts().to_dict() == {"0": 520, "1": 500}
    raw = anndata.read_h5ad(tmp_path / "given" / "HCL60kafter-elis-all.h5ad").X
    expected = MinMaxScaler((-1, 1)).fit_transform(PCA(500, svd_solver="full").fit_transform(raw))
    same = np.abs(np.corrcoef(adata.X[:, :20].T, expected[:1020, :20].T)[:20, 20:].diagonal())
    np.testing.assert_allclose(same, 1, atol=1e-2)
    assert -1 <= adata.X.min() < adata.X.max() <= 1


def test_one_range_is_given_to_all_values_of_activities(load: Load) -> None:
    adata = load("sam561")
    assert (adata.X.min(), adata.X.max()) == (0, 1)
    assert (adata.X.min(0) > 0).any()
    assert set(adata.obs["label"]) == set(ACTIVITIES)
    assert sorted(set(adata.obs["group"])) == ["1", "2", "20", "21", "22", "3"]


def test_activities_come_with_their_own_split(load: Load) -> None:
    adata = load("uci_har")
    assert adata.obs["split"].value_counts().to_dict() == {"train": 18, "test": 12}
    assert adata.X.min() == -1
    assert not set(adata.obs["group"][:18]) & set(adata.obs["group"][18:])
    assert list(adata.obs["label"][:2]) == ["WALKING", "WALKING_UPSTAIRS"]


def test_progenitors_have_the_names_and_genes_of_scanpy(load: Load) -> None:
    adata = load("paul15")
    assert list(adata.var_names) == ["Gata1", "Mpo", "Sfpi1"]
    assert list(adata.obs["label"].iloc[[0, 6, 18, 19]]) == ["1Ery", "7MEP", "19Lymph", "1Ery"]
    assert adata.obs["label"].nunique() == 19


def test_splice_junctions_keep_their_letters(load: Load) -> None:
    adata = load("uci_splice")
    assert list(adata.obs["sequence"][:12]) == letters(12, 60)
    assert set(adata.obs["label"]) == {"EI", "IE", "N"}
    assert list(adata.obs_names[:3]) == ["HUM0-DONOR-0", "HUM0-DONOR-0_2", "HUM1-DONOR-1"]


def test_promoters_are_named(load: Load) -> None:
    adata = load("uci_promoters")
    assert list(adata.obs["label"][:2]) == ["promoter", "other"]
    assert set(adata.obs["sequence"].str.len()) == {57}
    assert set("".join(adata.obs["sequence"])) == set("ACGT")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("human_nontata_promoters", {"negative", "positive"}),
        ("demo_human_or_worm", {"human", "worm"}),
        ("human_ensembl_regulatory", {"enhancer", "ocr", "promoter"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sequences_of_genomic_benchmarks_have_class_and_split(
    load: Load, name: str, labels: set[str]
) -> None:
    adata = load(name)
    assert set(adata.obs["label"]) == labels
    counts = adata.obs["split"].value_counts().to_dict()
    assert counts == {"train": 6 * len(labels), "test": 3 * len(labels)}


def test_mice_stand_in_front_of_the_line(load: Load) -> None:
    adata = load("mice_protein")
    assert list(adata.obs_names[:4]) == ["300_1", "300_2", "300_3", "301_1"]
    assert set(adata.obs.columns) == {"Genotype", "Treatment", "Behavior", "class"}
    assert np.isnan(adata.X).sum() == 1


def test_spectra_are_named(load: Load) -> None:
    adata = load("arcene")
    assert list(adata.obs["label"]) == ["cancer", "other", "cancer", "other", "cancer", "other", "cancer"]
    assert list(adata.obs["split"]) == ["train"] * 4 + ["validation"] * 3


def test_hundred_classes_come_with_the_twenty(load: Load) -> None:
    adata = load("cifar100")
    assert list(adata.obs["label"]) == ["apple", "bear", "chair", "chair", "apple"]
    assert list(adata.obs["coarse_label"]) == ["food", "animals", "food", "food", "food"]


def test_images_without_labels_are_there(load: Load) -> None:
    adata = load("stl10")
    assert adata.obs["split"].value_counts().to_dict() == {"train": 5, "unlabeled": 3, "test": 2}
    assert adata.obs["label"].isna().sum() == 3


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_digits_and_clothes_are_labelled_by_number(load: Load, name: str) -> None:
    adata = load(name)
    assert list(adata.obs["label"].iloc[[0, 9, 20]]) == ["0", "9", "0"]
    assert adata.obs["split"].value_counts().to_dict() == {"train": 20, "test": 5}
