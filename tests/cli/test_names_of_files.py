"""Names of files that are bytes without a meaning in UTF-8, as old archives leave them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError
from tests.cli.cells import TINY, make_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

ODD = os.fsdecode(b"M\xfcller")
WRITTEN = "M\ufffdller"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    try:
        (tmp_path / ODD).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (tmp_path / ODD).unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_takes_odd_names_and_writes_them_replaced(
    call: Callable[..., Result], folder: Path
) -> None:
    make_cells().write_h5ad(folder / f"{ODD}.h5ad")
    (folder / "tiny.toml").write_text(TINY)
    run, rest = folder / f"{ODD} run", ("--threads", 1, "--quiet", "--json")
    result = call("fit", f"{ODD}.h5ad", "-o", run, "--config", "tiny.toml", "--no-report", *rest)
    assert result.code == 0, result.err
    assert json.loads(result.out)["data"]["data"] == f"{WRITTEN}.h5ad"
    assert json.loads((run / "run.json").read_bytes())["data"]["data"] == f"{WRITTEN}.h5ad"
    assert f"{WRITTEN}.h5ad" in (run / "model" / "README.md").read_text(encoding="utf-8")
    labels = ("--label-key", "kind", "-o", f"{ODD}.labels")
    result = call("transfer", f"{ODD}.h5ad", "--model", run, *labels, *rest)
    assert result.code == 0, result.err
    assert json.loads(result.out)["model"].endswith(f"{WRITTEN} run")
    result = call("augment", f"{ODD}.h5ad", "--model", run, "-o", f"{ODD}.csv", *rest)
    assert result.code == 0, result.err
    assert Path(f"{ODD}.csv").is_file()
    assert call("report", run, "--quiet").code == 0
    assert f"{WRITTEN}.h5ad" in (run / "report.html").read_text(encoding="utf-8")
    assert WRITTEN in call("info", run, "--json").out.encode().decode("unicode-escape")


def test_odd_names_that_would_become_labels_are_refused(folder: Path) -> None:
    (folder / "set").mkdir()
    (folder / "set" / f"{ODD}.fa").write_text(">a\nACGTACGT\n")
    (folder / "set" / "other.fa").write_text(">b\nACGTACGT\n")
    with pytest.raises(InputError, match=f"'{WRITTEN}' is not UTF-8"):
        io.read(folder / "set")
