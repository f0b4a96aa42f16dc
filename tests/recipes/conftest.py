"""Loading a recipe from tiny files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from diffaug_bio import datasets
from tests.recipes.genuine import GENUINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], AnnData]:
    """Write the genuine files of a recipe, small, and load them as users do."""

    def run(name: str) -> AnnData:
        folder = tmp_path / "given"
        folder.mkdir()
        GENUINE[name](folder)
        return datasets.load(name, from_path=folder, cache=tmp_path / "cache", checked=False)

    return run
