"""Which rows can be scored."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.errors import InputError
from diffaug_bio.metrics.labels import check_groups, check_labels

LOG = "diffaug_bio.metrics.labels"


def test_rare_and_missing_labels_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    labels = ["a"] * 6 + ["b"] * 5 + ["c"] * 4 + ["d"] + [None, float("nan")]
    with caplog.at_level(logging.INFO, LOG):
        usable = check_labels(np.array(labels, dtype=object), key="kind")
    np.testing.assert_array_equal(usable, [True] * 11 + [False] * 7)
    assert caplog.messages == [
        "2 rows without a label in 'kind' are not scored.",
        "5 rows are not scored: their class in 'kind' has fewer than 5 rows ('c', 'd').",
    ]


def test_nothing_is_logged_on_request_or_without_cause(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOG):
        check_labels(["a", "b"] * 5 + [None, "c"], key="kind", log=False)
        check_labels([0, 1] * 5, key="kind", log=False)
        check_labels(["a", "b"] * 5, key="kind")
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 20, r"'kind' cannot be scored: 1 different ones, of which only one class \('a'\) occurs"),
        (
            ["a"] * 20 + ["b"] * 4,
            r"2 different ones, of which only one class \('a'\) occurs at least 5 times",
        ),
        ([f"id{i}" for i in range(30)], r"30 different ones, of which none occurs at least 5 times"),
        ([None] * 10, r"0 different ones, of which none occurs"),
        ([], r"0 different ones"),
        (list(np.linspace(0.05, 9, 51)), r"look like a measurement, not classes: 51 different numbers"),
        ([0.5, *range(50)] * 5, r"'kind' look like a measurement, not classes: 51 different numbers"),
    ],
    ids=[
        "one label",
        "the other one rare",
        "all different",
        "all missing",
        "no rows",
        "measured",
        "a half",
    ],
)
def test_labels_that_cannot_be_scored_are_an_error(labels: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_labels(labels, key="kind")


@pytest.mark.parametrize(
    ("labels", "n_usable", "level", "message"),
    [
        ([0, 1] * 5, 10, "INFO", "The 2 different numbers in 'kind' are taken as classes."),
        ([0.0, 1.0, np.nan] * 5, 10, "INFO", "The 2 different numbers in 'kind' are taken as classes."),
        (
            [np.float32(0.5), np.float32(1.5)] * 5,
            10,
            "WARNING",
            "look like a measurement, not classes: 2 different",
        ),
        ([*range(20)] * 5, 100, "WARNING", "20 different numbers in 100 rows. Each is scored as a class."),
        ([*range(20)] * 10, 200, "INFO", "The 20 different numbers in 'kind' are taken as classes."),
    ],
    ids=["integers", "whole floats", "fractions", "many", "many with rows enough"],
)
def test_numbers_are_taken_as_classes_and_the_log_says_so(
    labels: list[object], n_usable: int, level: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOG):
        assert check_labels(labels, key="kind").sum() == n_usable
    record = caplog.records[0]
    assert record.levelname == level
    assert message in record.getMessage()


def test_truth_values_are_classes_and_no_numbers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOG):
        assert check_labels([True, False] * 5, key="kind").all()
    assert caplog.messages == []


def test_pandas_missing_labels_are_left_out() -> None:
    labels = pd.array(["a"] * 5 + ["b"] * 5 + [None], dtype="string").to_numpy(dtype=object)
    assert check_labels(labels, key="kind").sum() == 10


def test_classes_of_one_group_are_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    labels = ["a", "b"] * 6 + ["c"] * 5 + [None]
    groups = [1, 1, 2, 2] * 3 + [1] * 5 + [None]
    usable = check_groups(groups, labels, key="donor")
    np.testing.assert_array_equal(usable, [True] * 12 + [False] * 6)
    assert caplog.messages == [
        "5 rows are not scored: their class occurs in one group of 'donor' only ('c')."
    ]


@pytest.mark.parametrize(
    ("groups", "labels", "message"),
    [
        (["x", None] * 5, ["a", "b"] * 5, r"5 labelled rows have no group in 'donor'"),
        (["x", float("nan")] * 5, ["a", "b"] * 5, r"5 labelled rows have no group"),
        (["x"] * 10, ["a", "b"] * 5, r"there are 1, and 0 of 2 classes occur in at least 2"),
        (["x", "y"] * 5, ["a", "b"] * 5, r"there are 2, and 0 of 2 classes occur in at least 2"),
        (["x", "y", "z"] * 4, ["a", "a", "b"] * 4, r"there are 3, and 1 of 2 classes occur"),
        (["x", "y"], ["a"], r"2 groups for 1 labels"),
    ],
    ids=["none", "nan", "one group", "a group a class", "one class left", "lengths"],
)
def test_groups_that_cannot_be_held_out_are_an_error(
    groups: list[object], labels: list[object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_groups(groups, labels, key="donor")
