"""The runner of pages, and files of the names that the docs use for a reader's own."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def run_page() -> dict[str, Any]:
    """What `docs/run_page.py` defines."""
    return runpy.run_path(str(ROOT / "docs" / "run_page.py"))


@pytest.fixture(scope="session")
def readers_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cells.h5ad`, `proteins.csv.gz`, `photographs/` and so on, all small."""
    folder = tmp_path_factory.mktemp("files")
    subprocess.run([sys.executable, Path(__file__).parent / "make_files.py", folder], check=True)
    return folder
