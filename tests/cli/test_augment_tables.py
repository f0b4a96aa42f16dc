"""`diffaug-bio augment` of a table with columns of all kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffaug_bio import tl
from diffaug_bio.io.h5ad import write_h5ad
from tests.mixed_tables import GRADE, NUMBERS, STAGE, TABLE_CONFIG, mixed_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result


def test_the_command_writes_a_table_like_the_one_that_was_read(
    tmp_path: Path, call: Callable[..., Result]
) -> None:
    adata = mixed_table()
    write_h5ad(tmp_path / "patients.h5ad", adata)
    tl.fit(adata, config=TABLE_CONFIG, verbose=False).save(tmp_path / "model")
    result = call(
        "augment",
        tmp_path / "patients.h5ad",
        *("--model", tmp_path / "model", "-o", tmp_path / "more.csv", "--missing", "keep"),
    )
    assert result.code == 0, result.err
    frame = pd.read_csv(tmp_path / "more.csv", dtype=str, keep_default_na=False)
    assert list(frame.columns[:11]) == ["id", *NUMBERS, "sex", "stage", "grade", "smoker"]
    assert set(frame["sex"]) == {"F", "M", ""}
    assert set(frame["stage"]) <= {*STAGE.levels, ""}
    assert set(frame["grade"]) <= {*GRADE.levels, ""}
    assert set(frame["smoker"]) == {"no", "yes", ""}
    assert frame["age"].str.fullmatch(r"\d+|").all()
    assert ((frame["age"] == "") == np.isnan(adata[:, "age"].X[:, 0])).all()
    result = call("info", tmp_path / "model")
    assert "6 numeric, 2 categorical, 1 ordinal, 1 boolean, 1 that tell of missing values" in result.out
