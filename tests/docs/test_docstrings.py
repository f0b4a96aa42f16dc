"""Examples in docstrings give what they show; those of `pp` have a test of their own."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import diffaug_bio

PACKAGE = Path(diffaug_bio.__file__).parent
MODULES = sorted(
    ".".join(["diffaug_bio", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if re.search(r">>> (?!.*\+SKIP)", path.read_text(encoding="utf-8")) and path.parent.name != "pp"
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_examples_are_found() -> None:
    assert {"diffaug_bio.model.estimator", "diffaug_bio.tl._embed", "diffaug_bio.benchmark._run"} <= set(
        MODULES
    )
