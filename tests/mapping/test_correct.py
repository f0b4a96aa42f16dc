"""Correction by mutual nearest neighbors: against a dense reference, and what it is for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from diffaug_bio.errors import InputError
from diffaug_bio.mapping import correct, mutual_neighbor_shift
from diffaug_bio.mapping.correct import check_correction, mutual_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEDS = st.integers(0, 2**16)
some = settings(max_examples=15, deadline=None, derandomize=True)


def batches(
    seed: int = 0, *, n_rows: int = 240, n_reference: int = 400
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Three clusters in a plane of ten dimensions; the rows are moved by what is usual between clusters."""
    rng = np.random.default_rng(seed)
    centers = 6 * np.eye(3, 10)
    found: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
    for n, moved in ((n_rows, 1.0), (n_reference, 0.0)):
        cluster = rng.integers(3, size=n)
        rows = centers[cluster] + rng.normal(size=(n, 10)) * 0.7
        rows[:, :2] += moved * np.array([4.0, -3.0])
        found.append((rows.astype(np.float32), cluster))
    return (*found[0], *found[1])


def dense_shift(
    rows: NDArray[np.float32],
    reference: NDArray[np.float32],
    *,
    n_neighbors: int,
    n_smooth: int,
    n_rounds: int,
) -> NDArray[np.float64]:
    """Do the same with tables of all distances, pair by pair."""
    moved, known = rows.astype(np.float64), reference.astype(np.float64)
    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    for _ in range(n_rounds):
        at = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        between = np.linalg.norm(at[:, None] - unit[None], axis=2)
        forth = between.argsort(1).argsort(1) < n_neighbors
        back = between.argsort(0).argsort(0) < n_neighbors
        pairs = np.argwhere(forth & back)
        after = moved.copy()
        for i, row in enumerate(at):
            squares = np.array([((row - at[q]) ** 2).sum() for q, _ in pairs])
            scale = np.sort(squares)[min(n_smooth, len(pairs)) - 1]
            weights = np.exp(-squares / (scale + 1e-9))
            shifts = np.array([known[r] - moved[q] for q, r in pairs])
            after[i] += (weights[:, None] * shifts).sum(0) / weights.sum()
        moved = after
    return moved


