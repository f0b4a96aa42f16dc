"""Importing the package costs next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import diffaug_bio

HEAVY = ["torch", "anndata", "scanpy", "sklearn", "pandas", "numpy", "scipy", "matplotlib"]


def test_neither_package_nor_command_line_loads_heavy_modules() -> None:
    code = (
        "import sys, json, diffaug_bio, diffaug_bio.cli.main\n"
        f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == []


def test_public_names_are_listed_and_there() -> None:
    assert set(diffaug_bio.__all__) <= set(dir(diffaug_bio))
    for name in diffaug_bio.__all__:
        assert getattr(diffaug_bio, name) is not None


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'diffaug_bio' has no attribute 'embedd'"):
        diffaug_bio.embedd  # noqa: B018
