"""Neighbors kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from diffaug_bio import metrics


def trust_slowly(reference: np.ndarray, embedding: np.ndarray, *, n_neighbors: int) -> float:
    n_rows, penalty = len(reference), 0
    for i in range(n_rows):
        rank = np.argsort(np.argsort(cdist(reference[i : i + 1], reference)[0]))
        nearest = np.argsort(cdist(embedding[i : i + 1], embedding)[0])[1 : n_neighbors + 1]
        penalty += sum(max(0, int(rank[j]) - n_neighbors) for j in nearest)
    return 1 - 2 * penalty / (n_rows * n_neighbors * (2 * n_rows - 3 * n_neighbors - 1))


@pytest.mark.parametrize(("n_rows", "n_neighbors"), [(80, 15), (12, 5)], ids=["many rows", "few rows"])
def test_trust_is_that_of_a_slow_loop(n_rows: int, n_neighbors: int) -> None:
    rows = np.random.default_rng(0).normal(size=(n_rows, 6)).astype(np.float32)
    found = metrics.trustworthiness(rows, rows[:, :2])
    assert found == pytest.approx(trust_slowly(rows, rows[:, :2], n_neighbors=n_neighbors))


def test_a_turned_copy_is_trusted_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2100, 4)).astype(np.float32)  # more than are looked at
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    # Turning in single precision may swap two neighbors at nearly the same distance.
    assert metrics.trustworthiness(rows, (3 * rows @ turn + 1).astype(np.float32)) > 0.9999
    noise = rng.normal(size=(2100, 2)).astype(np.float32)
    assert metrics.trustworthiness(rows, noise) == pytest.approx(0.5, abs=0.02)
    assert metrics.trustworthiness(rows, noise, random_state=1) != metrics.trustworthiness(
        rows, noise, random_state=2
    )
