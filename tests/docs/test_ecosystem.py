"""`docs/meta.yaml` is an entry that the list of scverse's ecosystem takes.

Fields and patterns are those of scripts/src/ecosystem_scripts/schema.json in scverse/ecosystem-packages,
and the two that its later entries have beside them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import diffaug_bio

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = {
    "name": str,
    "description": str,
    "project_home": str,
    "documentation_home": str,
    "install": dict,
    "license": str,
    "tags": list,
    "version": str,
    "category": str,
    "contact": list,
}
OPTIONAL = {"tutorials_home": str, "publications": list, "logo": str, "test_command": str}
LATER = {"primary_category": str, "language": str}


@pytest.fixture(scope="module")
def entry() -> dict[str, Any]:
    text = (ROOT / "docs" / "meta.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_the_entry_has_all_fields_that_are_required_and_none_that_is_unknown(entry: dict[str, Any]) -> None:
    known = REQUIRED | OPTIONAL | LATER
    assert set(REQUIRED) <= set(entry) <= set(known)
    assert {key: type(value) for key, value in entry.items()} == {key: known[key] for key in entry}


def test_values_are_of_the_form_that_the_schema_asks_for(entry: dict[str, Any]) -> None:
    for key in ("project_home", "documentation_home", "tutorials_home"):
        assert re.fullmatch(r"https://[\w.-]+/\S+", entry[key])
    assert set(entry["install"]) <= {"pypi", "conda", "cran", "bioconductor"}
    assert len(entry["install"]) >= 1
    for key in ("tags", "contact"):
        assert len(entry[key]) == len(set(entry[key])) >= 1
        assert all(isinstance(value, str) for value in entry[key])
    for doi in entry["publications"]:
        assert re.fullmatch(r"10.\d{4,9}/[-._;()/:A-Za-z0-9]+", doi)
    assert entry["category"] == "ecosystem"  # the only one that others may hand in
    assert len(entry["description"].split(". ")) <= 2


def test_the_entry_says_what_the_package_says(entry: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert entry["name"] == entry["install"]["pypi"] == project["name"]
    assert entry["license"] == project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert entry["version"] == diffaug_bio.__version__
    paper = entry["publications"][0].removeprefix("10.48550/arXiv.")
    assert f"arXiv:{paper}" in str(diffaug_bio.DiffAug.__doc__)


def test_its_test_command_is_the_readmes(entry: dict[str, Any]) -> None:
    install, test = entry["test_command"].split(" && ")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f".venv/bin/{install} && .venv/bin/python -m {test}" in readme
