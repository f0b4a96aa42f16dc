"""Clusters against labels."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import igraph
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import comb
from scipy.stats import entropy
from sklearn.metrics import silhouette_score

from diffaug_bio import metrics
from diffaug_bio.metrics._clusters import RESOLUTIONS, _agreement, _leiden, _neighbor_graph, _seeded_igraph

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    MakeBlobs = Callable[..., tuple[NDArray[np.float32], NDArray[np.str_]]]


def test_agreement_is_that_of_the_table_of_labels_and_clusters() -> None:
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 3, 60), rng.integers(0, 4, 60)
    table = np.array([[np.sum((labels == i) & (clusters == j)) for j in range(4)] for i in range(3)])
    sides = entropy(table.sum(1)), entropy(table.sum(0))
    nmi = (sum(sides) - entropy(table.ravel())) / np.mean(sides)
    together, rows, columns = (comb(counts, 2).sum() for counts in (table, table.sum(1), table.sum(0)))
    expected = rows * columns / comb(60, 2)
    ari = (together - expected) / ((rows + columns) / 2 - expected)
    assert _agreement(labels.astype(str), clusters) == pytest.approx((nmi, ari))


def test_edges_and_weights_are_those_of_a_slow_loop(make_blobs: MakeBlobs) -> None:
    embedding, _ = make_blobs(2.0, n_obs=60)
    near = [set(np.argsort(row)[1:16]) for row in cdist(embedding, embedding)]
    expected = {
        (i, j): len(near[i] & near[j]) / len(near[i] | near[j])
        for i in range(60)
        for j in range(i + 1, 60)
        if j in near[i] or i in near[j]
    }
    edges, weights = _neighbor_graph(embedding)
    found = {(int(i), int(j)): weight for (i, j), weight in zip(edges, weights, strict=True)}
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected)


def test_edges_in_several_blocks_weigh_the_same(
    make_blobs: MakeBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding, _ = make_blobs(2.0, n_obs=60)
    _, whole = _neighbor_graph(embedding)
    monkeypatch.setattr("diffaug_bio.metrics._clusters._EDGE_BLOCK", 7)
    np.testing.assert_array_equal(_neighbor_graph(embedding)[1], whole)


def test_distant_blobs_are_found_and_random_labels_are_not(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(30.0)
    scores = {**metrics.kmeans_agreement(embedding, labels), **metrics.leiden_agreement(embedding, labels)}
    assert scores.pop("leiden_n_clusters") == 3
    assert scores.pop("leiden_resolution") in RESOLUTIONS
    assert scores == pytest.approx(dict.fromkeys(scores, 1.0))
    shuffled = np.random.default_rng(1).permutation(labels)
    assert abs(metrics.kmeans_agreement(embedding, shuffled)["kmeans_ari"]) < 0.1
    assert abs(metrics.leiden_agreement(embedding, shuffled)["leiden_ari"]) < 0.1


def test_the_resolution_is_that_of_the_best_silhouette_and_labels_have_no_say(
    make_blobs: MakeBlobs,
) -> None:
    embedding, labels = make_blobs(5.0)
    edges, weights = _neighbor_graph(embedding)
    quality = {}
    with _seeded_igraph(0) as igraph:
        graph = igraph.Graph(n=150, edges=edges)
        for resolution in RESOLUTIONS:
            clusters = _leiden(graph, weights, resolution=resolution)
            if len(set(clusters.tolist())) > 1:
                quality[resolution] = silhouette_score(embedding, clusters)
    scores = metrics.leiden_agreement(embedding, labels)
    assert quality[scores["leiden_resolution"]] == pytest.approx(max(quality.values()))
    other = metrics.leiden_agreement(embedding, np.random.default_rng(1).permutation(labels))
    assert other["leiden_resolution"] == scores["leiden_resolution"]
    assert scores["best_of_grid_nmi"] >= scores["leiden_nmi"]
    assert scores["best_of_grid_ari"] >= scores["leiden_ari"]


def test_where_nothing_can_be_chosen_the_resolution_is_one() -> None:
    embedding = np.array([[0.0], [0.1], [0.2]], np.float32)  # one cluster, or three of one row
    scores = metrics.leiden_agreement(embedding, np.array(["a", "a", "b"]))
    assert scores["leiden_resolution"] == 1.0


def test_moving_turning_and_scaling_an_embedding_changes_no_cluster(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(6.0)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))
    moved = (10 * embedding.astype(np.float64) @ turn + 3).astype(np.float32)
    for score in (metrics.kmeans_agreement, metrics.leiden_agreement):
        assert score(moved, labels) == pytest.approx(score(embedding, labels))
    assert metrics.label_silhouette(moved, labels) == pytest.approx(
        metrics.label_silhouette(embedding, labels), abs=1e-4
    )


def test_other_names_for_the_labels_change_no_agreement(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(3.0)
    renamed = np.array(["z", "y", "x"])[np.searchsorted(["a", "b", "c"], labels)]
    for score in (metrics.kmeans_agreement, metrics.leiden_agreement):
        assert score(embedding, renamed) == pytest.approx(score(embedding, labels))


def test_leiden_draws_from_its_seed_only_and_leaves_igraph_as_it_was(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(0.0)
    random.seed(1)
    state = random.getstate()
    first = metrics.leiden_agreement(embedding, labels, random_state=5)
    assert random.getstate() == state
    random.seed(2)
    assert metrics.leiden_agreement(embedding, labels, random_state=5) == first
    random.seed(3)
    before = igraph.Graph.Erdos_Renyi(20, 0.5).get_edgelist()
    random.seed(3)
    assert igraph.Graph.Erdos_Renyi(20, 0.5).get_edgelist() == before  # `random` is its source again


def test_silhouette_is_that_of_a_slow_loop(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(3.0, n_obs=45)
    distances, values = cdist(embedding, embedding), []
    for i, label in enumerate(labels):
        same = (labels == label) & (np.arange(45) != i)
        inside = distances[i, same].mean()
        outside = min(distances[i, labels == other].mean() for other in set(labels) - {label})
        values.append((outside - inside) / max(inside, outside))
    assert metrics.label_silhouette(embedding, labels) == pytest.approx(np.mean(values), abs=1e-5)


def test_silhouette_of_many_rows_is_close_to_that_of_a_sample(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(3.0, n_obs=5400)
    sampled = metrics.label_silhouette(embedding, labels, random_state=1)
    assert sampled == pytest.approx(silhouette_score(embedding, labels), abs=0.01)
    assert sampled != metrics.label_silhouette(embedding, labels, random_state=2)


def test_silhouette_of_one_class_is_zero() -> None:
    assert metrics.label_silhouette(np.eye(5, dtype=np.float32), np.array(["a"] * 5)) == 0.0
