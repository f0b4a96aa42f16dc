"""Coded columns and whole numbers as text tables."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.matrix.columns import CodedColumn, CodedColumns
from tests.mixed_tables import COLUMNS, NUMBERS, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def read_text(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, index_col="id")


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_coded_columns_are_written_as_their_levels(tmp_path: Path, container: type) -> None:
    adata = mixed_table()
    values = adata.to_df()
    adata.X = container(adata.X)
    io.write_table(tmp_path / "t.csv", adata)
    frame = read_text(tmp_path / "t.csv")
    assert list(frame.columns) == [*NUMBERS, "sex", "stage", "grade", "smoker", "group"]
    for column in COLUMNS:
        if column.kind == "missing":
            continue
        numbers = column.numbers(values[list(column.features)].to_numpy())
        assert list(frame[column.name]) == [(*column.levels, "")[number] for number in numbers]
    assert list(frame["age"]) == ["" if np.isnan(age) else str(int(age)) for age in values["age"]]
    assert frame["crp"].str.contains(".", regex=False).any()


_LEVELS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=4),
    min_size=2,
    max_size=5,
    unique=True,
)


_KINDS = st.sampled_from(["categorical", "ordinal", "boolean", "number"])
_NUMBERS = st.one_of(
    st.none(), st.integers(-(2**24), 2**24), st.floats(-1e6, 1e6, width=32, allow_nan=False)
)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_levels_and_numbers_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    n_obs = data.draw(st.integers(1, 6))
    parts: list[np.ndarray] = []
    names: list[str] = []
    coded: list[CodedColumn] = []
    expected: dict[str, list[object]] = {}
    for place, kind in enumerate(data.draw(st.lists(_KINDS, min_size=1))):
        name = f"column {place}"
        if kind == "number":
            drawn = data.draw(st.lists(_NUMBERS, min_size=n_obs, max_size=n_obs))
            parts.append(np.array([np.nan if one is None else one for one in drawn], np.float32)[:, None])
            names.append(name)
            expected[name] = [None if one is None else float(np.float32(one)) for one in drawn]
            continue
        levels = data.draw(_LEVELS)[: 2 if kind == "boolean" else None]
        column = CodedColumn(name=name, kind=kind, levels=tuple(levels))  # type: ignore[arg-type]
        numbers = data.draw(st.lists(st.integers(-1, len(levels) - 1), min_size=n_obs, max_size=n_obs))
        parts.append(column.coded(np.array(numbers)))
        names += column.features
        coded.append(column)
        expected[name] = [None if number < 0 else levels[number] for number in numbers]
    adata = anndata.AnnData(
        X=np.column_stack(parts).astype(np.float32),
        obs=pd.DataFrame(index=[f"r{row}" for row in range(n_obs)]),
        var=pd.DataFrame(index=names),
        uns={"columns": CodedColumns(tuple(coded)).to_text()},
    )
    path = tmp_path_factory.mktemp("t") / "t.csv"
    io.write_table(path, adata)
    frame = read_text(path)
    assert list(frame.columns) == list(expected)
    for name, values in expected.items():
        found: list[object] = [None if text == "" else text for text in frame[name]]
        if any(isinstance(value, float) for value in values):
            found = [None if text is None else float(np.float32(str(text))) for text in found]
        assert found == values


def test_values_that_are_no_codes_are_written_as_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adata = mixed_table()
    adata.X[4, adata.var_names == "sex=F"] = 0.4
    adata.X[4, adata.var_names == "grade"] = 7
    with caplog.at_level(logging.WARNING, logger="diffaug_bio"):
        io.write_table(tmp_path / "t.csv", adata)
    frame = read_text(tmp_path / "t.csv")
    assert {"sex=F", "sex=M", "stage", "grade", "smoker"} <= set(frame.columns)
    assert frame["sex=F"].iloc[4] == "0.4"
    assert frame["grade"].iloc[4] == "7"
    assert "'sex', 'grade'" in caplog.text


def test_whole_numbers_have_no_point_and_large_ones_all_digits(tmp_path: Path) -> None:
    values = np.array([[1, 1.5, 1e20], [-3, np.nan, 2], [np.nan, 2, 3]], np.float32)
    obs = pd.DataFrame(index=["a", "b", "c"])
    adata: AnnData = anndata.AnnData(X=values, obs=obs, var=pd.DataFrame(index=["w", "f", "l"]))
    io.write_table(tmp_path / "t.csv", adata)
    frame = read_text(tmp_path / "t.csv")
    assert list(frame["w"]) == ["1", "-3", ""]
    assert list(frame["f"]) == ["1.5", "", "2.0"]
    np.testing.assert_array_equal(io.read(tmp_path / "t.csv").X, values)


@pytest.mark.parametrize("missing", [0, 1])
def test_counts_of_cells_are_whole_too(tmp_path: Path, missing: int) -> None:
    counts = sparse.random(40, 7, density=0.4, format="csr", random_state=0, dtype=np.float32).ceil()
    counts.data[:missing] = 300
    obs = pd.DataFrame(index=[f"cell{row}" for row in range(40)])
    io.write_table(tmp_path / "t.csv", anndata.AnnData(X=counts, obs=obs))
    assert "." not in (tmp_path / "t.csv").read_text(encoding="utf-8")
