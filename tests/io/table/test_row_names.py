"""Identifiers of rows, codes, and labels that are words for missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io
from diffaug_bio.datasets import DataSource, read_source
from diffaug_bio.errors import InputError
from diffaug_bio.io import Schema
from diffaug_bio.io.table import table_from_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData

    Read = Callable[..., AnnData]


def table(columns: Mapping[str, Sequence[object]]) -> str:
    return pd.DataFrame(columns).to_csv(index=False)


N_ROWS = 12
VALUES = [round(0.37 * number**1.5, 2) for number in range(N_ROWS)]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "patient_id",
            "Visit_ID",
            "PatientID",
            "subjectId",
            "Record ID",
            "mrn",
            "cell barcode",
            "sampleNo",
            "Nr",
        ),
        *("case nr", "row", "Entrez_Gene_Id"),
    ],
)
def test_a_first_column_of_running_numbers_names_the_rows(
    read: Read, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    numbers = [100_001 + 3 * number for number in range(N_ROWS)]
    adata = read(table({name: numbers, "a": VALUES, "b": VALUES[::-1]}))
    assert list(adata.obs_names) == list(map(str, numbers))
    assert list(adata.var_names) == ["a", "b"]
    assert repr(name) in caplog.text


@pytest.mark.parametrize("name", ["age", "dose", "copy_number", "IgG", "fluid"])
def test_a_first_column_of_measurements_is_a_feature(read: Read, name: str) -> None:
    adata = read(table({name: [30 + number // 2 for number in range(N_ROWS)], "a": VALUES}))
    assert list(adata.var_names) == [name, "a"]


def test_coordinates_are_features_and_the_numbers_of_r_are_names(read: Read) -> None:
    counted = list(range(1, N_ROWS + 1))
    assert list(read(table({"X": counted, "a": VALUES})).obs_names) == list(map(str, counted))
    places = [7 * number + 3 for number in range(N_ROWS)]
    assert list(read(table({"X": places, "y": places[::-1]})).var_names) == ["X", "y"]
    beside = table({"cell": [f"c{n}" for n in counted], "x": places, "X": counted, "y": VALUES})
    assert list(read(beside).var_names)[:2] == ["x", "X"]


def test_identifiers_elsewhere_are_left_out_with_a_warning(read: Read, warned: Callable[[], str]) -> None:
    numbers = list(range(7, 7 + N_ROWS))
    text = table(
        {"id": [f"r{n}" for n in numbers], "a": VALUES, "visit_id": numbers, "copy_number": [1, 2] * 6}
    )
    adata = read(text)
    assert list(adata.var_names) == ["a", "copy_number"]
    assert list(adata.obs["visit_id"]) == numbers
    assert "'visit_id'" in warned()
    assert "copy_number" not in warned()


def test_an_identifier_that_repeats_is_a_group_and_no_feature(
    read: Read, warned: Callable[[], str]
) -> None:
    adata = read(table({"patient_id": [n // 3 for n in range(N_ROWS)], "a": VALUES}))
    assert list(adata.var_names) == ["a"]
    assert list(adata.obs_names) == list(map(str, range(N_ROWS)))
    assert list(adata.obs["patient_id"]) == [n // 3 for n in range(N_ROWS)]
    assert "'patient_id'" in warned()


def test_codes_are_warned_of_all_by_name(read: Read, warned: Callable[[], str]) -> None:
    names = ["site", "plate_nr", "Outcome", "batch2 batch", "treatment group", "diseaseStatus", "hospital"]
    codes = {name: [number % (2 + at % 3) for number in range(N_ROWS)] for at, name in enumerate(names)}
    adata = read(table({"a": VALUES, **codes, "b": VALUES, "targeted": VALUES, "lymphocytes": [3, 4] * 6}))
    assert "more" not in warned()
    assert all(repr(name) in warned() for name in names)
    assert "lymphocytes" not in warned()
    assert "--annotations" in warned()
    assert list(adata.var_names) == ["a", *names, "b", "targeted", "lymphocytes"]
    read(table({"a": VALUES, **codes}), obs_columns=names)
    assert warned() == ""


LABELS = ["None", "NA", "null", "n/a", "nan", "N/A", "drug", "-", "", "drug", "None", "x"]


@pytest.mark.parametrize("name", ["treatment", "label", "asked for"])
def test_only_an_empty_cell_is_a_missing_label(read: Read, name: str) -> None:
    rows = "".join(f"r{number};{number};{label}\n" for number, label in enumerate(LABELS))
    asked = ["asked for"] if name == "asked for" else []
    adata = read(f"id;a;{name}\n{rows}", obs_columns=asked)
    found = adata.obs[name]
    assert found.isna().tolist() == [label == "" for label in LABELS]
    assert [label for label in found if isinstance(label, str)] == [label for label in LABELS if label]


def test_labels_that_are_words_for_missing_values_are_kept_in_files(read: Read, tmp_path: Path) -> None:
    rows = "".join(f"r{number};{number};{label}\n" for number, label in enumerate(LABELS))
    adata = read(f"id;a;label\n{rows}")
    io.write_h5ad(tmp_path / "t.h5ad", adata)
    io.write_table(tmp_path / "t.csv", adata)
    for name in ("t.h5ad", "t.csv"):
        found = io.read(tmp_path / name).obs["label"]
        assert list(found.astype(object).fillna("")) == LABELS


def test_numbers_and_the_word_none_in_a_column_of_labels_are_labels(read: Read) -> None:
    adata = read("id,a,class\nr1,1,None\nr2,2,1\nr3,3,2\nr4,4,\n")
    assert list(adata.obs["class"].astype(object).fillna("")) == ["None", "1", "2", ""]
    adata = read("id,a,class\nr1,1,1\nr2,2,1\nr3,3,2\nr4,4,\n")
    assert list(adata.obs["class"].dropna()) == [1, 1, 2]


def test_frames_with_types_are_read_as_text_is(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "sample_id": ["s1", "s2", "s3"],
            "a": [1, 2, 3],
            "b": pd.array([1.5, None, 2.5], dtype="Float64"),
            "kind": pd.Categorical(["x", "None", None]),
            "label": [0, 1, 0],
            "texts": ["1.5", "2", None],
            "text": pd.array(["u", "v", "w"], dtype="string"),
        }
    )
    for given in (frame, frame.set_index("sample_id")):
        adata = table_from_frame(given, tmp_path / "t.parquet")
        assert list(adata.obs_names) == ["s1", "s2", "s3"]
        assert list(adata.var_names) == ["a", "b", "texts"]
        expected = np.array([[1, 1.5, 1.5], [2, np.nan, 2], [3, 2.5, np.nan]], np.float32)
        np.testing.assert_array_equal(adata.X, expected)
        assert list(adata.obs) == ["kind", "label", "text"]
        assert list(adata.obs["kind"].astype(object).fillna("")) == ["x", "None", ""]


def test_a_first_column_that_is_asked_for_names_rows_and_is_an_annotation(read: Read) -> None:
    text = table({"patient": [f"p{n}" for n in range(N_ROWS)], "a": VALUES, "b": VALUES})
    adata = read(text, obs_columns=["patient"])
    assert adata.obs_names[1] == "p1"
    assert list(adata.obs["patient"]) == [f"p{n}" for n in range(N_ROWS)]
    repeated = table({"patient": [f"p{n // 2}" for n in range(N_ROWS)], "a": VALUES})
    adata = read(repeated, obs_columns=["patient"])
    assert adata.obs_names[1] == "1"
    assert adata.obs["patient"].iloc[1] == "p0"


@pytest.mark.parametrize("key", ["label_key", "group_key", "split_key"])
def test_columns_that_a_command_names_are_no_features(tmp_path: Path, key: str) -> None:
    half = ["train", "test"] * (N_ROWS // 2) if key == "split_key" else [1, 2] * (N_ROWS // 2)
    (tmp_path / "t.csv").write_text(table({"id": range(N_ROWS), "a": VALUES, "b": VALUES, "part": half}))
    source = DataSource(data=str(tmp_path / "t.csv"), **{key: "part"})  # type: ignore[arg-type]
    adata, _ = read_source(source)
    assert list(adata.var_names) == ["a", "b"]
    assert list(adata.obs["part"]) == half


def test_a_column_that_counts_the_rows_is_warned_of(read: Read, warned: Callable[[], str]) -> None:
    columns = {"a": VALUES, "order": list(range(5, 5 + N_ROWS)), "day": [*range(N_ROWS - 1), 99]}
    adata = read(table(columns))
    assert list(adata.var_names) == ["a", "order", "day"]
    assert "'order' count the rows" in warned()
    read(table(columns), schema=io.Schema(numeric=["order"]))
    assert warned() == ""


def test_labels_that_differ_in_blanks_or_capitals_are_warned_of(
    read: Read, warned: Callable[[], str]
) -> None:
    for other in ("drug ", "Drug"):
        adata = read(
            table({"id": range(N_ROWS), "a": VALUES, "label": ["drug", other, "none"] * (N_ROWS // 3)})
        )
        assert set(adata.obs["label"]) == {"drug", other, "none"}
        assert repr(other) in warned()


def test_repeated_genes_in_rows_are_answered_with_the_option(read: Read) -> None:
    with pytest.raises(InputError, match=r"'A'.*--transpose"):
        read("gene,s1,s2\nA,1,2\nA,3,4\n")


def test_a_column_of_ids_that_is_an_annotation_too_names_the_rows(read: Read) -> None:
    patients = [f"p{n}" for n in range(N_ROWS)]
    text = table({"a": VALUES, "patient": patients})
    adata = read(text, schema=Schema(id="patient"), obs_columns=["patient"])
    assert list(adata.obs_names) == patients
    assert list(adata.obs["patient"]) == patients
    assert list(adata.var_names) == ["a"]


@pytest.mark.parametrize("name", ["Patient", "participant", "pid", "subject"])
def test_a_first_column_of_numbered_patients_names_the_rows(read: Read, name: str) -> None:
    adata = read(table({name: list(range(101, 101 + N_ROWS)), "a": VALUES}))
    assert list(adata.obs_names)[:2] == ["101", "102"]
    assert list(adata.var_names) == ["a"]


def test_a_header_without_rows_is_named(read: Read) -> None:
    with pytest.raises(InputError, match=r"table\.csv .* no rows"):
        read("id,a,b\n")
