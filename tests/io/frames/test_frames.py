"""Tables of Parquet, Feather and Excel, written by pandas and openpyxl."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import openpyxl
import pandas as pd
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def proteins() -> pd.DataFrame:
    """Measured values of eight mice, with a missing one, and their genotypes."""
    values = np.round(np.random.default_rng(0).normal(size=(8, 3)), 3)
    values[2, 1] = np.nan
    frame = pd.DataFrame(values, columns=["BDNF", "pAKT", "SOD1"])
    frame.insert(0, "sample_id", [f"m{number}" for number in range(8)])
    frame["genotype"] = ["wt", "ko"] * 4
    return frame


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "a.csv": lambda frame, path: frame.to_csv(path, index=False),
    "a.parquet": lambda frame, path: frame.to_parquet(path, index=False),
    "indexed.pq": lambda frame, path: frame.set_index("sample_id").to_parquet(path),
    "a.feather": lambda frame, path: frame.to_feather(path),
    "a.xlsx": lambda frame, path: frame.to_excel(path, index=False),
    "indexed.xlsx": lambda frame, path: frame.set_index("sample_id").to_excel(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_table(name: str, tmp_path: Path) -> None:
    frame = proteins()
    WRITERS[name](frame, tmp_path / name)
    found = io.read(tmp_path / name)
    assert list(found.obs_names) == list(frame["sample_id"])
    assert list(found.var_names) == ["BDNF", "pAKT", "SOD1"]
    np.testing.assert_array_equal(found.X, frame[["BDNF", "pAKT", "SOD1"]].to_numpy(np.float32))
    assert list(found.obs["genotype"]) == list(frame["genotype"])
    assert found.obs["genotype"].dtype == "category"


@pytest.mark.parametrize("name", ["a.parquet", "a.xlsx"])
def test_columns_that_are_asked_for_are_annotations_and_tables_are_turned(
    name: str, tmp_path: Path
) -> None:
    frame = proteins()
    WRITERS[name](frame, tmp_path / name)
    assert list(io.read(tmp_path / name, obs_columns=["SOD1"]).var_names) == ["BDNF", "pAKT"]
    turned = frame.drop(columns="genotype").set_index("sample_id").T.rename_axis("gene").reset_index()
    WRITERS[name](turned, tmp_path / name)
    assert list(io.read(tmp_path / name, transpose=True).var_names) == ["BDNF", "pAKT", "SOD1"]


def test_types_of_parquet_are_read_as_what_they_are(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": list("abcd"),
            "whole": pd.array([1, None, 3, 4], dtype="Int64"),
            "decimal": [Decimal("1.5"), Decimal("2.5"), None, Decimal("3")],
            "day": pd.to_datetime(["2024-01-01", "2024-01-02", "NaT", "2024-01-04"]),
            "stage": pd.Categorical(["I", "II", None, "I"]),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    found = io.read(tmp_path / "a.parquet", obs_columns=["stage"])
    assert list(found.var_names) == ["whole", "decimal"]
    np.testing.assert_array_equal(found.X, [[1, 1.5], [np.nan, 2.5], [3, np.nan], [4, 3]])
    assert list(found.obs["day"].astype(object).fillna("none")) == [
        *("2024-01-01", "2024-01-02", "none", "2024-01-04")
    ]
    assert found.obs["stage"].isna().tolist() == [False, False, True, False]


def test_lists_in_parquet_and_damaged_files_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"id": ["a", "b"], "values": [[1.0, 2.0], [3.0]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="lists or records in the columns 'values'"):
        io.read(tmp_path / "a.parquet")
    for name in ("a.parquet", "a.feather", "a.xlsx"):
        WRITERS[name](proteins(), tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match=f"{name} is not a complete (Parquet|Feather|Excel)"):
            io.read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("a.parquet", "pyarrow", "parquet"),
        ("a.feather", "pyarrow", "parquet"),
        ("a.xlsx", "openpyxl", "excel"),
    ],
)
def test_missing_package_is_one_sentence_with_the_command(
    name: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[name](proteins(), tmp_path / name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf'{package}.*pip install "diffaug-bio\[{extra}\]"'):
        io.read(tmp_path / name)


# What people put around tables in Excel.


def write_book(path: Path, **sheets: Sequence[Sequence[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    book.close()
    return path


TABLE: list[list[object]] = [
    ["sample", "A", "B", "C"],
    ["s1", 1, 2.5, 3],
    ["s2", 4, None, 6],
    ["s3", 7, 8, 9.5],
]


def test_first_sheet_is_read_and_another_on_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other: list[list[object]] = [["sample", "P", "Q"], ["s1", 1, 2], ["s2", 3, 4]]
    path = write_book(tmp_path / "a.xlsx", raw=TABLE, normalised=other)
    with caplog.at_level(logging.INFO):
        found = io.read(path)
    assert list(found.var_names) == ["A", "B", "C"]
    assert "'raw' is read, not 'normalised' (--sheet)" in caplog.text
    for sheet in ("normalised", "2"):
        assert list(io.read(path, sheet=sheet).var_names) == ["P", "Q"]
    with pytest.raises(InputError, match="no sheet '3'; it holds 'raw', 'normalised'"):
        io.read(path, sheet="3")
    with pytest.raises(InputError, match="no sheets"):
        io.read(WRITERS["a.csv"](proteins(), tmp_path / "a.csv") or tmp_path / "a.csv", sheet="raw")


def test_titles_notes_and_empty_edges_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[list[object]] = [
        ["Supplementary Table 1. Proteins"],
        [],
        *TABLE,
        [],
        ["* after quantile norm."],
    ]
    path = write_book(tmp_path / "a.xlsx", S1=[[None, *row] for row in rows])
    with caplog.at_level(logging.INFO):
        found = io.read(path)
    assert list(found.obs_names) == ["s1", "s2", "s3"]
    np.testing.assert_array_equal(found.X, [[1, 2.5, 3], [4, np.nan, 6], [7, 8, 9.5]])
    assert "header is row 3" in caplog.text
    assert "'* after quantile norm.'" in caplog.text


def test_formulas_without_results_are_no_missing_values(tmp_path: Path) -> None:
    rows: list[list[object]] = [*TABLE[:3], ["s3", "=A2*2", 8, "=SUM(B2:C2)"]]
    with pytest.raises(InputError, match=r"2 cells hold formulas.*'B4', 'D4'"):
        io.read(write_book(tmp_path / "a.xlsx", S1=rows))


def test_genes_that_excel_made_dates_of_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[list[object]] = [["gene", "s1", "s2"], [dt.datetime(2024, 9, 2), 1, 2], ["TP53", 3, 4]]
    found = io.read(write_book(tmp_path / "a.xlsx", S1=rows), transpose=True)
    assert list(found.var_names) == ["2024-09-02", "TP53"]
    assert "SEPT2 and MARCH1" in caplog.text


def test_sheets_without_a_table_and_old_excel_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'notes' holds no table"):
        io.read(write_book(tmp_path / "a.xlsx", notes=[["see"], ["below"]]))
    (tmp_path / "b.xlsx").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 100
    )  # an old or protected workbook
    with pytest.raises(InputError, match=r"password.*\.csv"):
        io.read(tmp_path / "b.xlsx")
