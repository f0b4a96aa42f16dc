"""`tl.transfer_labels`: labels of a reference for new observations."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import tl
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAug, DiffAugConfig


@pytest.fixture
def reference(counts: AnnData, fitted: DiffAug) -> AnnData:
    """Every second cell, embedded and labelled."""
    adata = counts[::2].copy()
    tl.project(adata, fitted)
    return adata


@pytest.fixture
def query(counts: AnnData, fitted: DiffAug) -> AnnData:
    """The other cells, embedded."""
    adata = counts[1::2].copy()
    tl.project(adata, fitted)
    return adata


def points(values: list[float], labels: Any = None) -> AnnData:
    """Observations on a line, with labels."""
    obs = pd.DataFrame(index=[f"p{number}" for number in range(len(values))])
    if labels is not None:
        obs["kind"] = labels
    return anndata.AnnData(obs=obs, obsm={"X_diffaug": np.array(values, np.float32)[:, None]})


@pytest.mark.parametrize("is_categorical", [False, True])
def test_numbers_and_their_texts_are_one_label(*, is_categorical: bool) -> None:
    labels = pd.Series([1, "1", "b", "b", None], index=[f"p{n}" for n in range(5)], dtype=object)
    reference = points([0.0, 0.1, 5.0, 5.1, 9.0], labels.astype("category") if is_categorical else labels)
    query = points([0.05, 5.05])
    tl.transfer_labels(query, reference, "kind", n_neighbors=2, metric="euclidean")
    found = query.obs["kind_transferred"]
    assert list(found) == ["1", "b"]
    assert list(found.cat.categories) == ["1", "b", "unassigned"]
    np.testing.assert_array_equal(query.obs["kind_transferred_confidence"], [1, 1])


def test_clusters_of_cells_are_found_again(query: AnnData, reference: AnnData) -> None:
    truth = query.obs["cluster"].copy()
    before = reference.copy()
    assert tl.transfer_labels(query, reference, "cluster") is None
    found = query.obs["cluster_transferred"]
    assert (found.astype(str) == truth.astype(str)).mean() > 0.95
    assert list(found.cat.categories) == ["c0", "c1", "c2", "unassigned"]
    confidence = query.obs["cluster_transferred_confidence"]
    assert confidence.dtype == np.float32
    assert confidence.between(0, 1).all()
    pd.testing.assert_series_equal(query.obs["cluster"], truth)
    pd.testing.assert_frame_equal(reference.obs, before.obs)


def test_what_is_written_is_read_back(query: AnnData, reference: AnnData, tmp_path: Path) -> None:
    reference.uns["cluster_colors"] = ["#ff0000", "#00ff00", "#0000ff"]
    tl.transfer_labels(query, reference, "cluster")
    query.write_h5ad(tmp_path / "query.h5ad")
    read = anndata.read_h5ad(tmp_path / "query.h5ad")
    pd.testing.assert_frame_equal(read.obs, query.obs)
    assert list(read.uns["cluster_transferred_colors"]) == ["#ff0000", "#00ff00", "#0000ff", "#bdbdbd"]


def test_copy_leaves_the_query_alone(query: AnnData, reference: AnnData) -> None:
    columns = list(query.obs)
    changed = tl.transfer_labels(query, reference, "cluster", key_added="found", copy=True)
    assert changed is not None
    assert list(query.obs) == columns
    assert list(changed.obs) == [*columns, "found", "found_confidence"]


def test_labels_that_are_there_are_replaced_only_when_named() -> None:
    query = points([0.1], ["mine"])
    query.uns["kind_colors"] = ["#123456"]
    tl.transfer_labels(query, points([0, 1], ["a", "b"]), "kind", key_added="kind", metric="euclidean")
    assert query.obs["kind"].tolist() == ["a"]
    assert "kind_colors" not in query.uns  # which were those of other categories


def test_rows_between_labels_are_unassigned(caplog: pytest.LogCaptureFixture) -> None:
    query, reference = points([0, 1, 2]), points([0, 0.25, 1.75, 2], ["a", "a", "b", "b"])
    options: dict[str, Any] = {"n_neighbors": 4, "metric": "euclidean"}
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.transfer_labels(query, reference, "kind", min_confidence=0.6, **options)
    assert query.obs["kind_transferred"].tolist() == ["a", "unassigned", "b"]
    assert query.obs["kind_transferred_confidence"].tolist() == [1, 0.5, 1]
    assert "1 of 3 rows are unassigned." in caplog.text
    tl.transfer_labels(query, reference, "kind", min_confidence=0, **options)
    assert query.obs["kind_transferred"].tolist() == ["a", "a", "b"]


def test_unassigned_may_be_a_label_of_the_reference(caplog: pytest.LogCaptureFixture) -> None:
    labels = pd.Categorical(["unassigned", "b", "b"], categories=["unassigned", "b", "never"])
    query, reference = points([0, 5]), points([0, 5, 6], list(labels))
    reference.obs["kind"] = labels
    reference.uns["kind_colors"] = ["#000000", "#111111", "#222222"]
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.transfer_labels(query, reference, "kind", n_neighbors=2, metric="euclidean")
    assert query.obs["kind_transferred"].tolist() == ["unassigned", "b"]
    assert list(query.obs["kind_transferred"].cat.categories) == ["unassigned", "b", "never"]
    assert query.uns["kind_transferred_colors"] == ["#000000", "#111111", "#222222"]
    assert "1 of 2 rows are unassigned." in caplog.text


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([1, 1, 2, None], "2.0"), ([True, True, False, None], "False"), (["x", "x", "y", np.nan], "y")],
    ids=["numbers", "booleans", "text"],
)
def test_rows_without_label_take_no_part(
    labels: list[object], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    query, reference = points([10]), points([0, 1, 9, 10], labels)
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.transfer_labels(query, reference, "kind", n_neighbors=3, metric="euclidean")
    assert query.obs["kind_transferred"].tolist() == [expected]
    assert "1 of 4 reference rows have no label and are left out." in caplog.text


def test_few_labelled_rows_all_vote(caplog: pytest.LogCaptureFixture) -> None:
    query = points([0.1])
    tl.transfer_labels(query, points([0, 1], ["a", "b"]), "kind", metric="euclidean")
    assert query.obs["kind_transferred"].tolist() == ["a"]
    np.testing.assert_allclose(
        query.obs["kind_transferred_confidence"], 1 / (1 + np.exp(-1.6 / 0.41)), rtol=1e-5
    )
    assert "only 2 labelled reference rows" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_key": "cell"}, r"label column 'cell' in `.obs` of the reference.*'cluster'"),
        ({"use_rep": "X_pca"}, r"'X_pca' in `.obsm` of the reference.*'X_diffaug'"),
        ({"n_neighbors": 0}, r"`n_neighbors` has to be a whole number of at least 1, got 0"),
        ({"n_neighbors": 1.5}, r"`n_neighbors` has to be a whole number"),
        ({"metric": "manhattan"}, r"`metric` has to be 'cosine' or 'euclidean', got 'manhattan'"),
        ({"min_confidence": 1.1}, r"`min_confidence` has to be a number from 0 to 1, got 1.1"),
        ({"min_confidence": float("nan")}, r"`min_confidence` has to be"),
    ],
)
def test_what_cannot_be_used_is_an_error_and_changes_nothing(
    query: AnnData, reference: AnnData, change: dict[str, Any], message: str
) -> None:
    columns = list(query.obs)
    with pytest.raises(InputError, match=message):
        tl.transfer_labels(query, reference, **{"label_key": "cluster", **change})
    assert list(query.obs) == columns


def test_one_column_has_no_directions() -> None:
    query, reference = points([0.1]), points([0, 1], ["a", "b"])
    with pytest.raises(InputError, match=r"has one column, which has no directions. Pass metric='eucl"):
        tl.transfer_labels(query, reference, "kind")


def test_by_cosine_lengths_do_not_matter(query: AnnData, reference: AnnData) -> None:
    tl.transfer_labels(query, reference, "cluster")
    longer = query.copy()
    longer.obsm["X_diffaug"] = longer.obsm["X_diffaug"] * 4
    tl.transfer_labels(longer, reference, "cluster")
    pd.testing.assert_frame_equal(longer.obs, query.obs)
    tl.transfer_labels(longer, reference, "cluster", metric="euclidean")
    key = "cluster_transferred_confidence"
    assert not np.allclose(longer.obs[key], query.obs[key])


def test_a_query_without_embedding_is_told_how_to_get_one(counts: AnnData, reference: AnnData) -> None:
    with pytest.raises(InputError, match=r"'X_diffaug' in `.obsm` of the query.*nothing.*tl.pro"):
        tl.transfer_labels(counts, reference, "cluster")


def test_missing_values_and_labels_are_errors(query: AnnData, reference: AnnData) -> None:
    reference.obs["empty"] = None
    with pytest.raises(InputError, match=r"No row of the reference has a label in `.obs\['empty'\]`"):
        tl.transfer_labels(query, reference, "empty")
    query.obsm["X_diffaug"][3, 2] = np.nan
    with pytest.raises(InputError, match=r"of the query holds missing or infinite values"):
        tl.transfer_labels(query, reference, "cluster")


def test_embeddings_of_two_models_are_refused(
    query: AnnData, reference: AnnData, tiny_config: DiffAugConfig, caplog: pytest.LogCaptureFixture
) -> None:
    other = tl.fit(reference.copy(), config=tiny_config, random_state=1, device="cpu")
    again = query.copy()
    tl.project(again, other)
    with pytest.raises(InputError, match=r"were made by different models\. Embed both with one model"):
        tl.transfer_labels(again, reference, "cluster")
    again.obsm["X_diffaug"] = again.obsm["X_diffaug"][:, :3]
    with pytest.raises(InputError, match=r"has 3 columns in the query and 6 in the reference"):
        tl.transfer_labels(again, reference, "cluster")
    del query.uns["diffaug"]
    tl.transfer_labels(query, reference, "cluster")
    assert "It cannot be told whether one model embedded both" in caplog.text


def test_a_model_is_known_after_saving(
    counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tl.fit(counts, config=tiny_config, device="cpu")
    model.save(tmp_path / "model")
    counts.write_h5ad(tmp_path / "reference.h5ad")
    query = counts[:10].copy()
    tl.project(query, tmp_path / "model", device="cpu")
    tl.transfer_labels(query, anndata.read_h5ad(tmp_path / "reference.h5ad"), "cluster")
    assert (query.obs["cluster_transferred"].astype(str) == query.obs["cluster"].astype(str)).all()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
