"""The vote of neighbors, against a slow loop, and what must not change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio.metrics import neighbor_vote

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEDS = st.integers(0, 2**16)


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
    query: NDArray[np.float32], reference: NDArray[np.float32], codes: NDArray[np.int64], n_neighbors: int
) -> list[tuple[int, float]]:
    found = []
    for row in query.astype(np.float64):
        distances = [float(np.sqrt(((row - other) ** 2).sum())) for other in reference.astype(np.float64)]
        nearest = sorted(range(len(reference)), key=lambda i: distances[i])[:n_neighbors]
        votes = dict.fromkeys(sorted(set(codes.tolist())), 0.0)
        for i in nearest:
            votes[int(codes[i])] += 1 / distances[i]
        winner = max(votes, key=lambda label: votes[label])
        found.append((winner, votes[winner] / sum(votes.values())))
    return found


@given(seed=SEEDS, n_neighbors=st.integers(1, 35))
@settings(max_examples=30, deadline=None)
def test_the_vote_is_that_of_a_slow_loop(seed: int, n_neighbors: int) -> None:
    query, reference, codes = make(seed)
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=3, n_neighbors=n_neighbors)
    expected = slow_vote(query, reference, codes, n_neighbors)
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
    expected = neighbor_vote(query, reference, codes, n_labels=3, n_neighbors=8)
    found = neighbor_vote(moved[0], moved[1], codes, n_labels=3, n_neighbors=8)
    # Rounding may let votes that are all but equal fall the other way.
    sure = expected[1] > 0.501
    np.testing.assert_array_equal(found[0][sure], expected[0][sure])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-3)


@given(seed=SEEDS, data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_order_of_reference_rows_does_not_matter(seed: int, data: st.DataObject) -> None:
    query, reference, codes = make(seed)
    order = np.array(data.draw(st.permutations(range(len(codes)))))
    expected = neighbor_vote(query, reference, codes, n_labels=3, n_neighbors=8)
    found = neighbor_vote(query, reference[order], codes[order], n_labels=3, n_neighbors=8)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)


@given(seed=SEEDS, n_neighbors=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_a_row_of_the_reference_has_its_label_for_sure(seed: int, n_neighbors: int) -> None:
    _, reference, codes = make(seed)
    labels, confidence = neighbor_vote(reference, reference, codes, n_labels=3, n_neighbors=n_neighbors)
    np.testing.assert_array_equal(labels, codes)
    assert (confidence == 1).all()


def test_equal_rows_with_two_labels_share_the_vote() -> None:
    reference = np.array([[0, 0], [0, 0], [0, 0], [1, 1]], np.float32)
    labels, confidence = neighbor_vote(
        reference[:1], reference, np.array([2, 1, 1, 0]), n_labels=3, n_neighbors=4
    )
    assert labels.tolist() == [1]
    np.testing.assert_allclose(confidence, [2 / 3], rtol=1e-6)


def test_of_equal_votes_the_first_label_wins() -> None:
    reference = np.array([[1, 0], [-1, 0]], np.float32)
    query = np.zeros((1, 2), np.float32)
    for codes in ([0, 1], [1, 0]):
        labels, confidence = neighbor_vote(query, reference, np.array(codes), n_labels=2, n_neighbors=2)
        assert (labels[0], confidence[0]) == (0, 0.5)


@pytest.mark.parametrize("n_query", [0, 1025])
def test_rows_are_labelled_in_blocks(n_query: int) -> None:
    query, reference, codes = make(0, n_query=n_query)
    labels, confidence = neighbor_vote(query, reference, codes, n_labels=3, n_neighbors=5)
    assert labels.shape == confidence.shape == (n_query,)
    if n_query:
        last = neighbor_vote(query[-1:], reference, codes, n_labels=3, n_neighbors=5)
        assert labels[-1] == last[0][0]
        np.testing.assert_allclose(confidence[-1], last[1][0], rtol=1e-6)
