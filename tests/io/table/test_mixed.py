"""Columns of categories, ordered levels and truth values: found, said, coded, and read back."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.io.table import table_from_frame
from diffaug_bio.matrix.columns import CodedColumns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    Read = Callable[..., AnnData]

N_ROWS = 40


def clinic(n_rows: int = N_ROWS) -> pd.DataFrame:
    """Write down some patients: text, truth, order, numbers, blanks, and an outcome."""
    rng = np.random.default_rng(0)
    number = np.arange(n_rows)
    frame = pd.DataFrame(
        {
            "patient": [f"p{at}" for at in number],
            "age": rng.integers(18, 89, n_rows),
            "sex": np.array(["F", "M"])[number % 2],
            "crp": rng.lognormal(1, 1, n_rows).round(2),
            "grade": np.array(["I", "II", "III"])[number % 3],
            "smoker": np.array(["yes", "no"])[number % 4 // 2],
            "fever": np.array([True, False])[number % 2],
            "albumin": rng.normal(40, 4, n_rows).round(1),
            "outcome": np.array(["died", "alive"])[number % 2],
            "site": np.array(["Bern", "Basel"])[number % 2],
            "remark": [f"note {at}" for at in number],
        }
    )
    return frame.astype({"sex": object, "crp": object})


def text_of(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


def columns_of(adata: AnnData) -> dict[str, tuple[str, tuple[str, ...]]]:
    coded = CodedColumns.from_text(adata.uns["columns"], source="test")
    return {column.name: (column.kind, column.levels) for column in coded}


def test_columns_of_few_values_are_features_with_a_warning(
    read: Read, warned: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    frame = clinic()
    frame.loc[3, "sex"] = ""
    adata = read(text_of(frame))
    coded = ["sex=F", "sex=M", "crp", "grade=I", "grade=II", "grade=III", "smoker", "fever", "albumin"]
    assert list(adata.var_names) == ["age", *coded]
    assert columns_of(adata) == {
        "sex": ("categorical", ("F", "M")),
        "grade": ("categorical", ("I", "II", "III")),
        "smoker": ("boolean", ("no", "yes")),
        "fever": ("boolean", ("False", "True")),
    }
    table = adata.to_df()
    assert table[["sex=F", "sex=M"]].iloc[:3].to_numpy().tolist() == [[1, 0], [0, 1], [1, 0]]
    assert table[["sex=F", "sex=M"]].iloc[3].isna().all()
    assert table["smoker"].tolist() == [1, 1, 0, 0] * (N_ROWS // 4)
    assert table["fever"].tolist() == [1, 0] * (N_ROWS // 2)
    assert list(adata.obs) == ["outcome", "site", "remark"]
    assert "'sex', 'grade', 'smoker', 'fever'" in warned()
    assert "--annotations" in warned()
    assert "'outcome', 'site', 'remark' are annotations" in caplog.text
    assert "'outcome', 'site' have few different values, and are no features" in caplog.text


def test_what_is_said_goes_before_what_is_found(read: Read, warned: Callable[[], str]) -> None:
    schema = io.Schema(
        id="remark",
        annotations=["smoker"],
        categorical=["site", "age"],
        ordinal={"grade": ["I", "II", "III", "IV"]},
        ignore=["fever"],
        numeric=["albumin"],
    )
    adata = read(text_of(clinic()), schema=schema, obs_columns=["sex"])
    assert adata.obs_names[3] == "note 3"
    assert list(adata.obs) == ["patient", "sex", "smoker", "outcome"]
    found = columns_of(adata)
    assert found["grade"] == ("ordinal", ("I", "II", "III", "IV"))
    assert found["site"] == ("categorical", ("Basel", "Bern"))
    assert found["age"][0] == "categorical"
    assert adata.to_df()["grade"].tolist()[:4] == [0, 1, 2, 0]
    assert not any(name.startswith("fever") for name in adata.var_names)
    assert "features" not in warned()


def test_counts_with_labels_have_no_categories(read: Read) -> None:
    counts = np.random.default_rng(0).poisson(0.4, (N_ROWS, 30))
    frame = pd.DataFrame(counts, columns=[f"g{number}" for number in range(30)])
    frame.insert(0, "kind of food", ["fish", "bread"] * (N_ROWS // 2))
    adata = read(text_of(frame))
    assert adata.n_vars == 30
    assert "columns" not in adata.uns
    assert list(adata.obs) == ["kind of food"]


def test_text_of_many_values_or_few_rows_stays_an_annotation(read: Read) -> None:
    frame = clinic()
    frame["town"] = [f"town {number % 12}" for number in range(N_ROWS)]
    assert "town" in read(text_of(frame)).obs
    small = read(text_of(clinic(6)))
    assert {"sex", "grade"} <= set(small.obs)
    assert list(columns_of(small)) == ["smoker", "fever"]


def test_missing_indicators_are_features(read: Read) -> None:
    frame = clinic().astype(object)
    frame.loc[[1, 5], "age"] = ""
    frame.loc[[2], "sex"] = "NA"
    frame.loc[[3], "smoker"] = ""
    adata = read(text_of(frame), schema=io.Schema(missing_indicators=True))
    table = adata.to_df()
    for name, rows in {"age": [1, 5], "sex": [2], "smoker": [3]}.items():
        assert np.flatnonzero(table[f"{name}=missing"]).tolist() == rows
        assert columns_of(adata).keys() >= {name}
    assert "crp=missing" not in table
    assert np.isnan(table["age"]).sum() == 2


def test_the_word_none_is_a_level_and_other_words_are_missing(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    frame = clinic()
    frame["pain"] = ["None", "mild", "NA", "severe"] * (N_ROWS // 4)
    adata = read(text_of(frame))
    assert columns_of(adata)["pain"][1] == ("None", "mild", "severe")
    assert "'NA' count as missing values (10)" in caplog.text
    adata = read(text_of(frame), schema=io.Schema(ordinal={"pain": ["None", "mild", "severe"]}))
    np.testing.assert_array_equal(adata.to_df()["pain"][:4], [0, 1, np.nan, 2])


def test_a_value_that_is_no_level_is_named(read: Read) -> None:
    with pytest.raises(InputError, match=r"column 'grade' holds 'III' in row 'p2'.*'I', 'II'.*13 such"):
        read(text_of(clinic()), schema=io.Schema(ordinal={"grade": ["I", "II"]}))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"categorical": ["sexx"]}, r"no column 'sexx' \(did you mean 'sex'\?\)"),
        ({"categorical": ["sex"], "ignore": ["sex"]}, r"more than once: 'sex'"),
        ({"ordinal": {"grade": ["I"]}}, r"'grade' needs two levels"),
        ({"ordinal": {"grade": ["I", "I"]}}, r"'grade' needs two levels"),
        ({"categorical": "sex"}, r"`categorical`.*list of names"),
        ({"numeric": ["sex"]}, r"column 'sex' is numeric, but row 'p0' holds 'F'"),
        ({"id": "sex"}, r"ids in column 'sex' occur more than once"),
        ({"categorical": ["sex"], "annotations": ["sex=F"]}, r"no column 'sex=F'"),
    ],
)
def test_a_schema_that_cannot_be_is_refused(read: Read, schema: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(text_of(clinic()), schema=io.Schema(**schema))  # type: ignore[arg-type]


def test_a_table_of_categories_alone_is_one_if_they_are_named(read: Read) -> None:
    text = text_of(clinic()[["patient", "sex", "smoker"]])
    with pytest.raises(InputError, match=r"no numeric column.*--categorical"):
        read(text)
    adata = read(text, schema=io.Schema(categorical=["sex", "smoker"]))
    assert list(adata.var_names) == ["sex=F", "sex=M", "smoker"]


def test_names_that_levels_and_columns_share_are_refused(read: Read) -> None:
    frame = clinic()
    frame["sex=F"] = 1.5
    with pytest.raises(InputError, match=r"1 features occur more than once: 'sex=F'"):
        read(text_of(frame))


def test_names_of_labels_may_be_numbers_where_one_says_so(read: Read, warned: Callable[[], str]) -> None:
    frame = clinic().rename(columns={"age": "target", "albumin": "visit_id"})
    adata = read(text_of(frame), schema=io.Schema(numeric=["target", "visit_id"]))
    assert {"target", "visit_id"} <= set(adata.var_names)
    assert "visit_id" not in warned()


def test_typed_frames_give_what_their_text_gives(read: Read, tmp_path: Path) -> None:
    frame = clinic()
    text = read(text_of(frame))
    typed = frame.astype({"sex": "category", "grade": "category", "crp": float, "smoker": "string"})
    adata = table_from_frame(typed, tmp_path / "t.parquet")
    assert list(adata.var_names) == list(text.var_names)
    np.testing.assert_array_equal(adata.X, text.X)
    assert columns_of(adata) == columns_of(text)
    pd.testing.assert_frame_equal(adata.obs, text.obs)


def test_dates_of_typed_frames_are_annotations(tmp_path: Path) -> None:
    frame = clinic()
    frame["seen"] = [dt.datetime(2026, 1, 1 + at % 28, tzinfo=dt.UTC) for at in range(N_ROWS)]
    assert "seen" in table_from_frame(frame, tmp_path / "t.parquet").obs


def test_tables_are_written_as_they_were_and_read_back_equal(read: Read, tmp_path: Path) -> None:
    frame = clinic().astype(object)
    frame.loc[[1, 5], ["age", "grade", "fever", "outcome"]] = ""
    adata = read(text_of(frame), schema=io.Schema(ordinal={"grade": ["I", "II", "III"]}))
    io.write_table(tmp_path / "t.csv", adata)
    again = io.read(tmp_path / "t.csv", schema=io.Schema(ordinal={"grade": ["I", "II", "III"]}))
    np.testing.assert_array_equal(again.X, adata.X)
    assert columns_of(again) == columns_of(adata)
    io.write_h5ad(tmp_path / "t.h5ad", adata)
    assert columns_of(io.read(tmp_path / "t.h5ad")) == columns_of(adata)


names = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=6).filter(
    lambda name: name.strip() == name
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(names, min_size=5, max_size=9, unique=True),
    levels=st.lists(names, min_size=2, max_size=4, unique=True),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_a_schema_comes_back_from_toml(
    tmp_path: Path, columns: list[str], levels: list[str], flags: tuple[bool, bool, bool]
) -> None:
    schema = io.Schema(
        id=columns[0],
        annotations=columns[4:],
        categorical=[columns[1]],
        ordinal={columns[2]: levels},
        ignore=[columns[3]],
        missing_indicators=flags[0],
        detect=flags[1],
        allow_absent=flags[2],
    )
    (tmp_path / "s.toml").write_text(schema.to_toml(), encoding="utf-8")
    assert io.Schema.from_toml(tmp_path / "s.toml") == schema


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("categorial = ['sex']", r"unknown key 'categorial' \(did you mean 'categorical'\?\)"),
        ("categorical = [1]", "list of names"),
        ("ordinal = ['a']", "table of columns"),
        ("id = 3", "`id`"),
        ("missing_indicators = 1", "true or false"),
        ("id = ", "no TOML"),
        pytest.param(f"id = {'9' * 5000}", "no TOML", id="digits"),
    ],
)
def test_a_file_that_is_no_schema_is_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        io.Schema.from_toml(tmp_path / "s.toml")
    assert "s.toml" in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        io.Schema.from_toml(tmp_path / "none.toml")


def test_a_schema_for_data_without_columns_is_refused(write: Callable[..., Path]) -> None:
    path = write(">a label=x\nACGTACGT\n", "s.fa")
    with pytest.raises(InputError, match=r"s\.fa is not read as a table"):
        io.read(path, schema=io.Schema(categorical=["label"]))
    assert io.read(path, schema=io.Schema(categorical=["label"], allow_absent=True)).n_obs == 1


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.feather", "t.xlsx"])
def test_what_is_proposed_and_said_holds_for_every_format(tmp_path: Path, name: str) -> None:
    pytest.importorskip("openpyxl" if name.endswith("xlsx") else "pyarrow")
    frame = clinic().astype({"crp": float})
    match name:
        case "t.csv":
            frame.to_csv(tmp_path / name, index=False)
        case "t.parquet":
            frame.to_parquet(tmp_path / name, index=False)
        case "t.feather":
            frame.to_feather(tmp_path / name)
        case _:
            frame.to_excel(tmp_path / name, index=False)
    (tmp_path / "s.toml").write_text(io.propose_schema(tmp_path / name), encoding="utf-8")
    schema = io.Schema.from_toml(tmp_path / "s.toml")
    assert schema.id == "patient"
    text = (tmp_path / "s.toml").read_text(encoding="utf-8")
    categories = text[text.index("categorical = [") : text.index("annotations = [")]
    assert re.findall(r'^    # "(\w+)",.*DECIDE', categories, re.MULTILINE) == [
        "sex",
        "grade",
        "smoker",
        "fever",
    ]
    assert not schema.categorical  # until the user decides
    assert schema.numeric == ("age", "crp", "albumin")
    assert schema.annotations == ("outcome", "site", "remark")
    adata = io.read(tmp_path / name, schema=tmp_path / "s.toml")
    np.testing.assert_array_equal(adata.X, io.read(tmp_path / name).X)
    said = io.Schema(ordinal={"grade": ["I", "II", "III"]}, ignore=["sex"])
    adata = io.read(tmp_path / name, schema=said, obs_columns=["fever"])
    assert list(adata.var_names) == ["age", "crp", "grade", "smoker", "albumin"]
    assert list(adata.obs["fever"]) == [True, False] * (N_ROWS // 2)


def test_columns_that_a_later_table_lacks_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clinic().drop(columns="sex").to_csv(tmp_path / "later.csv", index=False)
    schema = io.Schema(categorical=["sex", "smokr"], allow_absent=True, detect=False)
    with caplog.at_level("INFO", logger="diffaug_bio"):
        io.read(tmp_path / "later.csv", schema=schema)
    assert "'sex', 'smokr'" in caplog.text


def test_a_column_of_categories_without_values_is_refused_in_a_fit_and_kept_later(tmp_path: Path) -> None:
    clinic().assign(sex="").to_csv(tmp_path / "empty.csv", index=False)
    with pytest.raises(InputError, match=r"empty\.csv.*'sex'.*--ignore"):
        io.read(tmp_path / "empty.csv", schema=io.Schema(categorical=["sex"]))
    later = io.read(tmp_path / "empty.csv", schema=io.Schema(categorical=["sex"], allow_absent=True))
    assert '["sex", "categorical", []]' in later.uns["columns"]


def test_codes_with_zeros_in_front_stay_as_they_are(read: Read) -> None:
    rows = "".join(f"r{n},{n / 7:.3f},{n % 3:02d}\n" for n in range(30))
    adata = read(f"id,a,batch\n{rows}")
    assert list(adata.obs["batch"].cat.categories) == ["00", "01", "02"]


def test_a_level_that_a_later_table_adds_is_left_to_the_model(tmp_path: Path) -> None:
    frame = clinic()
    frame.loc[0, "grade"] = "IV"
    frame.to_csv(tmp_path / "later.csv", index=False)
    ordinal = {"grade": ["I", "II", "III"]}
    with pytest.raises(InputError, match="'IV'"):
        io.read(tmp_path / "later.csv", schema=io.Schema(ordinal=ordinal))
    later = io.read(tmp_path / "later.csv", schema=io.Schema(ordinal=ordinal, allow_absent=True))
    assert CodedColumns.of_uns(later.uns).columns[1].levels == ("I", "II", "III", "IV")
