"""Preprocessing of columns of categories, ordered levels and truth values."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaug_bio import DiffAug, DiffAugConfig
from diffaug_bio.config import FeatureConfig
from diffaug_bio.errors import InputError
from diffaug_bio.features import fit_features
from diffaug_bio.matrix.columns import CodedColumn, CodedColumns
from tests.mixed_tables import AGE_MISSING, COLUMNS, GRADE, SEX, STAGE, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.features import FittedFeatures


def fit(adata: AnnData, columns: CodedColumns = COLUMNS) -> FittedFeatures:
    config = FeatureConfig(columns=columns.to_setting(), n_components=6)
    return fit_features(adata.X, config, seed=0, feature_names=list(adata.var_names))


def places_of(adata: AnnData, column: CodedColumn) -> list[int]:
    return [adata.var_names.get_loc(feature) for feature in column.features]


@pytest.mark.parametrize("column", [SEX, STAGE])
def test_a_categorical_column_weighs_as_one_number(column: CodedColumn) -> None:
    adata = mixed_table(300, blanks=0)
    rows = fit(adata).dense_rows(adata.X)
    variance = rows.var(0, ddof=1)
    np.testing.assert_allclose(variance[places_of(adata, column)].sum(), 1, rtol=1e-4)
    np.testing.assert_allclose(variance[places_of(adata, GRADE)], 1, rtol=1e-4)
    # Without columns each level weighs as much as a column of its own.
    alone = fit_features(adata.X, FeatureConfig(input_state="continuous"), seed=0).dense_rows(adata.X)
    n_levels = len(column.levels)
    np.testing.assert_allclose(alone.var(0, ddof=1)[places_of(adata, column)].sum(), n_levels, rtol=1e-4)


def test_two_levels_are_as_far_apart_as_true_and_false() -> None:
    adata = mixed_table(300, blanks=0)
    is_male = adata[:, "sex=M"].X[:, 0].astype(np.int64)
    flag = CodedColumn(name="flag", kind="boolean", levels=("no", "yes"))
    sex = fit(adata).dense_rows(adata.X)[:, places_of(adata, SEX)]
    adata.X[:, places_of(adata, GRADE)] = flag.coded(is_male)
    told = fit(adata).dense_rows(adata.X)[:, places_of(adata, GRADE)]
    first, other = np.flatnonzero(is_male == 0)[0], np.flatnonzero(is_male)[0]
    np.testing.assert_allclose(
        np.linalg.norm(sex[first] - sex[other]), abs(told[first] - told[other]).item(), rtol=1e-3
    )


def test_a_missing_level_is_neutral_and_a_missing_order_the_median() -> None:
    adata = mixed_table(200)
    rows = fit(adata).dense_rows(adata.X)
    for column in (SEX, STAGE):
        places = places_of(adata, column)
        missing = np.isnan(adata.X[:, places[0]])
        assert missing.any()
        np.testing.assert_allclose(rows[np.ix_(missing, places)], 0, atol=1e-5)
    place = places_of(adata, GRADE)
    missing = np.isnan(adata.X[:, place[0]])
    median = np.nanmedian(adata.X[:, place])
    same = adata.X[:, place[0]] == median
    np.testing.assert_array_equal(rows[np.ix_(missing, place)], rows[np.ix_(same, place)][0, 0])


@pytest.mark.parametrize("blanks", [0.02, 0.5])
def test_a_blank_is_one_deviation_from_a_value_however_rare(blanks: float) -> None:
    adata = mixed_table(300, blanks=blanks)
    place = places_of(adata, AGE_MISSING)
    told = fit(adata).dense_rows(adata.X)[:, place]
    assert told.max() - told.min() == pytest.approx(1, rel=1e-4)
    shares = np.isnan(adata[:, "age"].X).mean()
    assert told.var() == pytest.approx(shares * (1 - shares), rel=1e-3)


@given(seed=st.integers(0, 2**16), n_levels=st.integers(2, 6))
@settings(max_examples=20, deadline=None)
def test_weight_and_neutrality_hold_for_any_shares(seed: int, n_levels: int) -> None:
    rng = np.random.default_rng(seed)
    column = CodedColumn(name="c", kind="categorical", levels=tuple(map(str, range(n_levels))))
    level = rng.choice(n_levels, 60, p=rng.dirichlet(np.ones(n_levels)))
    level[:3] = [0, 1, -1]
    X = np.column_stack([rng.normal(size=60), column.coded(level)]).astype(np.float32)  # noqa: N806
    config = FeatureConfig(columns=CodedColumns((column,)).to_setting())
    features = fit_features(X, config, seed=0, feature_names=["x", *column.features])
    rows = features.dense_rows(X)
    # The missing row has no variance of its own; levels that no row has are left out.
    assert rows[:, 1:].var(0, ddof=1).sum() == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(rows[2, 1:], 0, atol=1e-5)
    assert set(features.selected - 1) == {-1, *np.unique(level[level >= 0])}


def test_codes_are_measured_values_although_all_are_whole(caplog: pytest.LogCaptureFixture) -> None:
    adata = mixed_table(blanks=0)[:, ["age", *SEX.features, *STAGE.features, *GRADE.features]].copy()
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        features = fit(adata, COLUMNS.held_by(adata.var_names))
    assert features.state == "continuous"
    assert "1 numeric, 2 categorical, 1 ordinal" in caplog.text


def test_ranges_are_learned_and_saved(tiny_config: DiffAugConfig, tmp_path: Path) -> None:
    adata = mixed_table()
    config = tiny_config.replace(
        features={"columns": COLUMNS.to_setting()}, train={"generated_views": "none"}
    )
    model = DiffAug(config, device="cpu").fit(adata.X, feature_names=list(adata.var_names))
    model.save(tmp_path / "model")
    again = DiffAug.load(tmp_path / "model", device="cpu")
    assert CodedColumns.from_setting(again.config_.features.columns) == COLUMNS
    assert again.config_ == model.config_
    observed = again.features_.observed  # type: ignore[attr-defined]
    np.testing.assert_array_equal(observed.lowest, np.nanmin(adata.X, 0))
    np.testing.assert_array_equal(observed.highest, np.nanmax(adata.X, 0))
    whole = dict(zip(adata.var_names, observed.whole, strict=True))
    assert whole["age"] == whole["sex=F"] == whole["grade"] == 1
    assert whole["crp"] == 0
    np.testing.assert_array_equal(again.transform(adata.X), model.transform(adata.X))


@pytest.mark.parametrize("are_counts", [True, False])
def test_counts_beside_a_column_of_categories_are_warned_of(
    caplog: pytest.LogCaptureFixture, *, are_counts: bool
) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.poisson(rng.gamma(0.5, 2.0, (80, 60))) if are_counts else rng.normal(5, 1, (80, 60))
    X = np.column_stack([numbers, SEX.coded(np.arange(80) % 2)]).astype(np.float32)  # noqa: N806
    config = FeatureConfig(columns=CodedColumns((SEX,)).to_setting(), n_components=6)
    names = [*(f"gene{number}" for number in range(60)), *SEX.features]
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        features = fit_features(X, config, seed=0, feature_names=names)
    assert features.state == "continuous"
    assert ("'sex' look like counts" in caplog.text) == are_counts
    assert ("--annotations" in caplog.text) == are_counts


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([["colour", "sex", "F"]], "kind of categorical, ordinal, boolean, missing"),
        ([["boolean", "smoker", "yes"]], "'smoker' has 1 levels, and needs two"),
        ([["categorical", "sex", "F", "F"]], "level 'F' twice"),
        ([["categorical", "sex", "F"], ["ordinal", "sex", "F"]], "column 'sex' twice"),
        ([["categorical"]], "lists of a kind, the name"),
        ("sex", "a list of lists of words"),
        ([["categorical", "sex", 1]], "a list of lists of words"),
    ],
)
def test_settings_that_describe_no_columns_are_refused(columns: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        DiffAugConfig().replace(features={"columns": columns})


def test_columns_of_other_data_are_refused() -> None:
    columns = [["categorical", "sex", "F", "M"]]
    with pytest.raises(InputError, match=r"table of measured values.*'counts'"):
        DiffAugConfig().replace(features={"columns": columns, "input_state": "counts"})
    with pytest.raises(InputError, match=r"these rows are sequences\. Leave it out"):
        DiffAugConfig().replace(features={"columns": columns}).for_kind("sequence")
    adata = mixed_table()
    with pytest.raises(InputError, match="X has no names"):
        fit_features(adata.X, FeatureConfig(columns=COLUMNS.to_setting()), seed=0)
    with pytest.raises(InputError, match="lacks: 'sex=F'"):
        fit(adata[:, adata.var_names != "sex=F"].copy())
    twice = CodedColumns((SEX, CodedColumn(name="sex=F", kind="boolean", levels=("0", "1"))))
    with pytest.raises(InputError, match="one feature, 'sex=F'"):
        fit(adata, twice)


def test_the_setting_stands_in_toml(tmp_path: Path) -> None:
    odd = CodedColumn(name='a "b"\u007f', kind="ordinal", levels=("\U0001f600", "\u00e9\\", "\n"))
    config = DiffAugConfig().replace(features={"columns": CodedColumns((odd, SEX)).to_setting()})
    from diffaug_bio.model.about import changed_settings

    path = tmp_path / "settings.toml"
    path.write_text(changed_settings(config, with_columns=True), encoding="utf-8")
    assert DiffAugConfig.from_toml(path) == config
    assert "columns" not in changed_settings(config)
