"""Examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import diffaug_bio.pp

MODULES = sorted(path.stem for path in Path(diffaug_bio.pp.__file__).parent.glob("_[a-z]*.py"))


def test_examples_give_what_they_show() -> None:
    results = [doctest.testmod(importlib.import_module(f"diffaug_bio.pp.{name}")) for name in MODULES]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 10
