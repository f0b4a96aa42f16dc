"""No group ever stands on both sides."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from diffaug_bio import metrics
from diffaug_bio.errors import InputError
from diffaug_bio.metrics.labels import N_FOLDS
from diffaug_bio.metrics.splits import inner_splits

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 7)), min_size=10, max_size=80).filter(
    lambda pairs: (
        len({group for _, group in pairs}) > 1
        and max(Counter(label for label, _ in pairs).values()) >= N_FOLDS
    )
)


@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS, seed=st.integers(0, 5))
def test_groups_stay_together_in_outer_and_inner_folds(pairs: list[tuple[str, int]], seed: int) -> None:
    labels, groups = (np.array(column).astype(str) for column in zip(*pairs, strict=True))
    splits = metrics.make_splits(labels, groups=groups, random_state=seed)
    assert len(splits) == min(N_FOLDS, len(np.unique(groups)))
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in splits])), np.arange(len(labels))
    )
    for train, test in splits:
        assert len(train) > 0
        assert len(test) > 0
        assert not set(groups[train]) & set(groups[test])
        if len(set(groups[train])) > 1 and max(Counter(labels[train].tolist()).values()) > 2:
            for inner_train, inner_test in inner_splits(labels[train], groups[train]):
                assert not set(groups[train][inner_train]) & set(groups[train][inner_test])


def test_without_groups_folds_are_those_of_scikit_learn() -> None:
    labels = np.array(["a", "b", "b"] * 10)
    expected = list(StratifiedKFold(5, shuffle=True, random_state=3).split(labels, labels))
    for (train, test), (expected_train, expected_test) in zip(
        metrics.make_splits(labels, random_state=3), expected, strict=True
    ):
        np.testing.assert_array_equal(train, expected_train)
        np.testing.assert_array_equal(test, expected_test)


def test_another_seed_makes_other_folds() -> None:
    labels, groups = np.array(["a", "b"] * 60), np.arange(120) // 6
    (_, first), (_, same), (_, other) = (
        metrics.make_splits(labels, groups=groups, random_state=seed)[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_one_group_cannot_be_held_out() -> None:
    with pytest.raises(InputError, match="All rows belong to one group"):
        metrics.make_splits(np.array(["a", "b"] * 5), groups=["x"] * 10)


def test_inner_folds_need_few_rows_of_a_class_and_split_a_lone_group_by_rows() -> None:
    labels = np.array(["a"] * 4 + ["b"] * 2 + ["c"])
    for groups in (None, np.array(["x"] * 7)):
        splits = inner_splits(labels, groups)
        assert len(splits) == 3
        assert sorted(np.concatenate([test for _, test in splits])) == list(range(7))
