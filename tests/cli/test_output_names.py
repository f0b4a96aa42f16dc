"""Outputs that nobody named are named after the data."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffaug_bio.errors import InputError
from diffaug_bio.runs import default_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data of several kinds; its folder `here` is the current one."""
    for folder in ("photographs", "set.v2", "stored.zarr", "here"):
        (tmp_path / folder).mkdir()
    (tmp_path / "cells.h5ad").touch()
    (tmp_path / "link.h5ad").symlink_to("cells.h5ad")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("../cells.h5ad", "cells"),
        ("../link.h5ad", "link"),
        ("../missing.csv.gz", "missing"),
        ("../upper.FASTA.GZ", "upper"),
        ("../no_ending", "no_ending"),
        ("../two.parts.tsv", "two.parts"),
        ("../.hidden.csv", "hidden"),
        (".csv.gz", "csv"),
        ("-dash.csv", "dash"),
        ("../photographs", "photographs"),
        ("../stored.zarr/", "stored"),
        ("../zipped.zarr.zip", "zipped"),
        ("../GSM1_matrix.mtx.gz", "GSM1_matrix"),
        ("../photographs/", "photographs"),
        ("../photographs/../set.v2//", "set.v2"),
        ("recipe:pbmc68k", "pbmc68k"),
        ("recipe:../own/mine.toml", "mine"),
    ],
)
def test_names_are_those_of_the_data(place: Path, data: str, name: str) -> None:
    assert default_output("fit", data) == Path(f"{name}.diffaug")
    assert default_output("augment", data) == Path(f"{name}.diffaug-augment.h5ad")


@pytest.mark.parametrize("data", [".", "..", "/", "./", "../here", "-", "...", os.devnull])
def test_what_gives_no_name_asks_for_one(place: Path, data: str) -> None:
    with pytest.raises(InputError, match="-o"):
        default_output("embed", data)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")
def test_a_pipe_asks_for_a_name(place: Path) -> None:
    os.mkfifo("pipe.csv")
    with pytest.raises(InputError, match=r"pipe\.csv"):
        default_output("fit", "pipe.csv")


def test_several_data_sets_give_one_name(place: Path) -> None:
    assert str(default_output("benchmark", ["a.h5ad", "b.csv.gz"])) == "a+b.diffaug-benchmark"
    many = [f"set{number}.csv" for number in range(40)]
    assert str(default_output("benchmark", many)) == "set0+39-more.diffaug-benchmark"


@given(st.text(string.printable.replace("\0", ""), min_size=1, max_size=40))
def test_any_name_gives_one_plain_name_here_or_is_refused(data: str) -> None:
    try:
        output = default_output("transfer", data)
    except InputError:
        return
    assert output.name == str(output)
    assert not output.name.startswith((".", "-"))


@pytest.mark.parametrize("command", ["fit", "embed", "transfer", "augment", "benchmark"])
def test_help_says_the_default(call: Callable[..., Result], command: str) -> None:
    ending = {"fit": ""}.get(command, f"-{command}")
    assert f"data.diffaug{ending}" in "".join(call(command, "--help").out.split())
