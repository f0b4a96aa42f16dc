"""Coded columns of an AnnData, and of data that come after a fit with levels of their own."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import DiffAug, DiffAugConfig, tl
from diffaug_bio.choose.columns import declared_columns
from diffaug_bio.choose.matrix import choose_matrix, declare
from diffaug_bio.datasets.source import DataSource, read_for_model
from diffaug_bio.errors import InputError
from diffaug_bio.matrix.columns import CodedColumn, CodedColumns, CodedKind
from diffaug_bio.model.source import MatrixChoice
from tests.mixed_tables import COLUMNS, GRADE, NUMBERS, SEX, SMOKER, STAGE, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

_LEVELS: dict[str, list[str | None]] = {
    "sex": ["F", "M", "F", None, "M"],
    "stage": ["a", "b", "c", "d", None],
    "grade": ["I", "II", "III", "I", "II"],
    "smoker": ["no", "yes", None, "no", "yes"],
}


@pytest.fixture(scope="module")
def model() -> DiffAug:
    """A model of the table, fitted from its AnnData."""
    config = DiffAugConfig.preset("quick").replace(
        train={"warmup_epochs": 1, "rounds": 0, "min_steps": 1}, encoder={"n_latent": 8, "hidden": [8]}
    )
    return tl.fit(mixed_table(), config=config, verbose=False)


def coded(columns: list[CodedColumn], levels: dict[str, list[str | None]]) -> anndata.AnnData:
    """Five rows with these levels, each column coded in its own way, and the plain numbers."""
    numbers = np.random.default_rng(1).normal(1, 1, (5, len(NUMBERS)))
    numbers[1, 0] = np.nan
    own = [column.name for column in columns]
    names = [name for name in NUMBERS if name not in own]
    parts = [numbers[:, : len(names)]]
    for column in columns:
        known = {level: number for number, level in enumerate(column.levels)}
        parts.append(column.coded(np.array([known.get(level, -1) for level in levels[column.name]])))  # type: ignore[arg-type]
        names += column.features
    return anndata.AnnData(
        X=np.column_stack(parts).astype(np.float32),
        var=pd.DataFrame(index=names),
        uns={"columns": CodedColumns(tuple(columns)).to_text()},
    )


def chosen(adata: anndata.AnnData, model: DiffAug) -> pd.DataFrame:
    matrix, names = choose_matrix(adata, MatrixChoice(), model=model)
    return pd.DataFrame(matrix, columns=names)


EXPECTED = coded([SEX, STAGE, GRADE, SMOKER], _LEVELS)


def test_the_columns_of_the_data_are_those_of_the_model(model: DiffAug) -> None:
    assert CodedColumns.from_setting(model.config_.features.columns) == COLUMNS
    assert model.config_.features.input_state == "continuous"


def test_data_coded_as_in_the_fit_stay_as_they_are(
    model: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    adata = mixed_table(seed=3)
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        matrix, names = choose_matrix(adata, MatrixChoice(), model=model)
    assert matrix is adata.X
    assert names == list(adata.var_names)
    assert not caplog.records


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_any_coding_of_the_same_levels_is_the_same_table(model: DiffAug, container: type) -> None:
    other = coded(
        [
            CodedColumn(name="smoker", kind="categorical", levels=("no", "yes")),
            CodedColumn(name="grade", kind="categorical", levels=("I", "II", "III")),
            CodedColumn(name="sex", kind="boolean", levels=("M", "F")),
            CodedColumn(name="stage", kind="ordinal", levels=("d", "c", "b", "a")),
        ],
        _LEVELS,
    )
    other.X = container(other.X)
    found = chosen(other, model)
    features = [*NUMBERS, *SEX.features, *STAGE.features, *GRADE.features, *SMOKER.features]
    expected = pd.DataFrame(EXPECTED.X, columns=EXPECTED.var_names)[features]
    pd.testing.assert_frame_equal(found[features], expected)
    assert list(found["age=missing"]) == [0, 1, 0, 0, 0]
    tl.project(other, model)
    tl.project(EXPECTED, model)
    np.testing.assert_array_equal(other.obsm["X_diffaug"], EXPECTED.obsm["X_diffaug"])


@pytest.mark.parametrize("kind", ["categorical", "boolean"])
def test_an_empty_column_is_missing_in_every_row(model: DiffAug, kind: CodedKind) -> None:
    name = SEX.name if kind == "categorical" else SMOKER.name
    empty = CodedColumn(name=name, kind=kind, levels=() if kind == "categorical" else ("false", "true"))
    known = [empty if column.name == name else column for column in (SEX, STAGE, GRADE, SMOKER)]
    found = chosen(coded(known, {**_LEVELS, name: [None] * 5}), model)
    features = SEX.features if kind == "categorical" else SMOKER.features
    assert found[[*features]].isna().all(axis=None)


@pytest.mark.parametrize("written", [("FALSE", "TRUE"), ("False", "True"), ("NO", "Yes")])
def test_truth_values_are_the_same_however_a_program_writes_them(
    model: DiffAug, written: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    other = coded([SEX, STAGE, GRADE, SMOKER], _LEVELS)
    columns = (SEX, STAGE, GRADE, CodedColumn(name="smoker", kind="boolean", levels=written))
    other.uns["columns"] = CodedColumns(columns).to_text()
    found = chosen(other, model)
    np.testing.assert_array_equal(found["smoker"], [0, 1, np.nan, 0, 1])
    assert "not fitted on" not in caplog.text


def test_a_level_that_no_later_row_has_is_0_and_not_missing(
    model: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    fewer = coded(
        [CodedColumn(name="sex", kind="categorical", levels=("M",)), STAGE, GRADE, SMOKER],
        {**_LEVELS, "sex": ["M", "M", None, "M", "M"]},
    )
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        found = chosen(fewer, model)
    np.testing.assert_array_equal(found["sex=F"], [0, 0, np.nan, 0, 0])
    np.testing.assert_array_equal(found["sex=M"], [1, 1, np.nan, 1, 1])
    assert not caplog.records


def test_a_level_that_the_fit_did_not_see_is_named_and_missing(
    model: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    further = coded(
        [CodedColumn(name="sex", kind="categorical", levels=("F", "M", "unknown")), STAGE, GRADE, SMOKER],
        {**_LEVELS, "sex": ["F", "unknown", "F", None, "unknown"]},
    )
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        found = chosen(further, model)
    np.testing.assert_array_equal(found["sex=F"], [1, np.nan, 1, np.nan, np.nan])
    assert "sex=unknown" not in found
    for word in ("'sex'", "'unknown' (2 rows)", "missing", "'F', 'M'"):
        assert word in caplog.text


def test_a_column_that_is_not_there_is_a_missing_feature(
    model: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    without = coded([STAGE, GRADE, SMOKER], _LEVELS)
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        tl.project(without, model)
    assert "Missing ones are estimated from the others: 'sex=F', 'sex=M'" in caplog.text
    assert np.isfinite(without.obsm["X_diffaug"]).all()


def test_numbers_that_are_levels_of_the_fit_are_levels(caplog: pytest.LogCaptureFixture) -> None:
    tumour = CodedColumn(name="tumour", kind="ordinal", levels=("1", "2", "3.0"))
    adata = mixed_table()
    adata.X[:, adata.var_names == "grade"] = tumour.coded(np.arange(adata.n_obs) % 3)
    adata.var_names = ["tumour" if name == "grade" else name for name in adata.var_names]
    adata.uns["columns"] = CodedColumns((SEX, tumour)).to_text()
    config = DiffAugConfig.preset("quick").replace(train={"warmup_epochs": 1, "rounds": 0, "min_steps": 1})
    model = tl.fit(adata, config=config, verbose=False)
    later = mixed_table()[:5].copy()
    later.var_names = adata.var_names
    later.uns["columns"] = CodedColumns((SEX,)).to_text()
    later.X[:, later.var_names == "tumour"] = [[1], [2], [3], [np.nan], [1]]
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        found = chosen(later, model)
    np.testing.assert_array_equal(found["tumour"], [0, 1, 2, np.nan, 0])
    assert "'tumour': its numbers are taken as the levels of the fit" in caplog.text
    caplog.clear()
    later.X[:, later.var_names == "tumour"] = [[1], [2], [2], [np.nan], [1]]  # codes, or levels
    assert list(chosen(later, model)["tumour"][:2]) == [1, 2]
    assert "'tumour'" in caplog.text
    assert "taken as codes" in caplog.text


def test_a_number_of_the_fit_that_is_text_now_is_missing(
    model: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    levels = {**_LEVELS, "p4": ["low", "high", "low", None, "high"], "p3": ["2", "1", "2", None, "1"]}
    text = [
        CodedColumn(name="p4", kind="ordinal", levels=("low", "high")),
        CodedColumn(name="p3", kind="categorical", levels=("1", "2")),
    ]
    adata = coded([SEX, STAGE, GRADE, SMOKER, *text], levels)
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        found = chosen(adata, model)
    np.testing.assert_array_equal(found["p3"], [2, 1, 2, np.nan, 1])
    assert "p4" not in found
    assert "'p4' held numbers in the fit, and holds 'low', 'high' here" in caplog.text


def test_part_of_a_column_counts_as_plain_numbers_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    adata = mixed_table()
    part = adata[:, [name for name in adata.var_names if name != "stage=a"]].copy()
    config = DiffAugConfig.preset("quick").replace(train={"warmup_epochs": 1, "rounds": 0, "min_steps": 1})
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        model = tl.fit(part, config=config, verbose=False)
    held = CodedColumns.from_setting(model.config_.features.columns)
    assert [column.name for column in held] == ["sex", "grade", "smoker", "age"]
    assert "'stage' are there in part only" in caplog.text


@pytest.mark.parametrize(
    "held", [np.array(["a", "b"]), "sex,age", {"a": 1}], ids=["array", "text", "table"]
)
def test_what_other_packages_keep_under_the_same_name_does_not_matter(held: object) -> None:
    adata = mixed_table()
    adata.uns["columns"] = held
    assert declare(DiffAugConfig(), adata, MatrixChoice()) == DiffAugConfig()


def test_a_damaged_description_is_an_error_with_the_remedy() -> None:
    adata = mixed_table()
    said = r"`\.uns\['columns'\]` describes no columns.*read the table again"
    for damaged in ('[["sex", "hue", ["F"]]]', '[["sex"]]', '[["sex", "categorical", ["F"]', "[[" * 50_000):
        adata.uns["columns"] = damaged
        with pytest.raises(InputError, match=said):
            declare(DiffAugConfig(), adata, MatrixChoice())


def test_levels_that_nothing_describes_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    adata = mixed_table()
    together = anndata.concat([adata, adata], index_unique="-")  # which drops `.uns`
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        assert not declared_columns(together, together.X, list(together.var_names))
    assert "'sex', 'stage'" in caplog.text
    assert 'uns_merge="same"' in caplog.text
    caplog.clear()
    kept = anndata.concat([adata, adata], index_unique="-", uns_merge="same")
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        assert declared_columns(kept, kept.X, list(kept.var_names)) == COLUMNS
    lipids = anndata.AnnData(adata.X[:, :2], var=pd.DataFrame(index=["PC(18:1=9)", "PC(18:1=11)"]))
    assert not declared_columns(lipids, lipids.X, list(lipids.var_names))
    assert not caplog.records


def test_another_declared_state_is_told_to_leave_columns_out(caplog: pytest.LogCaptureFixture) -> None:
    config = DiffAugConfig().replace(features={"input_state": "scaled"})
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        assert declare(config, mixed_table(), MatrixChoice()) == config
    assert "'scaled' is declared" in caplog.text
    caplog.clear()
    config = DiffAugConfig().replace(features={"input_state": "continuous"})
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        assert declare(config, mixed_table(), MatrixChoice()).features.columns == COLUMNS.to_setting()
        assert declare(config, mixed_table(), MatrixChoice(use_rep="X")).features.columns == ()
    assert not caplog.records


def test_columns_whose_case_differs_from_the_fit_are_its_columns(
    model: DiffAug, caplog: pytest.LogCaptureFixture
) -> None:
    upper = [replace(column, name=column.name.title()) for column in (SEX, STAGE, GRADE, SMOKER)]
    later = coded(upper, {name.title(): levels for name, levels in _LEVELS.items()})
    with caplog.at_level(logging.INFO, logger="diffaug_bio"):
        found = chosen(later, model)
    expected = chosen(EXPECTED, model)
    pd.testing.assert_frame_equal(found[expected.columns], expected)
    assert "'Sex' for 'sex'" in caplog.text


def test_columns_that_differ_in_case_twice_are_not_guessed(model: DiffAug) -> None:
    both = [replace(SEX, name="Sex"), replace(SEX, name="SEX"), STAGE, GRADE, SMOKER]
    found = chosen(coded(both, {**_LEVELS, "Sex": _LEVELS["sex"], "SEX": _LEVELS["sex"]}), model)
    assert "sex=F" not in found


def test_a_table_is_read_by_the_columns_of_the_fit_whatever_their_case(
    model: DiffAug, tmp_path: Path
) -> None:
    table = pd.DataFrame(
        {"id": ["a", "b"], "Sex": ["F", "M"], "GRADE": ["II", "I"], NUMBERS[0].upper(): [1.5, 2]}
    )
    table.to_csv(tmp_path / "later.csv", index=False)
    adata = read_for_model(DataSource(data=str(tmp_path / "later.csv")), model)
    found = chosen(adata, model)
    assert found[["sex=F", "sex=M"]].to_numpy().tolist() == [[1, 0], [0, 1]]
    assert found["grade"].tolist() == [1, 0]
