"""Rules about the sources themselves."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "diffaug_bio"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "cli").rglob("*.py")])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[str]:
    """Dotted names of all imports of a file, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = ".".join(path.parent.relative_to(ROOT).parts)
            yield from (f"{folder}.{node.module or alias.name}" for alias in node.names)


def belongs_to(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_rules_are_applied_to_files() -> None:
    assert len(SOURCES) > 25
    assert "torch" in set(imported(PACKAGE / "core" / "losses.py"))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_a_drawer_for_everything(path: Path) -> None:
    assert path.stem.strip("_") not in {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").glob("*.py")), ids=name_of)
def test_core_imports_only_configuration_errors_and_core(path: Path) -> None:
    allowed = ("diffaug_bio.config", "diffaug_bio.errors", "diffaug_bio.core")
    own = [name for name in imported(path) if belongs_to(name, "diffaug_bio")]
    assert [name for name in own if not belongs_to(name, *allowed)] == []
    assert [name for name in imported(path) if belongs_to(name, "anndata", "scanpy", "sklearn")] == []


@pytest.mark.parametrize(
    "path",
    sorted(
        [
            *(PACKAGE / "pp").glob("*.py"),
            *(PACKAGE / "io").rglob("*.py"),
            *(PACKAGE / "metrics").glob("*.py"),
            *(PACKAGE / "mapping").glob("*.py"),
            *(PACKAGE / "datasets").glob("*.py"),
            *(PACKAGE / "report" / "page").glob("*.py"),
        ]
    ),
    ids=name_of,
)
def test_preprocessing_reading_scores_mapping_and_pages_never_import_torch(path: Path) -> None:
    forbidden = ("torch", "diffaug_bio.core", "diffaug_bio.model.estimator", "diffaug_bio.tl")
    assert [name for name in imported(path) if belongs_to(name, *forbidden)] == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_the_library_knows_nothing_of_the_command_line(path: Path) -> None:
    assert [
        name for name in imported(path) if belongs_to(name, "cli", "diffaug_bio.cli", "click", "rich")
    ] == []


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_the_library_never_prints(path: Path) -> None:
    calls = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]
    assert not [
        call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_pickled(path: Path) -> None:
    forbidden = ("pickle", "joblib", "dill", "cloudpickle", "shelve")
    # The files of CIFAR are pickles; the reader takes them apart without carrying anything out.
    # joblib is asked for nothing but how many cores a container may use.
    found = [name for name in imported(path) if belongs_to(name, *forbidden) and name != "joblib.cpu_count"]
    assert found == (["pickle"] if path == PACKAGE / "io" / "images" / "_cifar.py" else [])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
