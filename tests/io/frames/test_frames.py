"""Tables of Parquet, Feather and Excel, written by pandas and openpyxl."""

from __future__ import annotations

import datetime as dt
import logging
import sys
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.io import _files
from diffaug_bio.io.frames._arrow_sizes import unpacked_feather_size

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


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write a table whatever its types and names, as other programs do."""
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
        return
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)


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


@pytest.mark.parametrize("form", ["plain", "coded", "fixed"])
@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_bytes_are_read_as_text_and_it_is_said(
    name: str, form: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = proteins()
    table = pa.Table.from_pandas(frame.set_index("sample_id"))
    for place, column in ((3, "genotype"), (4, "sample_id")):
        values = pa.array([text.encode() for text in frame[column]])
        if form == "coded":
            values = values.dictionary_encode()
        table = table.set_column(place, column, values.cast(pa.binary(2)) if form == "fixed" else values)
    write_arrow(table, tmp_path / name)
    with caplog.at_level(logging.INFO):
        found = io.read(tmp_path / name)
    assert list(found.obs_names) == list(frame["sample_id"])
    assert list(found.obs["genotype"]) == list(frame["genotype"])
    assert "bytes in the columns 'genotype', 'sample_id'" in caplog.text
    write_arrow(table.append_column("raw", pa.array([b"\xff\xfe"] * 8)), tmp_path / name)
    with pytest.raises(InputError, match=r"no text \(UTF-8\) in the column 'raw'"):
        io.read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_columns_and_row_names_of_one_name_are_named(name: str, tmp_path: Path) -> None:
    write_arrow(pa.Table.from_arrays([pa.array([1.0, 2.0])] * 2, names=["a", "a"]), tmp_path / name)
    with pytest.raises(InputError, match=r"more than one column of the names 'a'.*own name"):
        io.read(tmp_path / name)
    levels = pd.MultiIndex.from_arrays([[0, 0, 1], [0, 1, 0]], names=["mouse", "visit"])
    frame = pd.DataFrame({"a": [1.0, 2, 3], "mouse": [4.0, 5, 6]}, index=levels)
    write_arrow(pa.Table.from_pandas(frame), tmp_path / name)
    with pytest.raises(InputError, match=r"row names and columns of the same names 'mouse'"):
        io.read(tmp_path / name)


def test_texts_that_parquet_keeps_once_are_counted_before_they_are_unpacked(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * 400_000]))
    table = pa.table({"text": texts, "a": np.arange(3000.0)})
    parquet.write_table(table, tmp_path / "a.parquet", store_schema=False)
    before = pa.total_allocated_bytes()
    with pytest.raises(InputError, match=r"1\.118 GiB of values.*cannot hold them"):
        io.read(tmp_path / "a.parquet")
    assert pa.total_allocated_bytes() - before < 2**24


@pytest.mark.parametrize("compression", ["zstd", "lz4", "uncompressed"])
def test_size_of_feather_is_known_before_it_is_unpacked(compression: str, tmp_path: Path) -> None:
    names = pa.array(["liver", "lung"] * 5000).dictionary_encode()
    table = pa.table({"a": np.zeros(10_000), "text": ["x" * 50] * 10_000, "tissue": names})
    path = tmp_path / "a.feather"
    feather.write_feather(table, path, compression=compression, chunksize=3000)
    # Buffers are filled up to 8 or 64 bytes, and 4 batches have an end of offsets each.
    assert 0 <= unpacked_feather_size(path, 3) - table.nbytes < 2**13


def test_feather_that_unpacks_to_more_than_it_can_hold_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_files, "_ALWAYS_UNPACKED", 2**20)
    feather.write_feather(
        pa.table({"a": np.zeros(2**20), "b": np.zeros(2**20)}),
        tmp_path / "a.feather",
        compression="zstd",
        chunksize=2**20,
    )
    before = pa.total_allocated_bytes()
    with pytest.raises(InputError, match=r"declares 0\.0156\d* GiB.*cannot hold them"):
        io.read(tmp_path / "a.feather")
    assert pa.total_allocated_bytes() == before


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


def test_rows_beyond_those_of_excel_are_refused(tmp_path: Path) -> None:
    path, far = write_book(tmp_path / "a.xlsx", S1=TABLE), tmp_path / "far.xlsx"
    row = b'<row r="2000000"><c r="A2000000"><v>1</v></c></row></sheetData>'
    with zipfile.ZipFile(path) as book, zipfile.ZipFile(far, "w") as other:
        for name in book.namelist():
            other.writestr(name, book.read(name).replace(b"</sheetData>", row))
    with pytest.raises(InputError, match="1,048,576"):
        io.read(far)
