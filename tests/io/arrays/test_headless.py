"""Reading tables whose first line is data."""

from __future__ import annotations

import gzip
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio.errors import InputError
from diffaug_bio.io.arrays._headless import Delimiter, read_headless

if TYPE_CHECKING:
    from pathlib import Path

SPLICE = "EI,   ATRINS-DONOR-521,  CCAGCTGCATCN\nIE, HUM-1,   ACGTACGTD\nIE,HUM-1,ggcatt\n\n"
NAMES = ("label", "instance", "sequence")


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["splice.data", "splice.data.gz"])
def test_sequences_are_read_with_names_that_repeat(tmp_path: Path, name: str) -> None:
    adata = read_headless(
        write(tmp_path / name, SPLICE), names=NAMES, row_names="instance", sequence="sequence"
    )
    assert list(adata.obs["sequence"]) == ["CCAGCTGCATCN", "ACGTACGTD", "GGCATT"]
    assert list(adata.obs["label"]) == ["EI", "IE", "IE"]
    assert list(adata.obs_names) == ["ATRINS-DONOR-521", "HUM-1", "HUM-1_2"]
    assert list(adata.obs.columns) == ["sequence", "label"]
    assert adata.shape == (3, 256)


def test_a_name_with_a_number_may_be_there_already(tmp_path: Path) -> None:
    path = write(tmp_path / "x.data", "a,1\na_2,2\na,3\na,4\n")
    adata = read_headless(path, names=("id", "x"), row_names="id")
    assert list(adata.obs_names) == ["a", "a_2", "a_3", "a_4"]


@pytest.mark.parametrize(
    ("delimiter", "text"),
    [
        ("comma", "1,14.23,?\n2,13.2,-1e3\n"),
        ("semicolon", "1;14.23;\n2;13.2;-1e3\n"),
        ("tab", "1\t14.23\tNA\n2\t13.2\t-1e3\n"),
        ("space", " 1   14.23 nan\r\n2 13.2  -1e3"),
    ],
)
def test_numbers_are_features(tmp_path: Path, delimiter: Delimiter, text: str) -> None:
    adata = read_headless(
        write(tmp_path / "wine.data", text),
        names=("class", "alcohol", "ash"),
        delimiter=delimiter,
        obs_columns=("class",),
    )
    np.testing.assert_allclose(adata.X, [[14.23, np.nan], [13.2, -1000]], rtol=1e-6)
    assert list(adata.var_names) == ["alcohol", "ash"]
    assert list(adata.obs["class"]) == ["1", "2"]
    assert list(adata.obs_names) == ["0", "1"]


@pytest.mark.parametrize(
    ("text", "keywords", "message"),
    [
        ("a,b\nc,d\ne\n", {"names": ("x", "y")}, r"line 3 has 1 values, and 2 columns are named"),
        ("1,2\n3,x\n", {"names": ("x", "y")}, r"line 2 has 'x' as 'y', no number"),
        ("\n \n", {"names": ("x",)}, r"x.data is empty"),
        ("1\n", {"names": ("x",), "obs_columns": ("x",)}, r"has no features"),
        ("1\n", {"names": ("x",), "row_names": "y"}, r"no column 'y'; it has 'x'"),
        ("1,2\n", {"names": ("x", "x")}, r"1 names of columns occur more than once: 'x'"),
        ("a,ACGTA\nb,\n", {"names": ("l", "s"), "sequence": "s"}, r"line 2 has no sequence. Fill it in"),
        ("a,ACGTA\nb,A-C\n", {"names": ("l", "s"), "sequence": "s"}, r"line 2 holds '-', which is no"),
    ],
    ids=["short line", "text", "empty", "no features", "unknown", "twice", "no letters", "gap"],
)
def test_what_is_no_such_table_is_refused(
    tmp_path: Path, text: str, keywords: dict[str, Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with pytest.raises(InputError, match=message):
        read_headless(write(tmp_path / "x.data", text), **keywords)
