"""Numbers that may be something else: codes for missing values, thousands, times until an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io
from diffaug_bio.io import Schema

if TYPE_CHECKING:
    from pathlib import Path

N_ROWS = 80
RNG = np.random.default_rng(4)


def read(frame: pd.DataFrame, path: Path, caplog: pytest.LogCaptureFixture, **options: object) -> str:
    """Write a table with semicolons, read it, and return the warnings."""
    caplog.clear()
    frame.to_csv(path, sep=";", index=False)
    with caplog.at_level("WARNING", logger="diffaug_bio"):
        io.read(path, **options)  # type: ignore[arg-type]
    return caplog.text


def clinic(**columns: object) -> pd.DataFrame:
    crp, age = RNG.lognormal(1, 0.5, N_ROWS).round(2), RNG.integers(18, 89, N_ROWS)
    return pd.DataFrame({"age": age, "crp": crp, **columns})


@pytest.mark.parametrize("code", [-999, -9, 9999])
def test_codes_for_missing_values_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    values = RNG.normal(1, 0.3, N_ROWS).round(2)
    values[::10] = code
    said = read(clinic(lactate=values), tmp_path / "t.csv", caplog)
    assert "'lactate'" in said
    assert f"{code}" in said
    assert "'crp'" not in said
    assert "lactate" not in read(
        clinic(lactate=values), tmp_path / "t.csv", caplog, schema=Schema(numeric=["lactate"])
    )


def test_usual_measurements_are_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    columns = {
        "answer": RNG.integers(-1, 4, N_ROWS),
        "score": RNG.integers(0, 100, N_ROWS),
        "weight": RNG.normal(70, 12, N_ROWS).round(1),
        "ratio": RNG.normal(200, 60, N_ROWS).round(3),
    }
    assert read(clinic(**columns), tmp_path / "t.csv", caplog) == ""


def test_points_that_may_part_thousands_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cells = RNG.integers(400, 12_000, N_ROWS)
    written = [f"{n // 1000}.{n % 1000:03d}" if n > 999 else str(n) for n in cells]
    said = read(clinic(leukocytes=written), tmp_path / "t.csv", caplog)
    assert "'leukocytes'" in said
    assert "thousands" in said


@pytest.mark.parametrize("name", ["survival_months", "os_days", "time_to_death", "FollowUp"])
def test_times_until_an_outcome_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    said = read(clinic(**{name: RNG.gamma(2, 9, N_ROWS).round(1)}), tmp_path / "t.csv", caplog)
    assert repr(name) in said
    assert "--annotations" in said


def test_categories_beside_whole_numbers_of_patients_are_features(tmp_path: Path) -> None:
    sex, smoker = np.array(["F", "M"])[RNG.integers(0, 2, N_ROWS)], np.array(["no", "yes"] * 40)
    nodes = RNG.poisson(2, N_ROWS)
    frame = pd.DataFrame(
        {"age": RNG.integers(18, 89, N_ROWS), "nodes": nodes, "sex": sex, "smoker": smoker}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert list(io.read(tmp_path / "t.csv").var_names) == ["age", "nodes", "sex=F", "sex=M", "smoker"]


def test_categories_beside_counts_are_annotations_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counts = RNG.poisson(RNG.gamma(0.5, 4, (N_ROWS, 8)) * RNG.lognormal(0, 0.5, (N_ROWS, 1)))
    frame = pd.DataFrame(counts, columns=[f"CD{n}" for n in range(8)])
    frame["sex"] = np.array(["F", "M"])[RNG.integers(0, 2, N_ROWS)]
    said = read(frame, tmp_path / "t.csv", caplog)
    assert "'sex'" in said
    assert "--categorical" in said
