"""Batches of an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.choose.batches import batches_of
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture
def batched(counts: AnnData) -> AnnData:
    """`counts` of three donors in two runs."""
    counts.obs["donor"] = pd.Categorical([f"d{row % 3}" for row in range(120)])
    counts.obs["run"] = [row % 2 for row in range(120)]
    return counts


def test_batches_of_a_column_are_its_values_as_text(batched: AnnData) -> None:
    for key in ("donor", ["donor"], ("donor", "donor")):
        found = batches_of(batched, key)
        assert found.dtype.kind == "U"
        np.testing.assert_array_equal(found, batched.obs["donor"].astype(str))
    np.testing.assert_array_equal(batches_of(batched, "run"), [str(row % 2) for row in range(120)])


def test_each_combination_of_two_columns_is_a_batch(batched: AnnData) -> None:
    expected = [f"d{row % 3} / {row % 2}" for row in range(120)]
    for keys in (["donor", "run"], "donor,run", "donor, run"):
        np.testing.assert_array_equal(batches_of(batched, keys), expected)


def test_a_column_whose_name_has_a_comma_goes_before_two_columns(batched: AnnData) -> None:
    batched.obs["donor,run"] = "one"
    assert set(batches_of(batched, "donor,run")) == {"one"}


def test_rows_without_a_batch_are_counted(batched: AnnData) -> None:
    batched.obs["donor"] = batched.obs["donor"].where(np.arange(120) % 50 != 7)
    message = r"3 rows have no batch in the column 'donor', the first 'cell7'\. Fill it in, or leave these"
    for keys in ("donor", ["run", "donor"]):
        with pytest.raises(InputError, match=message):
            batches_of(batched, keys)


def test_a_column_that_is_not_there_is_an_error(batched: AnnData) -> None:
    message = r"no batch column 'lane' in `\.obs`; it holds 'cluster', 'donor', 'run'"
    for keys in ("lane", ["donor", "lane"], "donor,lane"):
        with pytest.raises(InputError, match=message):
            batches_of(batched, keys)
    with pytest.raises(InputError, match=r"`batch_key` names no column\. Name one or more of `\.obs`: 'cl"):
        batches_of(batched, [])


def test_combinations_that_would_read_alike_are_an_error(batched: AnnData) -> None:
    batched.obs["one"] = ["a / b", "a"] * 60
    batched.obs["two"] = ["c", "b / c"] * 60
    with pytest.raises(InputError, match=r"columns 'one', 'two' read alike once .* ' / ', .* Rename them"):
        batches_of(batched, ["one", "two"])
