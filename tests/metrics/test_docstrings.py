"""Examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import diffaug_bio.metrics

MODULES = sorted(path.stem for path in Path(diffaug_bio.metrics.__file__).parent.glob("*[a-z].py"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name: str) -> None:
    module = importlib.import_module(f"diffaug_bio.metrics.{name}")
    assert doctest.testmod(module).failed == 0


def test_examples_are_found() -> None:
    modules = [importlib.import_module(f"diffaug_bio.metrics.{name}") for name in MODULES]
    assert sum(doctest.testmod(module).attempted for module in modules) >= 10
