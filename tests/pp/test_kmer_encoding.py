"""Settings of word counts: what is refused, and the way through a file."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pytest

from diffaug_bio import pp
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS = [
    pp.KmerEncoding(),
    pp.KmerEncoding(k=(3, 4, 5), canonical=True, relative=False, n_bins=8),
]


def test_encodes_as_the_function_does() -> None:
    sequences = ["ACGTNACGT", "TTTT"]
    settings: dict[str, Any] = {"k": (2, 3), "canonical": True, "relative": False, "n_bins": 2}
    matrix, names = pp.KmerEncoding(**settings).encode(sequences)
    expected, expected_names = pp.encode_kmers(sequences, **settings)
    np.testing.assert_array_equal(matrix.toarray(), expected.toarray())
    assert names == expected_names


def test_defaults_are_those_of_the_function() -> None:
    matrix, names = pp.KmerEncoding().encode(["ACGTA"])
    expected, expected_names = pp.encode_kmers(["ACGTA"])
    np.testing.assert_array_equal(matrix.toarray(), expected.toarray())
    assert names == expected_names


def test_settings_cannot_be_changed_and_can_be_compared() -> None:
    encoding = pp.KmerEncoding(k=(4,))
    with pytest.raises(FrozenInstanceError):
        encoding.n_bins = 2  # type: ignore[misc]
    assert encoding == pp.KmerEncoding(k=(np.int64(4),), canonical=np.False_)  # type: ignore[arg-type]
    assert len({encoding, pp.KmerEncoding(), pp.KmerEncoding(n_bins=2)}) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 4}, "tuple.*got 4"),
        ({"k": [4]}, r"tuple.*got \[4\]"),
        ({"k": ()}, r"tuple.*got \(\)"),
        ({"k": (0,)}, r"`k` .*1 to 8, got 0"),
        ({"k": (4, 9)}, r"`k` .*1 to 8, got 9"),
        ({"k": (True,)}, r"`k` .*1 to 8, got True"),
        ({"k": (4, 4)}, r"`k` .*ascending order, got \(4, 4\)"),
        ({"k": (5, 4)}, r"`k` .*ascending order, got \(5, 4\)"),
        ({"canonical": 1}, r"`canonical` .*got 1"),
        ({"relative": "no"}, r"`relative` .*got 'no'"),
        ({"n_bins": 0}, r"`n_bins` .*got 0"),
        ({"n_bins": 2.0}, r"`n_bins` .*got 2\.0"),
        ({"n_bins": True}, r"`n_bins` .*got True"),
        (
            {"k": (8,), "n_bins": 65},
            r"65 .*4259840 columns, more than 4194304",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_are_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pp.KmerEncoding(**settings)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_settings_come_back_from_json(encoding: pp.KmerEncoding) -> None:
    table = json.loads(json.dumps(encoding.to_dict()))
    assert pp.KmerEncoding.from_dict(table, source="test") == encoding


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_settings_come_back_from_h5ad(encoding: pp.KmerEncoding, tmp_path: Path) -> None:
    adata = anndata.AnnData(np.zeros((1, 1), np.float32), uns={"kmers": encoding.to_dict()})
    adata.write_h5ad(tmp_path / "kmers.h5ad")
    table = anndata.read_h5ad(tmp_path / "kmers.h5ad").uns["kmers"]
    assert isinstance(table["k"], np.ndarray)
    again = pp.KmerEncoding.from_dict(table, source="kmers.h5ad")
    assert again == encoding
    assert again.to_dict() == encoding.to_dict()


def test_settings_are_plain_values() -> None:
    encoding = pp.KmerEncoding(k=(np.int64(4),), canonical=np.True_, n_bins=np.int32(2))  # type: ignore[arg-type]
    table = encoding.to_dict()
    assert table == {"k": [4], "canonical": True, "relative": True, "n_bins": 2}
    assert [type(value) for value in table.values()] == [list, bool, bool, int]
    assert type(table["k"][0]) is int


def test_a_table_of_an_older_file_has_the_defaults_of_newer_settings() -> None:
    encoding = pp.KmerEncoding.from_dict({"k": np.array([5]), "canonical": np.True_}, source="old.h5ad")
    assert encoding == pp.KmerEncoding(k=(5,), canonical=True, relative=True, n_bins=1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"stride": 2},
            r"new\.h5ad.*kmers\.stride.*canonical, k, n_bins, relative",
        ),
        ({"k": np.array([4.5])}, r"new\.h5ad: `kmers\.k` .*list.* got \[4\.5\]"),
        ({"k": 4}, r"new\.h5ad: `kmers\.k` .*list.* got 4"),
        ({"canonical": 1}, r"new\.h5ad: `kmers\.canonical` .*got 1"),
        ({"n_bins": "3"}, r"new\.h5ad: `kmers\.n_bins` .*got '3'"),
        ({"k": [9]}, r"`k` .*1 to 8, got 9"),
    ],
    ids=["unknown key", "not whole", "no list", "no truth value", "text", "out of range"],
)
def test_tables_that_cannot_be_are_errors(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pp.KmerEncoding.from_dict(table, source="new.h5ad")
