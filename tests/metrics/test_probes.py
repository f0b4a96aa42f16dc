"""Linear and nearest-neighbor probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score, f1_score

from diffaug_bio import metrics
from diffaug_bio.errors import InputError
from diffaug_bio.metrics._nearest import find_neighbors
from diffaug_bio.metrics.labels import N_FOLDS
from diffaug_bio.metrics.probes import N_NEIGHBORS, _predict_linear, knn_probe_of, standardise
from diffaug_bio.metrics.splits import make_splits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    MakeBlobs = Callable[..., tuple[NDArray[np.float32], NDArray[np.str_]]]
    Probe = Callable[..., metrics.FoldScores]

PROBES = pytest.mark.parametrize(
    "probe", [metrics.linear_probe, metrics.knn_probe], ids=["linear", "neighbors"]
)


def vote_slowly(train: NDArray[np.float32], labels: NDArray[np.str_], row: NDArray[np.float32]) -> str:
    nearest = np.argsort(cdist(row[None], train)[0])[:N_NEIGHBORS]
    names, counts = np.unique(labels[nearest], return_counts=True)
    return str(names[counts.argmax()])


def fit_slowly(
    train: NDArray[np.float64], labels: NDArray[np.str_], test: NDArray[np.float64], *, strength: float
) -> NDArray[np.str_]:
    """Multinomial logistic regression by a general optimiser."""
    names, codes = np.unique(labels, return_inverse=True)
    train, test = ((part - train.mean(0)) / (train - train.mean(0)).std() for part in (train, test))

    def penalised(flat: NDArray[np.float64]) -> float:
        weights = flat.reshape(train.shape[1] + 1, len(names))
        scores = train @ weights[1:] + weights[0]
        loss = (logsumexp(scores, axis=1) - scores[np.arange(len(codes)), codes]).sum()
        return float(strength * loss + 0.5 * (weights[1:] ** 2).sum())

    start = np.zeros((train.shape[1] + 1) * len(names))
    weights = minimize(penalised, start, method="L-BFGS-B").x.reshape(-1, len(names))
    return np.asarray(names[(test @ weights[1:] + weights[0]).argmax(1)])


@PROBES
def test_separable_classes_score_one_and_shuffled_labels_chance(
    probe: Probe, make_blobs: MakeBlobs
) -> None:
    embedding, labels = make_blobs(50.0, n_obs=300)
    np.testing.assert_array_equal(probe(embedding, labels).accuracy, np.ones(N_FOLDS))
    shuffled = probe(embedding, np.random.default_rng(1).permutation(labels))
    # Standard deviation of the accuracy of a guess on 300 rows: 0.027.
    assert 0.23 < shuffled.accuracy.mean() < 0.43
    assert 0.23 < shuffled.balanced_accuracy.mean() < 0.43


def test_neighbor_scores_are_those_of_a_slow_vote(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(2.0)
    labels[:40] = "a"
    splits = metrics.make_splits(labels, random_state=2)
    scores = metrics.knn_probe(embedding, labels, random_state=2)
    for fold, (train, test) in enumerate(splits):
        found = [vote_slowly(embedding[train], labels[train], row) for row in embedding[test]]
        assert scores.accuracy[fold] == pytest.approx(np.mean(found == labels[test]))
        assert scores.macro_f1[fold] == pytest.approx(f1_score(labels[test], found, average="macro"))
        assert scores.balanced_accuracy[fold] == pytest.approx(balanced_accuracy_score(labels[test], found))


def test_linear_predictions_are_those_of_a_general_optimiser_at_one_of_the_strengths(
    make_blobs: MakeBlobs,
) -> None:
    embedding, labels = make_blobs(2.0, n_obs=300)
    train, test = (part.astype(np.float64) for part in (embedding[:200], embedding[200:]))
    found = _predict_linear(train, labels[:200], None, test)
    shares = [
        np.mean(found == fit_slowly(train, labels[:200], test, strength=strength))
        for strength in (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    ]
    assert max(shares) >= 0.99  # solvers stop at different points: a row on the border may fall either way


def test_wide_rows_are_rotated_without_any_effect(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(3.0, n_obs=90, n_vars=200)
    train, test = (part.astype(np.float64) for part in (embedding[:60], embedding[60:]))
    rotated_train, rotated_test = standardise(train, test)
    assert rotated_train.shape == (60, 60)
    centered = (train - train.mean(0)) / (train - train.mean(0)).std()
    centered_test = (test - train.mean(0)) / (train - train.mean(0)).std()
    np.testing.assert_allclose(rotated_train @ rotated_train.T, centered @ centered.T, atol=1e-9)
    np.testing.assert_allclose(rotated_test @ rotated_train.T, centered_test @ centered.T, atol=1e-9)
    found = _predict_linear(train, labels[:60], None, test)
    shares = [
        np.mean(found == fit_slowly(train, labels[:60], test, strength=strength))
        for strength in (1e-3, 1e-1)
    ]
    assert max(shares) >= 0.96  # one row of thirty


def test_wild_test_rows_change_no_prediction_of_others(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(4.0)
    embedding, keep = embedding[labels != "c"], labels[labels != "c"]
    # One class is rare: were the scale learned from wild rows too, it would never be predicted.
    train = np.concatenate([np.flatnonzero(keep == "a")[:40], np.flatnonzero(keep == "b")[:8]])
    test = np.setdiff1d(np.arange(len(keep)), train)
    wild = np.flatnonzero(keep == "a")[-3:]
    moved = embedding.copy()
    moved[wild] += 1e5 * np.array([1, -1, 0, 0, 0], dtype=np.float32)  # away from b: a as before
    for probe in (metrics.linear_probe, metrics.knn_probe):
        before = probe(embedding, keep, splits=[(train, test)])
        after = probe(moved, keep, splits=[(train, test)])
        assert before.balanced_accuracy[0] > 0.9
        np.testing.assert_array_equal(after.accuracy, before.accuracy)
        np.testing.assert_array_equal(after.macro_f1, before.macro_f1)


@PROBES
def test_moving_turning_and_scaling_an_embedding_changes_no_score(
    probe: Probe, make_blobs: MakeBlobs
) -> None:
    embedding, labels = make_blobs(2.5)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))
    moved = 1000 * embedding.astype(np.float64) @ turn + 300
    # One row of 30 on the border of the iterative solver may fall either way.
    np.testing.assert_allclose(probe(moved, labels).accuracy, probe(embedding, labels).accuracy, atol=0.034)
    assert probe(moved, labels).accuracy.mean() == pytest.approx(
        probe(embedding, labels).accuracy.mean(), abs=0.01
    )


def test_the_order_of_rows_changes_no_neighbor_score_of_a_fixed_split(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(2.0)
    order = np.random.default_rng(3).permutation(150)
    place = np.argsort(order)
    splits = metrics.make_splits(labels)
    moved = [(place[train], place[test]) for train, test in splits]
    expected = metrics.knn_probe(embedding, labels, splits=splits)
    found = metrics.knn_probe(embedding[order], labels[order], splits=moved)
    np.testing.assert_array_equal(found.accuracy, expected.accuracy)
    np.testing.assert_array_equal(found.macro_f1, expected.macro_f1)


@PROBES
def test_other_names_for_the_labels_change_no_score(probe: Probe, make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(2.0)
    embedding, labels = embedding[labels != "c"], labels[labels != "c"]
    renamed = np.where(labels == "a", "zebra", "ant")  # in the opposite order
    first, second = probe(embedding, labels), probe(embedding, renamed)
    np.testing.assert_array_equal(first.accuracy, second.accuracy)
    np.testing.assert_allclose(first.macro_f1, second.macro_f1)


@PROBES
def test_a_subject_that_gives_the_label_away_helps_only_without_groups(probe: Probe) -> None:
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(24), 10)
    labels = np.array(["a", "b"])[rng.permutation(np.arange(24) % 2)][subject]
    embedding = (8 * rng.normal(size=(24, 30))[subject] + rng.normal(size=(240, 30))).astype(np.float32)
    assert probe(embedding, labels).accuracy.mean() > 0.9
    assert probe(embedding, labels, groups=subject).accuracy.mean() < 0.8


def test_the_penalty_is_chosen_on_held_out_groups_too() -> None:
    # Subjects are told apart by large noise, so rows of a subject in both inner folds favor no penalty.
    rng = np.random.default_rng(4)
    subject = np.repeat(np.arange(30), 8)
    labels = np.array(["a", "b"])[np.arange(30) % 2]
    signal = np.where(labels == "a", 0.7, -0.7)[:, None] * np.eye(1, 40)
    embedding = signal[subject] + rng.normal(size=(30, 40))[subject] + 0.05 * rng.normal(size=(240, 40))
    train, test = np.arange(160), np.arange(160, 240)
    split = [(train, test)]
    chosen = metrics.linear_probe(
        embedding.astype(np.float32), labels[subject], groups=subject, splits=split
    )
    shuffled = np.arange(240).astype(str)  # every row a group of its own: folds of rows
    careless = metrics.linear_probe(
        embedding.astype(np.float32), labels[subject], groups=shuffled, splits=split
    )
    assert not np.array_equal(chosen.accuracy, careless.accuracy)
    assert chosen.accuracy[0] >= careless.accuracy[0]


@PROBES
def test_a_training_fold_of_one_class_predicts_it(probe: Probe) -> None:
    labels = np.array(["a"] * 6 + ["b"] * 2)
    scores = probe(np.ones((8, 2), np.float32), labels, splits=[(np.arange(4), np.arange(4, 8))])
    assert scores.accuracy == [0.5]
    assert scores.balanced_accuracy == [0.5]
    assert scores.macro_f1 == [pytest.approx((2 * 2 / 6) / 2)]


@PROBES
def test_a_given_split_with_a_group_on_both_sides_is_an_error(probe: Probe, make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(1.0)
    split = (np.arange(100), np.arange(100, 150))
    with pytest.raises(InputError, match=r"groups on both sides: '3'\. Leave `groups` or `splits` out"):
        probe(embedding, labels, groups=np.arange(150) // 30, splits=[split])


def test_a_constant_embedding_predicts_the_most_frequent_class() -> None:
    labels = np.array(["a"] * 20 + ["b"] * 10)
    scores = metrics.linear_probe(np.full((30, 3), 0.1, np.float32), labels)
    assert scores.accuracy.mean() == pytest.approx(2 / 3)


def test_the_same_seed_gives_the_same_folds_and_scores(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(1.0)
    first, same, other = (
        metrics.knn_probe(embedding, labels, random_state=seed).accuracy for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, same)
    assert first.shape == (N_FOLDS,)
    assert not np.array_equal(first, other)


def test_small_last_components_do_not_drown_the_probe(make_blobs: MakeBlobs) -> None:
    embedding, labels = make_blobs(4.0, n_obs=90, n_vars=60)
    components = PCA(40, random_state=0).fit_transform(embedding)
    tail = components * np.where(np.arange(40) < 2, 1.0, 1e-3)
    assert metrics.linear_probe(tail, labels).accuracy.mean() > 0.9


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("searched", [12, 34])
def test_votes_of_known_neighbors_are_those_of_a_search(
    make_blobs: MakeBlobs, *, grouped: bool, searched: int
) -> None:
    embedding, labels = make_blobs(2.5, n_obs=150)
    groups = np.repeat(np.arange(10), 15) if grouped else None
    splits = make_splits(labels, groups=groups, random_state=1)
    expected = metrics.knn_probe(embedding, labels, groups=groups, splits=splits)
    # Of few neighbours, not eleven are training rows: those rows are searched for again.
    known = find_neighbors(embedding, searched)
    found = knn_probe_of(known, embedding, labels, groups=groups, splits=splits)
    assert 0.4 < expected.accuracy.mean() < 1
    for name in ("accuracy", "macro_f1", "balanced_accuracy"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