@given(seed=SEEDS, n_neighbors=st.integers(1, 30), n_smooth=st.integers(1, 60))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_rows_are_moved_as_by_tables_of_all_distances(seed: int, n_neighbors: int, n_smooth: int) -> None:
    rows, _, reference, _ = batches(seed, n_rows=25, n_reference=35)
    expected = dense_shift(rows, reference, n_neighbors=n_neighbors, n_smooth=n_smooth, n_rounds=2)
    found = mutual_neighbor_shift(rows, reference, n_neighbors=n_neighbors, n_smooth=n_smooth, n_rounds=2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert found.dtype == np.float32


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, reference, _ = batches()
    whole = mutual_neighbor_shift(rows, reference)
    monkeypatch.setattr(correct, "_BLOCK_VALUES", 1000)
    np.testing.assert_allclose(mutual_neighbor_shift(rows, reference), whole, rtol=1e-5, atol=1e-5)


def test_few_of_many_places_correct_about_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, truth, reference, labels = batches(n_rows=1200, n_reference=1000)
    every = mutual_neighbor_shift(rows, reference)
    monkeypatch.setattr(correct, "_MOST_PLACES", 150)
    some_places = mutual_neighbor_shift(rows, reference)
    assert (some_places != every).any()
    np.testing.assert_array_equal(mutual_neighbor_shift(rows, reference), some_places)
    classifier = KNeighborsClassifier(15).fit(reference, labels)
    assert classifier.score(some_places, truth) > classifier.score(every, truth) - 0.01
    moved = np.linalg.norm(every - rows, axis=1).mean()
    assert np.linalg.norm(some_places - every, axis=1).mean() < 0.15 * moved


def test_labels_are_found_again_where_a_batch_hid_them() -> None:
    rows, truth, reference, labels = batches()
    before = (rows.copy(), reference.copy())
    classifier = KNeighborsClassifier(15).fit(reference, labels)
    corrected = mutual_neighbor_shift(rows, reference)
    assert classifier.score(rows, truth) < 0.75
    assert classifier.score(corrected, truth) > 0.9
    np.testing.assert_array_equal(rows, before[0])
    np.testing.assert_array_equal(reference, before[1])


def test_rows_without_a_batch_stay_about_where_they_are() -> None:
    _, _, reference, _ = batches()
    rows, truth, labels = reference[::2], batches()[3][::2], batches()[3][1::2]
    corrected = mutual_neighbor_shift(rows, reference[1::2])
    spread = np.linalg.norm(rows - rows.mean(0), axis=1).mean()
    assert np.linalg.norm(corrected - rows, axis=1).mean() < 0.25 * spread
    assert KNeighborsClassifier(15).fit(reference[1::2], labels).score(corrected, truth) > 0.95


@given(seed=SEEDS, scale=st.floats(1e-2, 1e2))
@some
def test_scale_of_an_embedding_changes_nothing_but_the_scale(seed: int, scale: float) -> None:
    rows, _, reference, _ = batches(seed, n_rows=60, n_reference=80)
    scaled = mutual_neighbor_shift(rows * np.float32(scale), reference * np.float32(scale))
    expected = mutual_neighbor_shift(rows, reference)
    np.testing.assert_allclose(scaled / scale, expected, rtol=1e-3, atol=1e-3)


@given(seed=SEEDS)
@some
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    rows, _, reference, _ = batches(seed, n_rows=60, n_reference=80)
    rng = np.random.default_rng(seed)
    order, other = rng.permutation(60), rng.permutation(80)
    expected = mutual_neighbor_shift(rows, reference)
    found = mutual_neighbor_shift(rows[order], reference[other])
    np.testing.assert_allclose(found, expected[order], rtol=1e-4, atol=1e-4)


def test_pairs_are_among_each_others_nearest() -> None:
    rows, reference = np.array([[0.0], [1.0], [9.0]]), np.array([[0.1], [5.0], [8.0]])
    found = mutual_pairs(rows, reference, n_neighbors=1)
    assert list(zip(*(part.tolist() for part in found), strict=True)) == [(0, 0), (2, 2)]
    assert len(mutual_pairs(rows, reference, n_neighbors=5)[0]) == 9


def test_without_pairs_nothing_is_moved_which_is_said(caplog: pytest.LogCaptureFixture) -> None:
    rows = np.ones((3, 2), np.float32)
    none = np.zeros(0, np.int64)
    correct._move(rows, rows, rows, (none, none), n_smooth=3)
    np.testing.assert_array_equal(rows, 1)
    assert "nothing is corrected" in caplog.text


def test_zeros_and_duplicates_are_moved_to_finite_places() -> None:
    rows, _, reference, _ = batches(n_rows=60, n_reference=60)
    rows[:30], reference[:30] = rows[0], reference[0]
    rows[30:35], reference[30:35] = 0, 0
    assert np.isfinite(mutual_neighbor_shift(rows, reference)).all()


def test_few_rows_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    rows, _, reference, _ = batches(n_rows=50)
    mutual_neighbor_shift(rows, reference)
    assert not caplog.records
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        assert mutual_neighbor_shift(rows[:1], reference).shape == (1, 10)
    assert "Only 1 rows are corrected" in caplog.text


@pytest.mark.parametrize(("n_rows", "n_reference", "width"), [(0, 5, 3), (5, 0, 3), (5, 5, 2)])
def test_what_cannot_be_brought_together_is_refused(n_rows: int, n_reference: int, width: int) -> None:
    rows, reference = np.ones((n_rows, 3), np.float32), np.ones((n_reference, width), np.float32)
    with pytest.raises(InputError, match=r"cannot be moved towards a reference of shape"):
        mutual_neighbor_shift(rows, reference)


def test_an_unknown_correction_names_the_known_ones() -> None:
    check_correction("mnn")
    with pytest.raises(InputError, match=r"one of 'none', 'mnn'; got 'combat'"):
        check_correction("combat")
