"""`tl.project`: which observations a model does not know, and correction towards its training rows."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest

from diffaug_bio import DiffAug, mapping, tl
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

COLUMNS = ["diffaug_distance", "diffaug_denoising", "diffaug_density"]


def test_scores_are_written_and_read_back(counts: AnnData, fitted: DiffAug, tmp_path: Path) -> None:
    tl.project(counts, fitted)
    found = fitted.novelty(counts.X)
    for column, scores in zip(COLUMNS, found[:3], strict=True):
        assert counts.obs[column].dtype == np.float32
        np.testing.assert_array_equal(counts.obs[column], scores)
    counts.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(read.obs["diffaug_density"], counts.obs["diffaug_density"])


def test_columns_are_named_after_the_embedding(counts: AnnData, fitted: DiffAug) -> None:
    tl.project(counts, fitted, key_added="X_new")
    assert list(counts.obs) == ["cluster", "new_distance", "new_denoising", "new_density"]


def test_without_novelty_none_is_written_and_what_was_there_is_removed(
    counts: AnnData, fitted: DiffAug, tiny_config: DiffAugConfig
) -> None:
    plain = tl.project(counts, fitted, novelty=False, copy=True)
    assert plain is not None
    assert list(plain.obs) == ["cluster"]
    tl.project(counts, fitted)
    np.testing.assert_array_equal(counts.obsm["X_diffaug"], plain.obsm["X_diffaug"])
    config = tiny_config.replace(train={"generated_views": "none"})
    tl.project(counts, DiffAug(config, device="cpu").fit(counts.X))
    assert list(counts.obs) == ["cluster", "diffaug_distance", "diffaug_density"]
    tl.project(counts, fitted, novelty=False)
    assert list(counts.obs) == ["cluster"]


def test_an_embedding_of_another_model_is_not_left_with_scores_of_the_old_one(
    counts: AnnData, fitted: DiffAug, tiny_config: DiffAugConfig
) -> None:
    tl.project(counts, fitted)
    tl.project(counts, fitted, key_added="X_other")
    tl.embed(counts, config=tiny_config, device="cpu")
    assert list(counts.obs) == ["cluster", "other_distance", "other_denoising", "other_density"]


def test_embedding_the_training_rows_writes_no_scores(counts: AnnData, tiny_config: DiffAugConfig) -> None:
    tl.embed(counts, config=tiny_config, device="cpu")
    assert list(counts.obs) == ["cluster"]


def test_a_cluster_that_the_training_lacked_is_found(
    counts: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    from sklearn.metrics import roc_auc_score

    unseen = (counts.obs["cluster"] == "c2").to_numpy()
    held_out = np.arange(120) % 2 == 1
    model = DiffAug(tiny_config, device="cpu").fit(counts.X[~unseen & ~held_out])
    query = counts[unseen | held_out].copy()
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.project(query, model)
    truth = query.obs["cluster"] == "c2"
    for column in ("diffaug_distance", "diffaug_denoising"):
        assert roc_auc_score(truth, query.obs[column]) > 0.9
    assert "look unlike the training data" in caplog.text
    # Forty training rows say little of a density.
    assert query.obs["diffaug_density"].isna().all()
    assert "there are 80 and 40" in caplog.text


def older(model: DiffAug) -> DiffAug:
    model.reference_ = None
    return model


def test_an_older_model_embeds_without_scores_which_is_warned_of(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    expected = fitted.transform(counts.X)
    tl.project(counts, older(fitted))
    np.testing.assert_array_equal(counts.obsm["X_diffaug"], expected)
    assert list(counts.obs) == ["cluster"]
    assert "No novelty" in caplog.text
    caplog.clear()
    tl.project(counts, fitted, novelty=False)
    assert not caplog.text


def batch_of(counts: AnnData) -> AnnData:
    """The same cells, of which a protocol caught a third of the genes twenty times as well."""
    batch = counts.copy()
    matrix = batch.X.toarray()
    matrix[:, ::3] *= 20
    batch.X = matrix
    return batch


def test_a_batch_is_corrected_after_it_was_scored(counts: AnnData, fitted: DiffAug) -> None:
    plain, corrected = batch_of(counts), batch_of(counts)
    tl.project(plain, fitted)
    tl.project(corrected, fitted, correct="mnn")
    assert fitted.reference_ is not None
    np.testing.assert_array_equal(
        corrected.obsm["X_diffaug"],
        mapping.mutual_neighbor_shift(plain.obsm["X_diffaug"], fitted.reference_.embedding),
    )
    for column in COLUMNS:
        np.testing.assert_array_equal(corrected.obs[column], plain.obs[column])
    params = [json.loads(adata.uns["diffaug"]["params"])["correct"] for adata in (plain, corrected)]
    assert params == ["none", "mnn"]
    # Clusters come nearer to those of the training, and the query is still one of the same model.
    own, cluster = fitted.transform(counts.X), counts.obs["cluster"].to_numpy()
    moved = [adata.obsm["X_diffaug"] - own for adata in (plain, corrected)]
    apart = [
        np.mean([np.linalg.norm(by[cluster == kind].mean(0)) for kind in ("c0", "c1", "c2")])
        for by in moved
    ]
    assert apart[1] < 0.6 * apart[0]
    tl.project(counts, fitted)
    tl.transfer_labels(corrected, counts, "cluster")
    assert (corrected.obs["cluster_transferred"] == corrected.obs["cluster"].astype(str)).mean() > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"correct": "harmony"}, r"`correct` has to be one of 'none', 'mnn'; got 'harmony'"),
        ({"correct": "mnn"}, r"no training rows to compare with or to correct towards"),
    ],
)
def test_a_correction_that_cannot_be_is_refused_and_changes_nothing(
    counts: AnnData, fitted: DiffAug, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        tl.project(counts, older(fitted), **settings)
    assert not counts.obsm
    assert list(counts.obs) == ["cluster"]
