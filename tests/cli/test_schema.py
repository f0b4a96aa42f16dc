"""Tables with columns of mixed kinds, from the command line: `schema`, a fit, and later tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Call = Callable[..., Result]

N_ROWS = 60
CONFIG = """preset = "quick"
[encoder]
n_latent = 8
hidden = [16]
[generator]
width = 16
n_steps = 20
n_sampling_steps = 3
[train]
warmup_epochs = 1
generator_epochs = 1
encoder_epochs = 1
min_steps = 2
"""


def table(n_rows: int = N_ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = np.arange(n_rows) % 3
    values = rng.normal(group[:, None], 1, (n_rows, 4)).round(3)
    frame = pd.DataFrame(values, columns=["a", "b", "c", "d"])
    frame.insert(0, "study number", [f"s{number}" for number in range(n_rows)])
    frame["ward"] = np.array(["north", "south"])[rng.integers(0, 2, n_rows)]
    frame["grade"] = np.array(["I", "II", "III"])[group]
    frame["smoker"] = np.array(["no", "yes"])[rng.integers(0, 2, n_rows)]
    frame["survived"] = np.array(["no", "yes"])[group // 2]
    frame["visit"] = rng.integers(1, 4, n_rows)
    return frame


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fit a small table once, by what a schema and options say."""
    from tests.cli.conftest import run_here

    folder = tmp_path_factory.mktemp("mixed")
    table().to_csv(folder / "t.csv", index=False)
    (folder / "c.toml").write_text(CONFIG)
    (folder / "s.toml").write_text('ignore = ["visit"]\n[ordinal]\ngrade = ["I", "II", "III"]\n')
    found = run_here(
        *("fit", "t.csv", "-o", "run", "--config", "c.toml", "--no-report", "--threads", 1, "--schema"),
        *("s.toml", "--categorical", "ward", "--id", "study number", "--label-key", "survived"),
        folder=folder,
    )
    assert found.code == 0, found.err
    return folder


def test_options_and_schema_say_what_columns_are(fitted: Path) -> None:
    adata = io.read(fitted / "run" / "embedded.h5ad")
    assert list(adata.var_names) == ["a", "b", "c", "d", "ward=north", "ward=south", "grade", "smoker"]
    assert list(adata.obs) == ["survived"]
    assert adata.obs_names[1] == "s1"
    recorded = json.loads((fitted / "run" / "run.json").read_text())["data"]["schema"]
    assert recorded["ordinal"] == {"grade": ["I", "II", "III"]}
    assert recorded["ignore"] == ["visit"]
    card = (fitted / "run" / "model" / "README.md").read_text()
    assert "--ordinal 'grade:I<II<III'" in card
    assert "--id 'study number'" in card


def test_later_tables_are_read_as_the_fit_was(fitted: Path, call: Call) -> None:
    """Three rows have too few values to tell what a column is, and all columns stand elsewhere."""
    few = table().iloc[[0, 4, 8]]
    few.iloc[:, ::-1].to_csv(fitted / "few.csv", index=False)
    found = call(
        "embed", "few.csv", "--model", "run", "-o", "few", "--no-novelty", "--force", folder=fitted
    )
    assert found.code == 0, found.err
    assert "8 of the 8 features" in found.err
    embedded = pd.read_csv(fitted / "few" / "embedding.csv", index_col="id")
    whole = pd.read_csv(fitted / "run" / "embedding.csv", index_col="id")
    assert list(embedded.index) == ["s0", "s4", "s8"]
    np.testing.assert_allclose(embedded, whole.loc[embedded.index], atol=1e-4)


def test_generated_tables_look_like_the_table(fitted: Path, call: Call) -> None:
    found = call("augment", "t.csv", "--model", "run", "-o", "more.csv", "--force", folder=fitted)
    assert found.code == 0, found.err
    more = pd.read_csv(fitted / "more.csv")
    assert set(more["ward"]) <= {"north", "south"}
    assert set(more["grade"]) <= {"I", "II", "III"}
    assert set(more["smoker"]) <= {"no", "yes"}
    assert list(more["survived"]) == list(table()["survived"])
    assert more["a"].between(*table()["a"].agg(["min", "max"])).all()


def test_evaluate_reads_a_table_as_the_fit_was(fitted: Path, call: Call) -> None:
    found = call("evaluate", "t.csv", "--model", "run", "--label-key", "survived", "--json", folder=fitted)
    assert found.code == 0, found.err
    assert json.loads(found.out)["scores"]["X_diffaug"]["linear_probe"] > 0.5


def test_a_schema_is_proposed_and_can_be_used(fitted: Path, call: Call) -> None:
    shown = call("schema", "t.csv", folder=fitted)
    assert shown.code == 0, shown.err
    assert '"ward",  # ' in shown.out
    assert "(2 different)" in shown.out
    assert '# grade = ["I", "II", "III"]' in shown.out
    written = call("schema", "t.csv", "-o", "p.toml", "--force", folder=fitted)
    assert written.code == 0, written.err
    assert (fitted / "p.toml").read_text() == shown.out
    schema = io.Schema.from_toml(fitted / "p.toml")
    assert [name for name in ("ward", "grade", "smoker") if f'    # "{name}",' in shown.out] == [
        *("ward", "grade", "smoker")
    ]
    assert not schema.categorical  # a fit goes on to warn of them
    found, said = io.read(fitted / "t.csv"), io.read(fitted / "t.csv", schema=schema)
    assert list(said.var_names) == list(found.var_names)
    np.testing.assert_array_equal(said.X, found.X)
    again = call("schema", "t.csv", "-o", "p.toml", folder=fitted)
    assert again.code == 1
    assert "exists already" in again.err
    as_json = json.loads(call("schema", "t.csv", "--json", folder=fitted).out)
    assert as_json["numeric"] == ["a", "b", "c", "d", "visit"]


def test_numbers_written_otherwise_stay_numeric_and_end_a_fit_with_the_same_error(
    tmp_path: Path, call: Call
) -> None:
    frame = table().astype({"b": object})
    frame.loc[3, "b"] = "<0.5"
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = call("schema", "t.csv", "-o", "s.toml", folder=tmp_path)
    assert found.code == 0, found.err
    text = (tmp_path / "s.toml").read_text()
    line = next(line for line in text.splitlines() if '    "b",' in line)
    assert "FIX: <0.5 in row s3 " in line
    assert "b" in io.Schema.from_toml(tmp_path / "s.toml").numeric
    plain = call("fit", "t.csv", "-o", "run", folder=tmp_path)
    said = call("fit", "t.csv", "-o", "run", "--schema", "s.toml", folder=tmp_path)
    assert plain.code == said.code == 1
    assert "'<0.5'" in plain.err.splitlines()[-1]
    assert said.err.splitlines()[-1] == plain.err.splitlines()[-1]


@pytest.mark.parametrize("value", ["grade", "grade:I", ":I<II", "grade:I<<II"])
def test_an_order_that_is_none_is_a_wrong_call(tmp_path: Path, call: Call, value: str) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    found = call("fit", "t.csv", "-o", "run", "--ordinal", value, folder=tmp_path)
    assert found.code == 2
    assert "grade:I<II<III" in found.err


def test_a_misspelt_column_ends_a_fit_before_anything_is_written(tmp_path: Path, call: Call) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    found = call("fit", "t.csv", "-o", "run", "--categorical", "wart", folder=tmp_path)
    assert found.code == 1
    assert "did you mean 'ward'" in found.err
    assert not (tmp_path / "run").exists()
