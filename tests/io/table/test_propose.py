"""Proposed schemas: unedited, a fit does with them what it does without, and warns of the same."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

N_ROWS = 60


def patients() -> pd.DataFrame:
    """Write down patients with a running number, outcomes in numbers and in words, and gaps."""
    rng = np.random.default_rng(1)
    number = np.arange(N_ROWS)
    return pd.DataFrame(
        {
            "Nummer": number + 1,
            "age": rng.integers(30, 80, N_ROWS),
            "crp": rng.lognormal(1, 1, N_ROWS).round(2),
            "dose": np.where(number % 9 == 4, -999, rng.integers(5, 50, N_ROWS) / 2),
            "died": rng.integers(0, 2, N_ROWS),
            "study_id": rng.permutation(N_ROWS) + 100,
            "Verlauf": np.array(["lebt", "verstorben"])[number % 2],
            "diabetes": np.array(["Yes", "No", "N/A"])[number % 3],
            "outcome": np.array(["alive", "died", "NA"])[number % 3],
        }
    )


@pytest.fixture
def proposed(tmp_path: Path) -> Callable[[pd.DataFrame], tuple[Path, Path, str]]:
    """Write a table and the schema that is proposed for it; return both files and the text."""

    def propose(frame: pd.DataFrame, separator: str = ",") -> tuple[Path, Path, str]:
        path, schema = tmp_path / "t.csv", tmp_path / "s.toml"
        frame.to_csv(path, index=False, sep=separator)
        text = io.propose_schema(path)
        schema.write_text(text, encoding="utf-8")
        return path, schema, text

    return propose


def line_of(name: str, text: str) -> str:
    return next(line for line in text.splitlines() if f'"{name}",' in line)


def test_an_unedited_proposal_changes_neither_features_nor_warnings(
    proposed: Callable[..., tuple[Path, Path, str]], caplog: pytest.LogCaptureFixture
) -> None:
    path, schema, _ = proposed(patients())
    caplog.clear()
    plain = io.read(path)
    warned = {record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING}
    assert any("'Nummer' count the rows" in message for message in warned)
    assert any("'dose' hold -999" in message for message in warned)
    assert any("'died' look like" in message for message in warned)
    assert any("'Verlauf', 'diabetes' have few" in message for message in warned)
    caplog.clear()
    said = io.read(path, schema=schema)
    again = {record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING}
    # The proposal keeps the identifiers out by name, which answers the warning of them.
    assert again == {message for message in warned if "'study_id' are named like" not in message}
    assert list(said.var_names) == list(plain.var_names)
    np.testing.assert_array_equal(said.X, plain.X)
    pd.testing.assert_frame_equal(said.obs, plain.obs)
    assert said.uns["columns"] == plain.uns["columns"]


def test_what_a_fit_warns_of_is_a_comment_until_it_is_decided(
    proposed: Callable[..., tuple[Path, Path, str]], caplog: pytest.LogCaptureFixture
) -> None:
    path, schema, text = proposed(patients())
    assert "DECIDE: It counts the rows" in line_of("Nummer", text)
    assert "DECIDE: It may hold codes for missing values" in line_of("dose", text)
    assert "DECIDE: It looks like a label, a batch or an outcome" in line_of("died", text)
    assert "identifies the rows" in line_of("study_id", text)
    assert "name is that of a label" in line_of("outcome", text)
    for name in ("Nummer", "dose", "died", "Verlauf", "diabetes"):
        text = text.replace(f'# "{name}",', f'"{name}",')
    schema.write_text(text, encoding="utf-8")
    caplog.clear()
    adata = io.read(path, schema=schema)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert {"Nummer", "died", "diabetes"} <= {*adata.var_names}


def test_decimal_commas_stay_numeric_and_categories_beside_them_features(
    proposed: Callable[..., tuple[Path, Path, str]],
) -> None:
    frame = patients()
    frame["crp"] = frame["crp"].map(lambda value: f"{value:.2f}".replace(".", ","))
    path, schema, text = proposed(frame, separator=";")
    assert io.Schema.from_toml(schema).numeric == ("age", "crp")
    assert "FIX: " in line_of("crp", text)
    assert text.index('"Verlauf"') < text.index("annotations = [")
    for given in (None, schema):
        with pytest.raises(InputError, match="'crp' has decimal commas"):
            io.read(path, schema=given)


def test_words_for_missing_values_are_no_levels_of_yes_and_no(
    proposed: Callable[..., tuple[Path, Path, str]], caplog: pytest.LogCaptureFixture
) -> None:
    path, schema, text = proposed(patients())
    assert "Yes, No (2 different; 20 missing, such as N/A)" in line_of("diabetes", text)
    assert "alive, died, NA (3 different)" in line_of("outcome", text)  # labels among annotations
    assert "diabetes = " not in text
    assert "each of the 1 columns with missing values" in text
    for given in (None, schema, io.Schema(categorical=["diabetes"])):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="diffaug_bio"):
            adata = io.read(path, schema=given)
        assert "'diabetes': 'N/A' count as missing values (20)" in caplog.text
        np.testing.assert_array_equal(adata.to_df()["diabetes"][:3], [1, 0, np.nan])


@pytest.mark.parametrize("index_name", [None, "cell"])
def test_a_proposal_for_named_rows_of_parquet_names_no_column_of_ids(
    tmp_path: Path, index_name: str | None
) -> None:
    pytest.importorskip("pyarrow")
    frame = patients()[["age", "crp"]].set_axis([f"p{at}" for at in range(N_ROWS)])
    frame.rename_axis(index_name).to_parquet(tmp_path / "t.parquet")
    (tmp_path / "s.toml").write_text(io.propose_schema(tmp_path / "t.parquet"), encoding="utf-8")
    assert list(io.read(tmp_path / "t.parquet", schema=tmp_path / "s.toml").obs_names[:2]) == ["p0", "p1"]
