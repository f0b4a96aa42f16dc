"""Features of new data: matched by name, missing, of another kind; and neighbors by features."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.errors import InputError
from diffaug_bio.features import align_features, nearest_rows

if TYPE_CHECKING:
    from anndata import AnnData


QUICK = DiffAugConfig().replace(
    train={"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": 1}
)
X = np.random.default_rng(0).poisson(2, (60, 20)).astype(np.float32)
NAMES = [f"g{i}" for i in range(20)]


def names_of(adata: AnnData) -> list[str]:
    return [str(name) for name in adata.var_names]


@given(order=st.permutations(range(40)), dense=st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_features_are_matched_by_name(
    counts: AnnData,
    fitted: DiffAug,
    order: list[int],
    dense: bool,  # noqa: FBT001
) -> None:
    matrix = counts.X.toarray() if dense else counts.X
    names = [names_of(counts)[column] for column in order]
    found = fitted.transform(matrix[:, order], feature_names=names)
    np.testing.assert_array_equal(found, fitted.transform(counts.X))


def test_further_features_are_ignored(counts: AnnData, fitted: DiffAug) -> None:
    wider = sparse.hstack([counts.X[:, :1] * 7, counts.X]).tocsr()
    found = fitted.transform(wider, feature_names=["new", *names_of(counts)])
    np.testing.assert_array_equal(found, fitted.transform(counts.X))


def test_half_of_the_features_missing_is_warned_of(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        embedding = fitted.transform(counts.X[:, :20], feature_names=names_of(counts)[:20])
    assert np.isfinite(embedding).all()
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings[0] == "20 of the 40 features that the model uses are in the data."
    assert "Missing ones are estimated from the others: 'gene20'" in warnings[1]


def test_a_tenth_of_the_features_missing_is_only_told(
    counts: AnnData, fitted: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        fitted.transform(counts.X[:, :36], feature_names=names_of(counts)[:36])
    assert "36 of the 40 features that the model uses" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_too_few_features_are_an_error(counts: AnnData, fitted: DiffAug) -> None:
    names = [f"ENSG{i}" for i in range(36)] + names_of(counts)[:4]
    with pytest.raises(InputError, match=r"Only 4 of the 40 features .*'gene0'.*'ENSG0'"):
        fitted.transform(counts.X, feature_names=names)


def test_another_number_of_features_is_an_error(counts: AnnData, fitted: DiffAug) -> None:
    with pytest.raises(InputError, match=r"X has 39 features, but DiffAug is expecting 40 features"):
        fitted.transform(counts.X[:, :39])


def test_infinite_values_in_new_data_are_named(counts: AnnData, fitted: DiffAug) -> None:
    dense = counts.X.toarray()
    dense[5, 6] = np.inf
    with pytest.raises(InputError, match=r"row 5, feature 'gene6'"):
        fitted.transform(dense, feature_names=names_of(counts))


def test_missing_measurements_in_new_data_are_replaced_by_medians(tiny_config: DiffAugConfig) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(5, 2, (50, 12))
    model = DiffAug(tiny_config, device="cpu").fit(matrix)
    holed, filled = matrix.copy(), matrix.copy()
    holed[3, 4] = np.nan
    filled[3, 4] = np.median(matrix[:, 4])
    np.testing.assert_allclose(model.transform(holed), model.transform(filled), atol=1e-5)


@given(
    names=st.lists(st.text(max_size=3), min_size=1, max_size=8, unique=True),
    data=st.data(),
)
@settings(max_examples=50, deadline=None)
def test_aligned_columns_hold_the_feature_they_stand_for(names: list[str], data: st.DataObject) -> None:
    training = data.draw(st.permutations(names))
    columns = align_features(names, training)
    assert [names[column] for column in columns] == list(training)


def test_names_of_another_number_are_an_error_in_fit() -> None:
    with pytest.raises(InputError, match="names"):
        DiffAug(QUICK, device="cpu").fit(X, feature_names=["a", "b"])


def test_repeated_names_are_an_error_in_fit() -> None:
    with pytest.raises(InputError, match="more than once"):
        DiffAug(QUICK, device="cpu").fit(X, feature_names=["g"] * 20)


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]], ids=["same", "reversed"])
def test_names_of_another_number_are_an_error_in_transform(n: int, names: list[str]) -> None:
    model = DiffAug(QUICK, device="cpu").fit(X, feature_names=NAMES)
    with pytest.raises(InputError, match="names"):
        model.transform(np.hstack([X, X])[:, :n], feature_names=names)


@pytest.mark.parametrize("value", [np.nan, -5.0])
def test_values_that_expression_cannot_hold_are_an_error_in_transform(value: float) -> None:
    model = DiffAug(QUICK, device="cpu").fit(X)
    new = X.copy()
    new[0, 0] = value
    with pytest.raises(InputError, match=r"negative|missing"):
        model.transform(new)


def test_names_of_a_data_frame_are_known_and_matched() -> None:
    frame = pd.DataFrame(X, columns=NAMES)
    model = DiffAug(QUICK, device="cpu").fit(frame)
    assert list(model.feature_names_in_) == NAMES
    np.testing.assert_array_equal(model.transform(frame), model.transform(frame[NAMES[::-1]]))
    assert list(model.get_feature_names_out())[:2] == ["diffaug_1", "diffaug_2"]


def test_another_kind_of_matrix_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    model = DiffAug(QUICK, device="cpu").fit(X)
    model.transform(np.log1p(X))
    assert "look like log-normalised values, but the model was fitted on counts." in caplog.text


def test_neighbors_of_many_rows_leave_out_the_row_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffaug_bio.features._neighbors._EXACT_ROWS", 10)
    scores = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    scores[100:150] = scores[:50]  # duplicates: a row is not always first among its own neighbors
    found = nearest_rows(scores, 10, seed=0)
    assert found.shape == (200, 10)
    assert not (found == np.arange(200)[:, None]).any()


def test_finding_neighbors_of_many_rows_leaves_the_number_of_threads_alone(
    counts: AnnData, tiny_config: DiffAugConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffaug_bio.features._neighbors._EXACT_ROWS", 10)
    config = tiny_config.replace(train={"warmup_view": "neighbor_mix"})
    DiffAug(config, device="cpu").fit(counts.X)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("n_rows", [3, 60])
def test_neighbors_are_the_nearest_other_rows(n_rows: int) -> None:
    scores = np.random.default_rng(0).normal(size=(n_rows, 5)).astype(np.float32)
    found = nearest_rows(scores, 10, seed=0)
    distances = np.linalg.norm(scores[:, None] - scores[None], axis=2)
    expected = np.argsort(distances, axis=1)[:, 1:11]  # the row itself comes first
    np.testing.assert_array_equal(found, expected)
