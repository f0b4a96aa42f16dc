"""Folder for numba's cache where neither home nor installation can be written to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from diffaug_bio.machine import numba as _numba


def test_a_folder_of_this_process_alone_is_named_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # put back afterwards
    monkeypatch.setattr(_numba, "_COMPILED", "no_such_package_is_installed")
    _numba.find_cache()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()


@pytest.mark.parametrize("named", ["", "of_the_user"])
def test_a_folder_that_can_be_written_to_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", named)
    _numba.find_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == named
