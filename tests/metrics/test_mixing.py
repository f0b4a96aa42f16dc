"""Single scores of mixing, beside slow loops and scikit-learn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import f1_score, r2_score, silhouette_samples

from diffaug_bio import metrics
from diffaug_bio.metrics._batch_accuracy import batch_accuracy
from diffaug_bio.metrics._clusters import leiden_grid
from diffaug_bio.metrics._connectivity import graph_connectivity
from diffaug_bio.metrics._diffusion import diffusion_map, fuzzy_graph
from diffaug_bio.metrics._isolated import isolated_f1, isolated_labels
from diffaug_bio.metrics._kbet import kbet
from diffaug_bio.metrics._lisi import lisi
from diffaug_bio.metrics._nearest import find_neighbors
from diffaug_bio.metrics._silhouettes import isolated_silhouette

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_]]


@pytest.fixture(scope="module")
def batched() -> Rows:
    """150 rows of three labels in two batches of unequal size, of which the second is moved."""
    rng = np.random.default_rng(0)
    label = np.arange(150) % 3
    second = rng.random(150) < 0.3
    rows = rng.normal(size=(150, 4)) + 3 * np.eye(3, 4)[label]
    rows[second, 3] += 1
    return rows, np.where(second, "two", "one"), np.array(["a", "b", "c"])[label]


def test_neighbors_are_those_of_a_slow_loop_with_the_row_itself_first(batched: Rows) -> None:
    rows, _, _ = batched
    found = find_neighbors(rows, 20)
    distances = cdist(rows, rows)
    np.testing.assert_array_equal(found.indices, distances.argsort(1)[:, :20])
    np.testing.assert_allclose(found.distances, np.sort(distances, 1)[:, :20], atol=1e-6)
    assert found.first(5).indices.shape == (150, 5)


def test_rows_that_are_equal_are_each_their_own_first_neighbor() -> None:
    found = find_neighbors(np.zeros((6, 2)), 90)
    assert found.indices.shape == (6, 6)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(6))
    assert all(len(set(row)) == 6 for row in found.indices.tolist())


def test_lisi_is_that_of_a_slow_loop(batched: Rows) -> None:
    rows, batches, _ = batched
    neighbors = find_neighbors(rows, 30)
    found = lisi(neighbors, batches)
    for i in range(0, 150, 10):
        near, distances = neighbors.indices[i, 1:], neighbors.distances[i, 1:]

        def shares(beta: float, distances: NDArray[np.float64] = distances) -> NDArray[np.float64]:
            weights = np.exp(-beta * distances)
            return np.asarray(weights / weights.sum())

        def excess(beta: float, shares: object = shares) -> float:
            assert callable(shares)
            return float(-(shares(beta) * np.log(shares(beta))).sum() - np.log(10))

        weights = shares(brentq(excess, 1e-6, 100))
        simpson = sum(weights[batches[near] == batch].sum() ** 2 for batch in ("one", "two"))
        assert found[i] == pytest.approx(1 / simpson, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(-3, 3), st.sampled_from("abc")), min_size=2, max_size=30),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_lisi_is_from_one_to_the_number_of_classes_whatever_the_distances(
    places: list[tuple[int, str]], scale: float
) -> None:
    rows = scale * np.array([[place] for place, _ in places], np.float64)
    classes = np.array([name for _, name in places])
    found = lisi(find_neighbors(rows), classes)
    assert np.isfinite(found).all()
    assert found.min() >= 1 - 1e-9
    assert found.max() <= len(set(classes.tolist())) + 1e-9


def test_connectivity_is_the_largest_share_that_gets_there_and_back() -> None:
    # Of a: 0, 1, 2 are near each other; 3 points at 2, and none points at 3. b is whole.
    rows = np.array([[0.0], [1.0], [2.0], [4.0], [50.0], [51.0], [52.0]])
    labels = np.array(list("aaaabbb"))
    found = graph_connectivity(find_neighbors(rows, 2), labels)
    # With one neighbor each: 0 and 1 point at each other, as do 4 and 5.
    assert found == pytest.approx((2 / 4 + 2 / 3) / 2)
    found = graph_connectivity(find_neighbors(rows, 3), labels)
    assert found == pytest.approx((3 / 4 + 3 / 3) / 2)


def test_silhouettes_are_those_of_scikit_learn(batched: Rows) -> None:
    rows, batches, labels = batched
    by_label = silhouette_samples(rows, labels)
    assert metrics.silhouette_label(rows, labels) == pytest.approx((by_label.mean() + 1) / 2)
    alone = np.where(np.arange(150) == 7, "alone", labels)  # the only one of its class has 0
    assert metrics.silhouette_label(rows, alone) == pytest.approx(
        (silhouette_samples(rows, alone).mean() + 1) / 2
    )
    means = [
        np.mean(1 - np.abs(silhouette_samples(rows[labels == label], batches[labels == label])))
        for label in "abc"
    ]
    assert metrics.silhouette_batch(rows, batches, labels) == pytest.approx(np.mean(means))
    found = isolated_silhouette(rows, labels, np.array(["a", "c"]))
    expected = np.mean([by_label[labels == label].mean() for label in "ac"])
    assert found == pytest.approx((expected + 1) / 2)


def test_silhouettes_of_a_sample_are_close_and_those_of_several_blocks_the_same(
    batched: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, batches, labels = batched
    whole = metrics.silhouette_label(rows, labels), metrics.silhouette_batch(rows, batches, labels)
    monkeypatch.setattr("diffaug_bio.metrics._silhouettes._BLOCK_VALUES", 1000)
    blocks = metrics.silhouette_label(rows, labels), metrics.silhouette_batch(rows, batches, labels)
    assert blocks == pytest.approx(whole, abs=1e-12)
    monkeypatch.setattr("diffaug_bio.metrics._silhouettes._MAX_ROWS", 40)
    sampled = metrics.silhouette_label(rows, labels), metrics.silhouette_batch(rows, batches, labels)
    assert sampled != whole
    assert sampled == pytest.approx(whole, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n_batches=st.integers(2, 4))
def test_regression_of_components_is_that_of_scikit_learn(seed: int, n_batches: int) -> None:
    rng = np.random.default_rng(seed)
    batch = np.concatenate([np.arange(n_batches), rng.integers(0, n_batches, 40)])
    before = rng.normal(size=(len(batch), 5)) + 2 * batch[:, None] * rng.normal(size=5)
    after = before @ rng.normal(size=(5, 3)) + rng.normal(size=(len(batch), 3))

    def explained(rows: NDArray[np.float64]) -> float:
        pca = PCA().fit(rows)
        components, design = pca.transform(rows), np.eye(n_batches)[batch]
        predicted = LinearRegression().fit(design, components).predict(design)
        r2 = r2_score(components, predicted, multioutput="raw_values")
        return float(np.average(r2, weights=pca.explained_variance_))

    expected = (explained(before) - explained(after)) / explained(before)
    names = np.array(["w", "x", "y", "z"])[batch]
    assert metrics.pcr_comparison(before, after, names) == pytest.approx(max(0, expected), abs=1e-9)


def test_where_batches_did_not_differ_before_there_is_nothing_to_take_away() -> None:
    same, batches = np.array([[1.0], [2.0], [1.0], [2.0]]), np.array(["a", "a", "b", "b"])
    apart = np.array([[1.0], [1.0], [2.0], [2.0]])
    assert metrics.pcr_comparison(same, same, batches) == 1.0
    assert metrics.pcr_comparison(same, apart, batches) == 0.0
    assert metrics.pcr_comparison(apart, np.ones((4, 1)), batches) == 1.0


def test_batch_accuracy_is_that_of_a_slow_vote(batched: Rows) -> None:
    rows, batches, labels = batched
    neighbors = find_neighbors(rows, 11)  # ten votes: some are ties
    right = 0.0
    for i, near in enumerate(neighbors.indices[:, 1:]):
        votes = Counter(batches[near].tolist())
        won = [name for name, count in votes.items() if count == max(votes.values())]
        right += (batches[i] in won) / len(won)
    chance = sum(max(Counter(batches[labels == label].tolist()).values()) for label in "abc") / 150
    found = batch_accuracy(neighbors, batches, labels)
    assert found == pytest.approx({"batch_knn_accuracy": right / 150, "batch_chance": chance})


def test_isolated_labels_are_those_of_the_fewest_batches() -> None:
    batches, labels = np.array(list("112123")), np.array(list("xyxzzz"))
    assert isolated_labels(batches, labels).tolist() == ["y"]
    assert isolated_labels(np.array(list("1122")), np.array(list("xyxy"))).tolist() == ["x", "y"]


def test_isolated_f1_is_that_of_the_best_cluster(batched: Rows) -> None:
    rows, _, labels = batched
    grid = leiden_grid(rows.astype(np.float32))
    expected = []
    for label in "ac":
        scores = [
            f1_score(labels == label, clusters == number)
            for clusters in grid
            for number in np.unique(clusters)
        ]
        expected.append(max(scores))
    assert isolated_f1(grid, labels, np.array(["a", "c"])) == pytest.approx(np.mean(expected))


def test_weights_of_the_graph_have_the_sum_that_umap_gives_them(batched: Rows) -> None:
    neighbors = find_neighbors(batched[0], 20)
    graph = fuzzy_graph(neighbors).toarray()
    np.testing.assert_allclose(graph, graph.T)
    assert graph.max() <= 1 + 1e-12
    nearest = graph[np.arange(150), neighbors.indices[:, 1]]
    np.testing.assert_allclose(nearest, 1)  # the nearest has no distance beyond the nearest
    assert (graph > 0).sum() == len(
        {pair for i, near in enumerate(neighbors.indices[:, 1:]) for j in near for pair in ((i, j), (j, i))}
    )


def test_a_map_by_some_eigenvectors_is_that_by_all(batched: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = fuzzy_graph(find_neighbors(batched[0], 20))
    monkeypatch.setattr("diffaug_bio.metrics._diffusion._N_COMPONENTS", 30)
    dense = diffusion_map(graph, random_state=0)
    monkeypatch.setattr("diffaug_bio.metrics._diffusion._DENSE_ROWS", 10)
    np.testing.assert_allclose(
        cdist(diffusion_map(graph, random_state=0), diffusion_map(graph, random_state=3)).diagonal().shape,
        150,
    )
    some = diffusion_map(graph, random_state=0)
    np.testing.assert_allclose(cdist(some, some), cdist(dense, dense), atol=1e-6)


def test_kbet_accepts_draws_as_often_as_its_level_says() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1200, 3))
    batches = np.where(rng.random(1200) < 0.5, "one", "two")
    rate = kbet(find_neighbors(rows, 50), batches, np.full(1200, "a"))
    assert rate == pytest.approx(0.95, abs=0.04)


def test_kbet_leaves_out_labels_that_tell_nothing_and_fails_those_in_small_pieces() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, 2))
    batches, labels = np.array(["one", "two"] * 50), np.repeat(["a", "b"], [90, 10])
    neighbors = find_neighbors(rows, 50)
    assert kbet(neighbors, batches, labels) > 0.5  # b has ten rows
    assert kbet(neighbors, batches, np.full(100, "a")) > 0.8
    assert np.isnan(kbet(neighbors, batches, batches))
    # Five clumps of 20 rows, each of one batch, of which no row is the neighbor of another clump's.
    clump = np.arange(100) // 20
    apart = find_neighbors(rows + 1000 * np.eye(5, 2)[clump] * clump[:, None] + 50 * clump[:, None], 15)
    assert kbet(apart, np.array(list("xyxyx"))[clump], np.full(100, "a")) == 0.0


def test_kbet_of_two_pieces_is_by_the_batches_of_both() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2))
    rows[100:] += 1000
    neighbors = find_neighbors(rows, 20)
    assert sparse.csgraph.connected_components(fuzzy_graph(neighbors))[0] == 2
    batches = np.where(np.arange(200) < 100, "one", "two")
    assert kbet(neighbors, batches, np.full(200, "a")) == 0.0
    mixed = np.array(["one", "two"] * 100)
    assert kbet(neighbors, mixed, np.full(200, "a")) > 0.8
