"""Rows generated from tables with columns of all kinds: every value is one that the table could hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio import DiffAug, tl
from diffaug_bio.config import FeatureConfig
from diffaug_bio.errors import InputError
from diffaug_bio.features import ValidValues, fit_features
from diffaug_bio.matrix.columns import CodedColumn, CodedColumns
from tests.mixed_tables import COLUMNS, SEX, STAGE, TABLE_CONFIG, mixed_table

if TYPE_CHECKING:
    from diffaug_bio import DiffAugConfig


@pytest.fixture(scope="module")
def model() -> DiffAug:
    return tl.fit(mixed_table(), config=TABLE_CONFIG, verbose=False)


def check_valid(generated: anndata.AnnData, training: anndata.AnnData) -> None:
    """Check every value against the rows of the fit."""
    known = training.to_df()
    frame = generated.to_df()[known.columns]
    for column in COLUMNS:
        values = frame[list(column.features)].to_numpy()
        if column.kind != "missing":
            assert ((column.numbers(values) >= 0) == ~np.isnan(values[:, 0])).all(), column.name
            assert (np.isnan(values).all(1) == np.isnan(values).any(1)).all(), column.name
    assert (frame.min() >= known.min()).all()
    assert (frame.max() <= known.max()).all()
    age = frame["age"].dropna()
    assert (age == age.round()).all()


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_every_value_is_valid(model: DiffAug, strength: float) -> None:
    adata = mixed_table()
    generated = tl.augment(adata, model, n_views=3, strength=strength)
    assert not np.isnan(generated.X).any()
    check_valid(generated, adata)
    assert (generated[:, "age=missing"].X == 0).all()
    assert CodedColumns.from_text(generated.uns["columns"], source="") == COLUMNS
    changed = np.nanmean(np.abs(generated.X[:90] - adata.X), 0)
    assert (changed[:6] > 0).all()  # clipped, and not copied


def test_rows_unlike_the_training_rows_come_into_their_range(model: DiffAug) -> None:
    adata = mixed_table(30, seed=9)
    adata.X[:, :6] *= np.array([3, -1, 4, 4, 4, 4], np.float32)
    check_valid(tl.augment(adata, model), mixed_table())


def test_missing_values_are_kept_where_asked(model: DiffAug) -> None:
    adata = mixed_table()
    kept = tl.augment(adata, model, n_views=2, missing="keep")
    numbers = [name != "age=missing" for name in adata.var_names]
    missing = np.isnan(adata.X)
    np.testing.assert_array_equal(np.isnan(kept.X), np.vstack([missing, missing]))
    np.testing.assert_array_equal(kept.X[:90, ~np.array(numbers)], adata.X[:, ~np.array(numbers)])
    check_valid(kept, adata)
    filled = tl.augment(adata, model, n_views=2)
    held = ~np.isnan(kept.X)
    held[:, ~np.array(numbers)] = False
    np.testing.assert_array_equal(kept.X[held], filled.X[held])
    values = DiffAug.augment(
        model, adata.X, missing="keep", feature_names=list(adata.var_names), random_state=0
    )
    np.testing.assert_array_equal(values, kept.X[:90])


def test_other_treatment_of_missing_values_is_refused(model: DiffAug) -> None:
    with pytest.raises(InputError, match="`missing` has to be 'fill' or 'keep', got 'drop'"):
        tl.augment(mixed_table(), model, missing="drop")  # type: ignore[arg-type]


def test_a_constant_column_is_filled_with_its_value() -> None:
    adata = mixed_table()
    adata.X[:, adata.var_names == "p1"] = 7.5
    adata.X[3, adata.var_names == "p1"] = np.nan
    adata.X[:, [name in SEX.features for name in adata.var_names]] = [0, 1]
    adata.X[5, [name in SEX.features for name in adata.var_names]] = np.nan
    model = tl.fit(adata, config=TABLE_CONFIG, verbose=False)
    generated = tl.augment(adata, model)
    assert (generated[:, "p1"].X == 7.5).all()
    assert (generated[:, "sex=M"].X == 1).all()
    check_valid(generated, adata)


def test_data_with_levels_of_their_own_give_rows_with_those_of_the_fit(model: DiffAug) -> None:
    adata = mixed_table(20, seed=4)
    further = CodedColumn(name="sex", kind="categorical", levels=("F", "M", "other"))
    plain = adata[:, [name for name in adata.var_names if name not in SEX.features]]
    coded = further.coded(np.arange(20) % 3)
    names = [*plain.var_names, *further.features]
    other = anndata.AnnData(
        X=np.column_stack([plain.X, coded]),
        var=pd.DataFrame(index=names),
        uns={"columns": CodedColumns((further, *(one for one in COLUMNS if one != SEX))).to_text()},
    )
    generated = tl.augment(other, model)
    check_valid(generated, mixed_table())
    kept = tl.augment(other, model, missing="keep")
    np.testing.assert_array_equal(np.isnan(kept[:, "sex=F"].X[:, 0]), np.arange(20) % 3 == 2)
    assert CodedColumns.from_text(generated.uns["columns"], source="").columns[0] == SEX


def test_values_of_other_data_are_not_cut_off(tiny_config: DiffAugConfig) -> None:
    """Representations and scaled expression go wherever the generator says, as before."""
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    for state in ("representation", "scaled"):
        config = tiny_config.replace(features={"input_state": state})
        model = DiffAug(config, device="cpu").fit(rows)
        generated = model.augment(rows, n_views=5, strength=1.0)
        assert (generated.max(0) > rows.max(0)).any() or (generated.min(0) < rows.min(0)).any()


@given(seed=st.integers(0, 2**16), scale=st.floats(1e-3, 1e6))
@settings(max_examples=25, deadline=None)
def test_any_change_gives_valid_values(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    adata = mixed_table(40, seed=seed, blanks=0.1)
    names = list(adata.var_names)
    config = FeatureConfig(columns=COLUMNS.to_setting())
    features = fit_features(adata.X, config, seed=0, feature_names=names)
    order = rng.permutation(len(names))  # of the columns of later data
    columns = np.empty(len(names), np.int64)
    columns[order] = np.arange(len(names))
    inverse = features.inverse(columns)
    valid = ValidValues.of(inverse, COLUMNS, names)
    sources = adata.X[:, order]
    codes = features.project(sources, columns)
    generated = codes + scale * rng.normal(size=codes.shape).astype(np.float32)
    made = inverse.apply(sources, codes, generated, redraw=0, generator=rng)
    made = valid.applied(made, sources, missing="fill")
    result = adata.copy()
    result.X[:, order] = made
    check_valid(result, adata)
    # Without any change, a row stays what it is, but for blanks and for bounds that may be rounded.
    same = inverse.apply(sources, codes, codes, redraw=0, generator=rng)
    same = valid.applied(same, sources, missing="keep")
    np.testing.assert_allclose(same, sources, rtol=1e-5, atol=1e-6)


@given(seed=st.integers(0, 2**16))
@settings(max_examples=25, deadline=None)
def test_the_largest_level_is_chosen_whatever_the_others_would_be_rounded_to(seed: int) -> None:
    adata = mixed_table(60, blanks=0)
    names = list(adata.var_names)
    features = fit_features(
        adata.X, FeatureConfig(columns=COLUMNS.to_setting()), seed=0, feature_names=names
    )
    valid = ValidValues.of(features.inverse(None), COLUMNS, names)
    places = [names.index(feature) for feature in STAGE.features]
    made = adata.X.copy()
    made[:, places] = np.random.default_rng(seed).uniform(-0.5, 2, (60, 4))
    expected = made[:, places].argmax(1)
    found = valid.applied(made, adata.X, missing="fill")
    np.testing.assert_array_equal(STAGE.numbers(found[:, places]), expected)


def test_blocks_of_rows_do_not_matter(model: DiffAug, monkeypatch: pytest.MonkeyPatch) -> None:
    adata = mixed_table()
    whole = tl.augment(adata, model, missing="keep")
    monkeypatch.setattr("diffaug_bio.features._valid._BLOCK_VALUES", 7 * adata.n_vars)
    np.testing.assert_array_equal(tl.augment(adata, model, missing="keep").X, whole.X)


def test_levels_are_about_as_frequent_as_among_the_sources(model: DiffAug) -> None:
    adata = mixed_table()
    generated = tl.augment(adata, model, n_views=5)
    for column in (SEX, STAGE):
        shares, known = (part[:, list(column.features)].to_df().mean() for part in (generated, adata))
        assert np.abs(shares - known).sum() / 2 < 0.1
