"""The embedding as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from diffaug_bio import io

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def test_columns_are_numbered_from_one_and_names_are_the_index(tmp_path: Path) -> None:
    io.write_embedding(tmp_path / "e.csv", np.eye(3, 2, dtype=np.float32), ["c1", "c,2", 'c"3'])
    frame = pd.read_csv(tmp_path / "e.csv", index_col=0)
    assert list(frame.columns) == ["diffaug_1", "diffaug_2"]
    assert list(frame.index) == ["c1", "c,2", 'c"3']
    assert frame.index.name == "id"


@given(
    st_numpy.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 4)),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_are_read_back_bit_by_bit(tmp_path: Path, embedding: NDArray[np.float32]) -> None:
    names = [f"c{i}" for i in range(len(embedding))]
    io.write_embedding(tmp_path / "e.csv", embedding, names)
    found = pd.read_csv(tmp_path / "e.csv", index_col=0).to_numpy(np.float32)
    np.testing.assert_array_equal(found, embedding)


def test_an_existing_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("old\n" * 100)
    io.write_embedding(tmp_path / "e.csv", np.ones((1, 1), np.float32), ["c1"])
    assert (tmp_path / "e.csv").read_text() == "id,diffaug_1\nc1,1.0\n"


def test_an_embedding_written_is_a_table_that_can_be_read(tmp_path: Path) -> None:
    embedding = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    io.write_embedding(tmp_path / "e.csv", embedding, [f"c{i}" for i in range(5)])
    adata = io.read(tmp_path / "e.csv")
    np.testing.assert_array_equal(adata.X, embedding)
    assert list(adata.obs_names) == [f"c{i}" for i in range(5)]
