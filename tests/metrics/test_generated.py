"""Copies, noise, and good generated rows are told apart."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.spatial.distance import cdist, cosine
from scipy.stats import ks_2samp

from diffaug_bio import metrics
from diffaug_bio.errors import InputError
from diffaug_bio.metrics.generated import _label_kept, view_cosines

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    MakeBlobs = Callable[..., tuple[NDArray[np.float32], NDArray[np.str_]]]

NOBODY = np.array([], dtype=np.int64)


def embed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows[:, :3] * 2 + 7


def vote_slowly(rows: np.ndarray, views: np.ndarray, labels: np.ndarray) -> float:
    kept = 0
    for i, distances in enumerate(cdist(views, rows)):
        nearest = [j for j in np.argsort(distances) if j != i][:11]
        votes = Counter(sorted(labels[nearest].tolist()))  # the first in the alphabet wins a tie
        kept += votes.most_common(1)[0][0] == labels[i]
    return kept / len(rows)


def test_copies_of_the_source_are_detected(make_blobs: MakeBlobs) -> None:
    rows, labels = make_blobs(8.0, n_obs=300)
    held_out = np.arange(0, 300, 5)
    scores = metrics.generated_quality(rows, rows.copy(), embed=embed, held_out=held_out, labels=labels)
    assert scores["memorised"] == 1.0
    assert scores["source_distance"] == 0.0
    assert scores["label_kept"] == scores["label_kept_real"] > 0.95
    assert scores["cosine_generated"] == pytest.approx(1.0)
    assert (scores["ks_mean"], scores["ks_max"]) == (0.0, 0.0)
    assert scores["real_or_generated"] == pytest.approx(0.5)


def test_independent_noise_is_detected(make_blobs: MakeBlobs) -> None:
    rows, labels = make_blobs(8.0, n_obs=300)
    noise = 10 * np.random.default_rng(1).normal(size=rows.shape).astype(np.float32)
    scores = metrics.generated_quality(
        rows, noise, embed=embed, held_out=np.arange(60), labels=labels, random_state=1
    )
    assert scores["memorised"] < 0.02
    assert scores["source_distance"] > 5
    assert scores["label_kept"] < 0.55
    assert abs(scores["cosine_generated"]) < 0.15
    assert scores["ks_max"] > 0.25
    assert scores["real_or_generated"] > 0.9


def test_a_second_sample_cannot_be_told_from_the_first_and_shifted_rows_can(make_blobs: MakeBlobs) -> None:
    rows, _ = make_blobs(3.0, n_obs=600)
    second, _ = make_blobs(3.0, n_obs=600, seed=1)
    found = metrics.generated_quality(rows, second, embed=embed, held_out=NOBODY)
    # Standard deviation of the accuracy of a guess on 1200 rows: 0.014.
    assert found["real_or_generated"] == pytest.approx(0.5, abs=0.06)
    assert found["ks_max"] < 0.1
    shifted = metrics.generated_quality(rows, second + 9, embed=embed, held_out=NOBODY)
    assert shifted["real_or_generated"] > 0.98


def test_numbers_are_those_of_slow_loops(make_blobs: MakeBlobs) -> None:
    rows, labels = make_blobs(2.0, n_obs=90)
    rows[3] = rows[0]  # a duplicate of the same class: which of the two is farther decides no vote
    generated = rows + 0.5 * np.random.default_rng(2).normal(size=rows.shape).astype(np.float32)
    held_out = np.arange(60, 90)
    found = metrics.generated_quality(rows, generated, embed=embed, held_out=held_out, labels=labels)

    assert found["label_kept"] == pytest.approx(vote_slowly(rows, generated, labels))
    assert found["label_kept_real"] == pytest.approx(vote_slowly(rows, rows, labels))

    center = embed(rows).mean(0)
    pairs = zip(embed(rows) - center, embed(generated) - center, strict=True)
    cosines = [1 - cosine(first, second) for first, second in pairs]
    assert found["cosine_generated"] == pytest.approx(np.mean(cosines), abs=1e-5)

    ratios = []
    for i in range(90):
        distances = [np.linalg.norm(rows[i] - other) for other in rows]
        nearest = min(distance for distance in distances if distance > 0)
        ratios.append(np.linalg.norm(generated[i] - rows[i]) / nearest)
    assert found["source_distance"] == pytest.approx(np.median(ratios), rel=1e-5)

    statistics = [ks_2samp(rows[:, j], generated[:, j], method="exact").statistic for j in range(5)]
    assert found["ks_mean"] == pytest.approx(np.mean(statistics))
    assert found["ks_max"] == pytest.approx(max(statistics))

    limit = cdist(rows[60:], rows[:60]).min()
    memorised = np.mean(cdist(generated[:60], rows[:60]).min(1) < limit)
    assert found["memorised"] == pytest.approx(memorised)


def test_without_labels_or_held_out_rows_their_scores_are_left_out(make_blobs: MakeBlobs) -> None:
    rows, labels = make_blobs(2.0, n_obs=60)
    bare = metrics.generated_quality(rows, rows + 1, embed=embed, held_out=NOBODY)
    full = metrics.generated_quality(rows, rows + 1, embed=embed, held_out=np.arange(9), labels=labels)
    assert set(full) - set(bare) == {"label_kept", "label_kept_real", "memorised"}
    assert all(type(value) is float and np.isfinite(value) for value in full.values())
    everything = metrics.generated_quality(rows, rows + 1, embed=embed, held_out=np.arange(60))
    assert set(everything) == set(bare)


def test_held_out_copies_of_training_rows_do_not_hide_memorised_ones(make_blobs: MakeBlobs) -> None:
    rows, _ = make_blobs(2.0, n_obs=60)
    rows[59] = rows[0]
    mixed = metrics.generated_quality(rows, rows, embed=embed, held_out=np.arange(50, 60))
    assert mixed["memorised"] == 1.0
    only = metrics.generated_quality(rows, rows, embed=embed, held_out=np.array([59]))
    assert "memorised" not in only


def test_a_row_and_what_was_made_from_it_never_help_each_other() -> None:
    # Only pairs tell: a classifier that has seen the source of a test row could look its answer up.
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 4)).astype(np.float32)
    generated = rows + 1e-4 * rng.normal(size=rows.shape).astype(np.float32)
    found = metrics.generated_quality(rows, generated, embed=embed, held_out=NOBODY)
    assert found["real_or_generated"] == pytest.approx(0.5, abs=0.03)


def test_views_are_what_their_names_say() -> None:
    rows = np.arange(40, dtype=np.float32)[:, None] + np.zeros((40, 10), np.float32)
    seen: list[NDArray[np.float32]] = []

    def remember(view: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(view)
        return view

    scores = view_cosines(rows, rows, remember, rng=np.random.default_rng(0))
    assert scores["cosine_generated"] == pytest.approx(1.0)
    _, _, mixed, swapped = seen
    partners = 2 * mixed - rows
    assert np.isin(partners, rows).all()
    assert (partners[:, 0] != rows[:, 0]).all()
    np.testing.assert_array_equal((swapped != rows).sum(1), 2)  # 20 % of 10 features
    np.testing.assert_array_equal(swapped[swapped != rows], np.repeat(partners[:, 0], 2))
    assert len(np.unique(swapped != rows, axis=0)) > 5  # others in every row


def test_moving_all_rows_and_views_changes_no_vote(make_blobs: MakeBlobs) -> None:
    rows, labels = make_blobs(2.0, n_obs=90)
    views = rows[::-1].copy()
    order = np.random.default_rng(0).permutation(90)
    expected = _label_kept(rows, views, labels)
    assert _label_kept(rows[order], views[order], labels[order]) == pytest.approx(expected)
    assert _label_kept(4 * rows + 1, 4 * views + 1, labels) == pytest.approx(expected)


def test_shapes_that_differ_are_an_error(make_blobs: MakeBlobs) -> None:
    rows, labels = make_blobs(2.0, n_obs=30)
    with pytest.raises(InputError, match=r"has shape \(30, 4\) for rows of shape \(30, 5\)\."):
        metrics.generated_quality(rows, rows[:, :4], embed=embed, held_out=NOBODY)
    with pytest.raises(InputError, match=r"rows of shape \(30, 5\) and 3 labels"):
        metrics.generated_quality(rows, rows, embed=embed, held_out=NOBODY, labels=labels[:3])
