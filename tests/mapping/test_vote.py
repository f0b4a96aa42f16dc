"""The vote of neighbors, against a slow loop, and what must not change it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio.mapping import neighbor_vote

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.mapping.vote import VoteMetric

SEEDS = st.integers(0, 2**16)
METRICS: st.SearchStrategy[VoteMetric] = st.sampled_from(["cosine", "euclidean"])


def make(
    seed: int, *, n_query: int = 7, n_reference: int = 30, n_labels: int = 3
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Random rows, far from 0, and labels that depend on them a little."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(n_labels, size=n_reference)
    reference = rng.normal(size=(n_reference, 4)) + codes[:, None] + 5
    query = rng.normal(size=(n_query, 4)) + 6
    return query.astype(np.float32), reference.astype(np.float32), codes


def slow_vote(
    query: NDArray[np.float32],
    reference: NDArray[np.float32],
    codes: NDArray[np.int64],
    n_neighbors: int,
    metric: VoteMetric,
) -> list[tuple[int, float]]:
    found = []
    for row in query.astype(np.float64):
        squares = []
        for other in reference.astype(np.float64):
            a, b = row, other
            if metric == "cosine":
                a, b = row / np.sqrt((row**2).sum()), other / np.sqrt((other**2).sum())
            squares.append(float(((a - b) ** 2).sum()))
        nearest = sorted(range(len(reference)), key=lambda i: squares[i])[:n_neighbors]
        k = len(nearest)
        bandwidth = sum(squares[i] for i in nearest) / k / 2
        votes = dict.fromkeys(sorted(set(codes.tolist())), 0.0)
        for i in nearest:
            votes[int(codes[i])] += math.exp(-squares[i] / bandwidth)
        for label in votes:
            votes[label] *= min(2.0, k / min(codes.tolist().count(label), k))
        winner = max(votes, key=lambda label: votes[label])
        found.append((winner, votes[winner] / sum(votes.values())))
    return found


@given(seed=SEEDS, n_neighbors=st.integers(1, 35), metric=METRICS)
@settings(max_examples=30, deadline=None)
def test_the_vote_is_that_of_a_slow_loop(seed: int, n_neighbors: int, metric: VoteMetric) -> None:
    query, reference, codes = make(seed)
    labels, confidence = neighbor_vote(
        query, reference, codes, n_labels=3, n_neighbors=n_neighbors, metric=metric
    )
    expected = slow_vote(query, reference, codes, n_neighbors, metric)
    assert labels.tolist() == [label for label, _ in expected]
    np.testing.assert_allclose(confidence, [share for _, share in expected], rtol=1e-5)
    assert confidence.dtype == np.float32


@given(seed=SEEDS, n_labels=st.integers(1, 6), n_neighbors=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_confidence_is_a_share_and_that_of_a_winner(seed: int, n_labels: int, n_neighbors: int) -> None:
    query, reference, codes = make(seed, n_labels=n_labels)
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=n_labels, n_neighbors=n_neighbors)
    assert ((confidence >= 1 / n_labels - 1e-6) & (confidence <= 1)).all()
    assert np.isin(labels, codes).all()
    if n_labels == 1 or n_neighbors == 1:
        assert (confidence == 1).all()


@given(seed=SEEDS, scale=st.floats(1e-4, 1e4), shift=st.floats(-10, 10))
@settings(max_examples=30, deadline=None)
def test_scale_and_place_of_the_embedding_do_not_matter(seed: int, scale: float, shift: float) -> None:
    query, reference, codes = make(seed)
    moved = [((rows + shift) * scale).astype(np.float32) for rows in (query, reference)]
    options: dict[str, Any] = {"n_labels": 3, "n_neighbors": 8, "metric": "euclidean"}
    expected = neighbor_vote(query, reference, codes, **options)
    found = neighbor_vote(moved[0], moved[1], codes, **options)
    # Rounding may let votes that are all but equal fall the other way.
    sure = expected[1] > 0.501
    np.testing.assert_array_equal(found[0][sure], expected[0][sure])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3)


@given(seed=SEEDS, exponents=st.integers(0, 2**16))
@settings(max_examples=30, deadline=None)
def test_lengths_of_rows_do_not_matter_to_directions(seed: int, exponents: int) -> None:
    query, reference, codes = make(seed)
    # Powers of two change no bit of a direction.
    drawn = np.random.default_rng(exponents).integers(-8, 8, len(query) + len(reference))
    lengths = (2.0**drawn).astype(np.float32)[:, None]
    expected = neighbor_vote(query, reference, codes, n_labels=3, n_neighbors=8)
    moved = query * lengths[: len(query)], reference * lengths[len(query) :]
    found = neighbor_vote(*moved, codes, n_labels=3, n_neighbors=8)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)


@given(seed=SEEDS, data=st.data(), metric=METRICS)
@settings(max_examples=30, deadline=None)
def test_the_order_of_reference_rows_does_not_matter(
    seed: int, data: st.DataObject, metric: VoteMetric
) -> None:
    query, reference, codes = make(seed)
    order = np.array(data.draw(st.permutations(range(len(codes)))))
    options: dict[str, Any] = {"n_labels": 3, "n_neighbors": 8, "metric": metric}
    expected = neighbor_vote(query, reference, codes, **options)
    found = neighbor_vote(query, reference[order], codes[order], **options)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)


@given(seed=SEEDS, n_neighbors=st.integers(1, 30), metric=METRICS)
@settings(max_examples=30, deadline=None)
def test_a_row_of_the_reference_has_its_label_for_sure(
    seed: int, n_neighbors: int, metric: VoteMetric
) -> None:
    _, reference, codes = make(seed)
    labels, confidence = neighbor_vote(
        reference, reference, codes, n_labels=3, n_neighbors=n_neighbors, metric=metric
    )
    np.testing.assert_array_equal(labels, codes)
    assert (confidence == 1).all()


def test_equal_rows_with_two_labels_share_the_vote() -> None:
    reference = np.array([[1, 0]] * 3 + [[1, 1]] * 4, np.float32)
    codes = np.array([2, 1, 1, 0, 0, 1, 2])
    for metric in ("cosine", "euclidean"):
        options: dict[str, Any] = {"n_labels": 3, "metric": metric}
        labels, confidence = neighbor_vote(reference[:1], reference, codes, n_neighbors=4, **options)
        # Two votes of a label of three rows against one of a label of two, of four neighbors.
        assert labels.tolist() == [1]
        np.testing.assert_allclose(confidence, [(2 / 3) / (2 / 3 + 1 / 2)], rtol=1e-6)


def test_all_rows_may_be_equal() -> None:
    reference = np.zeros((5, 2), np.float32)
    codes = np.array([0, 0, 0, 1, 1])
    for value in (0, 1):  # of length 0, or at another distance that is the same to all
        query = np.full((1, 2), value, np.float32)
        labels, confidence = neighbor_vote(query, reference, codes, n_labels=2, n_neighbors=5)
        # Three votes times five thirds, against two times two, which is the most.
        assert labels[0] == 0
        np.testing.assert_allclose(confidence, 5 / 9, rtol=1e-6)


def test_a_label_of_few_rows_can_win() -> None:
    angles = np.concatenate([np.full(3, 0.1), np.full(40, 0.3)])
    reference = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    codes = np.array([1] * 3 + [0] * 40)
    query = np.array([[1, 0.15]], np.float32)  # between both, nearer to the few
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=2, n_neighbors=30)
    assert labels.tolist() == [1]
    assert confidence[0] > 0.5
    # Where the neighbors are no more than its rows, they have the votes that they cast.
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=2, n_neighbors=3)
    assert (labels[0], confidence[0]) == (1, 1)


def test_a_label_of_nine_rows_wins_against_more_that_are_further_away() -> None:
    squares = np.concatenate([np.full(9, 0.9), np.full(14, 1.064), np.full(50, 9.0)])
    angles = 2 * np.arcsin(np.sqrt(squares) / 10)
    reference = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    codes = np.array([1] * 9 + [0] * 64)
    query = np.array([[1, 0]], np.float32)
    # Unraised, it would be 9 exp(-1.8) against 14 exp(-2.13), which is more.
    assert 9 * math.exp(-2 * 0.9) < 14 * math.exp(-2 * 1.064)
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=2, n_neighbors=23)
    assert labels.tolist() == [1]
    assert 0.5 < confidence[0] < 0.7


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("width", [5, 30])
@given(seed=st.integers(0, 2**16))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_single_rows_with_wrong_labels_do_not_overrule_their_neighbors(
    metric: VoteMetric, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2000, width)) + 3 * np.eye(2, width)[np.arange(2000) % 2]
    reference, query = np.split(rows.astype(np.float32), 2)
    codes = np.arange(1000) % 2
    wrong = rng.choice(1000, 5, replace=False)
    codes[wrong] = 2 + np.arange(5)
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=7, n_neighbors=15, metric=metric)
    assert ((labels >= 2) & (confidence >= 0.5)).sum() < 10


def test_of_equal_votes_the_first_label_wins() -> None:
    reference = np.array([[1, 0], [-1, 0]], np.float32)
    query = np.zeros((1, 2), np.float32)
    for codes in ([0, 1], [1, 0]):
        labels, confidence = neighbor_vote(
            query, reference, np.array(codes), n_labels=2, n_neighbors=2, metric="euclidean"
        )
        assert (labels[0], confidence[0]) == (0, 0.5)


@pytest.mark.parametrize("n_query", [0, 8193])
def test_rows_are_labelled_in_blocks(n_query: int) -> None:
    query, reference, codes = make(0, n_query=n_query)
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=3, n_neighbors=5)
    assert labels.shape == confidence.shape == (n_query,)
    if n_query:
        last = neighbor_vote(query[-1:], reference, codes, n_labels=3, n_neighbors=5)
        assert labels[-1] == last[0][0]
        np.testing.assert_allclose(confidence[-1], last[1][0], rtol=1e-6)
