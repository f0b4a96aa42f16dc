"""Which rows can be scored."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.errors import InputError
from diffaug_bio.metrics.labels import (
    as_numbers,
    check_groups,
    check_labels,
    check_number_groups,
    check_numbers,
    decide_label_kind,
)

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
        check_labels([0, 1] * 5, key="kind")
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
    ],
    ids=["one label", "the other one rare", "all different", "all missing", "no rows"],
)
def test_labels_that_cannot_be_scored_are_an_error(labels: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_labels(labels, key="kind")


AGES = [18, 19, 20, 21, 22, 23, 25, 26, 28, 30, 31, 33, 40, 41, 43, 50, 56, 58, 61, 66, 70, 79]  # 22 ages


@pytest.mark.parametrize(
    ("labels", "kind", "level", "words"),
    [
        ([0, 1] * 5, "classes", "INFO", ["2 different numbers in 'kind' are taken as classes"]),
        ([0.0, 1.0, np.nan] * 5, "classes", "INFO", ["2 different numbers in 'kind'"]),
        (
            [np.float32(0.5), np.float32(1.5)] * 5,
            "classes",
            "WARNING",
            ["look like a measurement", "2 different numbers, from 0.5 to 1.5, in 10 rows"],
        ),
        ([*range(20)] * 5, "classes", "WARNING", ["look like a measurement", "Each is scored as a class"]),
        ([*range(20)] * 10, "classes", "INFO", ["20 different numbers in 'kind' are taken as classes"]),
        ([*range(1, 101)] * 20, "classes", "INFO", ["100 different numbers"]),
        (AGES * 3, "number", "INFO", ["22 different numbers, from 18 to 79", "by R2", "to classes"]),
        ([*AGES, np.nan, None] * 3, "number", "INFO", ["22 different numbers"]),
        (AGES * 30, "number", "WARNING", ["If each is the code of a class"]),
        (list(np.linspace(0.05, 9, 11)), "number", "INFO", ["11 different numbers, from 0.05 to 9"]),
        ([str(age) for age in AGES] * 3, "classes", "WARNING", ["text that holds 22", "to number"]),
    ],
    ids=[
        "integers",
        "whole floats",
        "doses",
        "many",
        "many with rows enough",
        "codes from 1",
        "ages",
        "ages and missing ones",
        "ages of many rows",
        "fractions",
        "ages as text",
    ],
)
def test_numbers_are_classes_or_a_number_and_the_log_says_which(
    labels: list[object], kind: str, level: str, words: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOG):
        assert decide_label_kind(labels, key="kind") == kind
    [record] = caplog.records
    assert record.levelname == level
    for word in [*words, "--label-kind"]:
        assert word in record.getMessage()


@pytest.mark.parametrize(
    "labels",
    [[True, False] * 5, ["a", "b"] * 5, [str(code) for code in range(30)] * 5, [], [None] * 3],
    ids=["truth", "text", "names of clusters", "no rows", "all missing"],
)
def test_what_is_clear_is_decided_without_a_word(
    labels: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, LOG):
        assert decide_label_kind(labels, key="kind") == "classes"
        assert decide_label_kind(AGES, key="kind", label_kind="classes") == "classes"
        assert decide_label_kind(labels, key="kind", label_kind="number") == "number"
    assert caplog.messages == []


def test_numbers_may_be_text_and_missing_but_not_words() -> None:
    np.testing.assert_array_equal(
        as_numbers(["18", 19.5, None, np.nan], key="age"), [18, 19.5, *[np.nan] * 2]
    )
    with pytest.raises(InputError, match=r"'age' are no numbers: 2 of 3 are others, such as '80\+', 'old'"):
        as_numbers(["old", 30, "80+"], key="age")
    with pytest.raises(InputError, match="1 of 2 are others, such as 'inf'"):
        as_numbers([float("inf"), 30], key="age")


def test_rows_with_a_number_are_scored(caplog: pytest.LogCaptureFixture) -> None:
    numbers = np.array([*range(10), np.nan])
    with caplog.at_level(logging.INFO, LOG):
        np.testing.assert_array_equal(check_numbers(numbers, key="age"), [True] * 10 + [False])
    assert caplog.messages == ["1 rows without a label in 'age' are not scored."]
    split = np.array(["train"] * 3 + ["test"] * 2 + ["other"] * 6)
    assert check_numbers(numbers, key="age", split=split).sum() == 5


@pytest.mark.parametrize(
    ("numbers", "split", "message"),
    [
        ([1.0, 2.0] * 4, None, "8 rows have one, with 2 different values; at least 10 rows and 2 values"),
        ([7.0] * 20, None, "20 rows have one, with 1 different values"),
        ([1.0, 2.0, 3.0], ["train", "train", "test"], "at least 2 rows among training rows and among test"),
    ],
    ids=["few", "one value", "one test row"],
)
def test_numbers_that_cannot_be_scored_are_an_error(
    numbers: list[float], split: list[str] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_numbers(np.array(numbers), key="age", split=None if split is None else np.array(split))


def test_groups_of_numbers_need_two_rows_each() -> None:
    known = np.array([True] * 5 + [False])
    check_number_groups(["a", "a", "b", "b", "c", None], known, key="donor")
    with pytest.raises(InputError, match="there are 2, of which 1 have 2 rows with a number"):
        check_number_groups(["a", "a", "a", "a", "b", "b"], known, key="donor")
    with pytest.raises(InputError, match="1 labelled rows have no group in 'donor'"):
        check_number_groups(["a", None, "b", "b", "c", "c"], known, key="donor")


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
