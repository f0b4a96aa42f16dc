"""What is installed is what lies in the folders."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diffaug_bio

ROOT = Path(__file__).resolve().parent.parent


def read_project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def dotted(folder: Path) -> str:
    return ".".join(folder.relative_to(ROOT).parts)


def test_every_package_folder_is_installed() -> None:
    inside = {dotted(file.parent) for file in (ROOT / "diffaug_bio").rglob("__init__.py")}
    beside = {
        f"diffaug_bio.{dotted(file.parent)}"
        for name in ("cli", "data_recipes")
        for file in (ROOT / name).rglob("__init__.py")
    }
    assert len(beside) >= 2
    packages = read_project()["tool"]["setuptools"]["packages"]
    assert sorted(packages) == sorted(inside | beside)


def test_every_folder_with_python_files_is_a_package() -> None:
    for name in ("diffaug_bio", "cli", "data_recipes"):
        for file in (ROOT / name).rglob("*.py"):
            assert (file.parent / "__init__.py").is_file(), f"{file.parent} lacks __init__.py"


def test_folders_installed_elsewhere_exist() -> None:
    for folder in read_project()["tool"]["setuptools"]["package-dir"].values():
        assert (ROOT / folder).is_dir()


def test_types_are_announced() -> None:
    assert (ROOT / "diffaug_bio" / "py.typed").is_file()
    assert "py.typed" in read_project()["tool"]["setuptools"]["package-data"]["diffaug_bio"]


def test_the_version_is_the_same_everywhere() -> None:
    expected = diffaug_bio.__version__
    assert read_project()["project"]["version"] == expected
    assert version("diffaug-bio") == expected
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, flags=re.MULTILINE) == [expected]
