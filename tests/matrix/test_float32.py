"""Values that do not fit float32, in which everything is computed: said, and where."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.config import FeatureConfig
from diffaug_bio.errors import InputError
from diffaug_bio.features import fit_features

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [f"f{number}" for number in range(5)]


def make(**columns: Any) -> Any:
    """Measured values, of which some columns are changed."""
    matrix = np.random.default_rng(0).normal(size=(30, 5))
    for name, change in columns.items():
        matrix[:, NAMES.index(name)] = change(matrix[:, NAMES.index(name)])
    return matrix


def fit(matrix: Any) -> Any:
    return fit_features(matrix, FeatureConfig(n_components=3), seed=0, feature_names=NAMES)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("value", [1e300, -1e300, np.finfo(np.float64).max, 1e39])
def test_one_value_too_large_is_named(container: Any, value: float) -> None:
    matrix = make()
    matrix[4, 2] = value
    with pytest.raises(InputError, match=r"float32.*row 4.*'f2'"):
        fit(container(matrix))


def offset(values: Any) -> Any:
    return values + 1e12


def shrink(values: Any) -> Any:
    return values * 1e-310


@pytest.mark.parametrize("change", [offset, shrink])
def test_a_feature_whose_differences_vanish_is_named_and_left_out(
    change: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = fit(make(f3=change))
    assert list(found.selected) == [0, 1, 2, 4]
    assert "1 feature" in caplog.text
    assert "'f3'" in caplog.text


def test_differences_of_rounding_count_as_none(caplog: pytest.LogCaptureFixture) -> None:
    rounded = np.where(np.arange(30) % 2, 0.3, 0.1 + 0.2)
    with caplog.at_level(logging.WARNING):
        found = fit(make(f2=lambda _: rounded))
    assert list(found.selected) == [0, 1, 3, 4]
    assert caplog.text == ""


def test_the_last_feature_is_not_left_out() -> None:
    changes = {name: lambda values: values * 0 + 1 for name in NAMES[1:]}
    with pytest.raises(InputError, match=r"1 feature.*'f0'.*mean"):
        fit(make(f0=offset, **changes))


@pytest.mark.parametrize("change", [offset, shrink])
def test_all_features_are_not_told_to_be_constant(change: Any) -> None:
    with pytest.raises(InputError, match=r"5 features vary by too little"):
        fit(change(make()))


def test_whole_numbers_of_64_bits_are_looked_at_too() -> None:
    with pytest.raises(InputError, match=r"5 features vary by too little"):
        fit((make() * 100).astype(np.int64) + 10**12)


def test_features_that_are_left_out_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = fit(make(f1=lambda values: values + 1e6))
    assert list(found.selected) == [0, 2, 3, 4]
    assert "'f1'" in caplog.text
    assert "left out" in caplog.text


def test_constant_and_large_and_small_features_are_fitted_in_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    changes = {"f0": lambda v: v * 1e30, "f1": lambda v: v * 1e-30, "f2": lambda v: v * 0 + 7}
    with caplog.at_level(logging.WARNING):
        found = fit(make(**changes))
    assert list(found.selected) == [0, 1, 3, 4]
    assert caplog.text == ""


def write(path: Path, values: list[str], other: str) -> Path:
    """Write a table with two features."""
    rows = [f"s{number},{other.format(number)},{value}" for number, value in enumerate(values)]
    path.write_text("\n".join(["id,a,f3", *rows]))
    return path


def test_a_value_too_large_in_a_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.csv: .*'f3'"):
        io.read(write(tmp_path / "t.csv", ["1e300", "2", "3"], "{}"))


@pytest.mark.parametrize(
    "values", [["1000000000001", "1000000000002", "1000000000003"], ["1e-310", "2e-310", "3e-310"]]
)
def test_tables_are_judged_before_they_become_float32(
    tmp_path: Path, values: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert io.read(write(tmp_path / "t.csv", values, "{}")).n_vars == 2
    assert "1 feature" in caplog.text
    with pytest.raises(InputError, match=r"t\.csv.*1 feature.*'f3'"):
        io.read(write(tmp_path / "t.csv", values, "7"))
