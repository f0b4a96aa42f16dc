"""Names that are not UTF-8, and readers that go away."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.cells import write_cells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

COMMAND = [sys.executable, "-m", "diffaug_bio.cli"]
LOCALES = {
    "utf-8": {"PYTHONIOENCODING": "utf-8:strict"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 here")
@pytest.mark.parametrize("locale", LOCALES.values(), ids=LOCALES)
def test_a_name_that_is_not_utf_8_costs_no_fit(
    tmp_path: Path, call: Callable[..., Result], locale: dict[str, str]
) -> None:
    write_cells(tmp_path)
    name = os.fsdecode(b"caf\xe9.h5ad")
    (tmp_path / "cells.h5ad").rename(tmp_path / name)
    words = ["fit", name, "--config", "tiny.toml", "--threads", "1"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
    result = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, env=environment | locale, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert b"Error" not in result.stderr
    run = tmp_path / os.fsdecode(b"caf\xe9.diffaug")
    assert (run / "report.html").is_file()
    assert call("info", run, "--json").code == 0


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [*COMMAND, "recipes", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `head` does
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_closed_standard_output_is_no_error() -> None:
    command = [*COMMAND, "recipes", "list"]
    result = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_end_of_a_cut_file_is_no_interruption(tmp_path: Path, call: Callable[..., Result]) -> None:
    import gzip

    cut = gzip.compress(b"id,a,b\n" + b"s1,1,2\n" * 10_000)[:200]
    (tmp_path / "cut.csv.gz").write_bytes(cut)
    result = call("fit", tmp_path / "cut.csv.gz", "-o", tmp_path / "run", "--threads", 1)
    assert result.code == 1
    assert "Interrupted" not in result.err
    assert result.err.splitlines()[-1].startswith("Error: ")
