"""Counts of which features are missing: the library size of what is left, and models of older versions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from diffaug_bio import DiffAug
from diffaug_bio.errors import CheckpointError
from diffaug_bio.features import normalize
from tests.features.conftest import fit, make_clusters

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def test_what_is_expected_is_the_mean_of_normalised_counts(counts: AnnData) -> None:
    unlogged = np.expm1(normalize(counts.X, "counts", target_sum=1e4).toarray())
    np.testing.assert_allclose(fit(counts.X).expected, unlogged.mean(0), rtol=1e-5)


@pytest.mark.parametrize("kind", ["logged", "continuous"])
def test_only_counts_have_an_expected_library(counts: AnnData, kind: str) -> None:
    matrix = counts.X.log1p() if kind == "logged" else make_clusters()
    assert len(fit(matrix).expected) == 0


@given(missing=st.sets(st.integers(0, 39), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_keep_the_size_that_their_features_have_in_training(
    counts: AnnData, missing: set[int]
) -> None:
    features = fit(counts.X)
    # Rows that are what is expected: without some features, the others are as they were.
    usual = np.round(np.tile(features.expected * 1e3, (3, 1)))
    columns = np.where(np.isin(np.arange(40), list(missing)), -1, np.arange(40))
    whole = features.dense_rows(usual)
    part = features.dense_rows(usual, columns)
    present = columns[features.selected] >= 0
    np.testing.assert_allclose(part[:, present], whole[:, present], atol=1e-3)  # of rounded counts
    np.testing.assert_array_equal(part[:, ~present], 0)


def test_all_features_in_another_order_give_the_same_bits(counts: AnnData) -> None:
    features = fit(counts.X)
    order = np.random.default_rng(0).permutation(40)
    found = features.project(counts.X[:, order], np.argsort(order))
    older = dataclasses.replace(features, expected=np.zeros(0, np.float32))
    np.testing.assert_array_equal(found, older.project(counts.X))


def test_features_that_training_never_saw_alone_are_the_mean(counts: AnnData) -> None:
    matrix = counts.X.toarray()
    matrix[:, 0] = 0
    columns = np.full(40, -1)
    columns[0] = 0
    features = fit(matrix)
    np.testing.assert_array_equal(features.dense_rows(np.ones((2, 1)), columns), 0)


def test_a_model_needs_the_expectation_of_every_feature(fitted: DiffAug, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    weights = tmp_path / "model" / "weights.safetensors"
    arrays = load_file(weights)
    expected = arrays.pop("features.expected")
    assert expected.shape == (40,)
    for held, message in (({}, "missing"), ({"features.expected": expected[:-1]}, r"shape \(39,\)")):
        save_file({**arrays, **held}, weights)
        with pytest.raises(CheckpointError, match=rf"'features\.expected' .*{message}"):
            DiffAug.load(tmp_path / "model")


def test_further_genes_do_not_change_the_library_size(counts: AnnData, fitted: DiffAug) -> None:
    more = np.hstack([counts.X.toarray(), np.full((120, 5), 1000)])
    names = [*counts.var_names, *(f"new{i}" for i in range(5))]
    np.testing.assert_array_equal(
        fitted.transform(more, feature_names=names), fitted.transform(counts.X.toarray())
    )
