"""Labels and groups of an AnnData."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.choose.labels import choose_groups, choose_labels
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


def test_labels_without_groups(counts: AnnData) -> None:
    labels = choose_labels(counts, "cluster", None)
    np.testing.assert_array_equal(labels.names, counts.obs["cluster"].astype(str))
    assert labels.names.dtype.kind == "U"
    assert labels.scored.all()
    assert labels.groups is None


def test_rows_without_a_label_or_of_a_rare_class_are_not_scored(
    counts: AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    values = counts.obs["cluster"].astype(object).to_numpy()
    values[:3], values[3:7] = None, "rare"
    counts.obs["kind"] = pd.Categorical(values)
    with caplog.at_level("INFO", logger="diffaug_bio"):
        labels = choose_labels(counts, "kind", None)
    np.testing.assert_array_equal(np.flatnonzero(~labels.scored), np.arange(7))
    assert "3 rows without a label in 'kind' are not scored" in caplog.text
    assert "4 rows are not scored: their class in 'kind' has fewer than 5 rows ('rare')" in caplog.text


def test_a_class_of_one_group_is_not_scored(counts: AnnData) -> None:
    donors = np.array([f"d{number % 3}" for number in range(120)], dtype=object)
    donors[80:] = "d9"  # all of cluster c2
    counts.obs["donor"] = donors
    labels = choose_labels(counts, "cluster", "donor")
    np.testing.assert_array_equal(np.flatnonzero(~labels.scored), np.arange(80, 120))
    assert labels.groups is not None
    np.testing.assert_array_equal(labels.groups, donors.astype(str))


def test_a_group_is_needed_only_where_there_is_a_label(counts: AnnData) -> None:
    values, donors = (np.array(["a", "b"] * 60, dtype=object) for _ in range(2))
    donors = np.array([f"d{number % 5}" for number in range(120)], dtype=object)
    values[:3] = donors[:3] = None
    counts.obs["kind"], counts.obs["donor"] = values, donors
    labels = choose_labels(counts, "kind", "donor")
    np.testing.assert_array_equal(np.flatnonzero(~labels.scored), np.arange(3))
    counts.obs["donor"] = pd.Series(donors, index=counts.obs_names).where(np.arange(120) != 50)
    with pytest.raises(InputError, match=r"1 labelled rows have no group in 'donor'"):
        choose_labels(counts, "kind", "donor")


@pytest.mark.parametrize(
    ("separator", "names", "expected"),
    [
        ("_", ["m1_1", "m1_2", "m_2_1"], ["m1", "m1", "m_2"]),
        (":", ["m1:1", "m1:2", "m2:1"], ["m1", "m1", "m2"]),
        ("--", ["a-b--1", "a-b--2", "c--1"], ["a-b", "a-b", "c"]),
        (".", ["m1.1", "m1.2", "m2.1"], ["m1", "m1", "m2"]),
    ],
    ids=["underscore", "colon", "two letters", "point"],
)
def test_names_give_groups_up_to_the_last_separator(
    counts: AnnData, separator: str, names: list[str], expected: list[str]
) -> None:
    adata = counts[:3].copy()
    adata.obs_names = names
    found = choose_groups(adata, f"id:{separator}")
    assert found is not None
    assert list(found) == expected


def test_a_column_comes_before_names(counts: AnnData) -> None:
    counts.obs["id:_"] = np.arange(120) % 7
    found = choose_groups(counts, "id:_")
    assert found is not None
    assert set(found) == set(range(7))


def test_no_group_key_gives_no_groups(counts: AnnData) -> None:
    assert choose_groups(counts, None) is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("kind", None), r"no label column 'kind' in `.obs`; it holds 'cluster'."),
        (("cluster", "donor"), r"no group column 'donor' in `.obs`; it holds 'cluster'"),
        (("cluster", "id:"), r"no group column 'id:' in `.obs`"),
        (("cluster", "id:_"), r"120 names of observations hold no '_', as 'id:_' needs: 'cell0', "),
        (("cluster", "constant"), r"Groups 'constant' cannot be held out: there are 1, and 0 of 3 classes"),
        (("constant", None), r"Labels 'constant' cannot be scored: 1 different ones, of which only one"),
        (
            ("size", "one size"),
            r"Groups 'one size' cannot be held out: there are 1, of which 1 have 2 rows",
        ),
    ],
    ids=["label", "group", "no separator", "names", "one group", "one class", "one group of numbers"],
)
def test_keys_that_cannot_be_used_are_errors(
    counts: AnnData, keys: tuple[str, str | None], message: str
) -> None:
    if "size" in keys:
        counts.obs["size"] = np.linspace(0.5, 1, 120)
    if "constant" in keys:
        counts.obs["constant"] = "same"
    if "one size" in keys:
        counts.obs["one size"] = "same"
    with pytest.raises(InputError, match=re.escape(message)):
        choose_labels(counts, *keys)


@pytest.mark.parametrize("kept", ["numbers", "categories"])
def test_a_number_is_found_in_numbers_and_in_categories_of_a_table(
    counts: AnnData, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    ages = pd.Series(18 + np.arange(120) % 47 * 1.5, index=counts.obs_names).where(np.arange(120) > 3)
    counts.obs["age"] = ages if kept == "numbers" else ages.astype("category")
    counts.obs["donor"] = [f"d{number % 4}" for number in range(120)]
    with caplog.at_level("INFO", logger="diffaug_bio"):
        labels = choose_labels(counts, "age", "donor")
    assert labels.kind == "number"
    np.testing.assert_array_equal(labels.scored, np.arange(120) > 3)
    np.testing.assert_array_equal(labels.values, ages)
    assert "4 rows without a label in 'age' are not scored" in caplog.text
    assert "scored as one number, by R2" in caplog.text
    assert "--label-kind" in caplog.text


def test_the_kind_of_labels_may_be_said(counts: AnnData) -> None:
    counts.obs["stage"] = [str(number % 4) for number in range(120)]
    counts.obs["age"] = np.arange(120) % 24 * 2
    assert choose_labels(counts, "stage", None).kind == "classes"
    found = choose_labels(counts, "stage", None, label_kind="number")
    np.testing.assert_array_equal(found.values, np.arange(120) % 4)
    assert choose_labels(counts, "age", None).kind == "number"
    found = choose_labels(counts, "age", None, label_kind="classes")
    assert (found.kind, len(set(found.values))) == ("classes", 24)
    with pytest.raises(InputError, match=r"'cluster' are no numbers: 120 of 120"):
        choose_labels(counts, "cluster", None, label_kind="number")


def test_nothing_is_changed(counts: AnnData) -> None:
    counts.obs["donor"] = [f"d{number % 4}" for number in range(120)]
    before: Any = counts.obs.copy()
    choose_labels(counts, "cluster", "donor")
    pd.testing.assert_frame_equal(counts.obs, before)
