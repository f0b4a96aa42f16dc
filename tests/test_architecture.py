"""Rules about the sources themselves; each test lists every place that breaks its rule."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# From the bottom up: a room imports only from rooms of the rows below its own.
ROWS = (
    ("errors", "_keys"),
    ("_wording", "document"),
    ("_checks",),
    ("config",),
    ("machine", "output"),
    ("matrix",),
    ("pp", "metrics", "mapping"),
    ("io",),
    ("core",),
    ("features",),
    ("model",),
    ("choose",),
    ("datasets",),
    ("tl",),
    ("pl",),
    ("benchmark",),
    ("report",),
    ("runs",),
    ("cli",),
)
ROW_OF = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
NO_TORCH = ("pp", "metrics", "mapping", "io", "datasets", "report.page")


def module_of(path: Path) -> str:
    """Name of a module as it is imported; the folder `cli` installs inside the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["diffaug_bio", *parts] if parts[0] == "cli" else parts).removesuffix(".__init__")


SOURCES = {
    module_of(path): path
    for path in sorted([*(ROOT / "diffaug_bio").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])
}


@cache
def nodes_of(module: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))))


@cache
def imports_of(module: str) -> tuple[tuple[str, int], ...]:
    """Names of all imports of a module, wherever they stand, and their lines."""
    found = []
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            is_package = SOURCES[module].name == "__init__.py"
            above = module.split(".")[: len(module.split(".")) - node.level + is_package]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            found += [(f"{base}.{alias.name}", node.lineno) for alias in node.names]
    return tuple(found)


@cache
def lines_for_types(module: str) -> frozenset[int]:
    """Lines that only type checkers run."""
    blocks = [
        node
        for node in nodes_of(module)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    return frozenset(line for node in blocks for line in range(node.lineno, (node.end_lineno or 0) + 1))


def is_within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def own_imports() -> list[tuple[str, str, str]]:
    """Every import of a module of the package by another: where it stands, the importer, the imported."""
    found = [
        (f"{module}:{line}", module, name if name in SOURCES else name.rpartition(".")[0])
        for module in SOURCES
        for name, line in imports_of(module)
        if is_within(name, "diffaug_bio") and name != "diffaug_bio.__version__"
    ]
    return list(dict.fromkeys(found))


def forbidden_imports(rooms: tuple[str, ...], *packages: str) -> list[str]:
    """List the imports of some packages in some rooms; the room "" is the whole package."""
    return [
        f"{module}:{line} imports {name}"
        for module in SOURCES
        if is_within(module, *(f"diffaug_bio.{room}".rstrip(".") for room in rooms))
        for name, line in imports_of(module)
        if is_within(name, *packages)
    ]


def room_of(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def test_every_room_has_its_row() -> None:
    assert {room_of(module) for module in SOURCES} - {""} == set(ROW_OF)
    assert "torch" in {name for name, _ in imports_of("diffaug_bio.core.losses")}
    assert "diffaug_bio.metrics" in {name for _, _, name in own_imports()}


def test_rooms_import_only_from_rooms_below_them() -> None:
    found = [
        f"{place} imports {name}"
        for place, module, name in own_imports()
        if room_of(module) not in {room_of(name), ""}
        and ROW_OF.get(room_of(name), len(ROWS)) >= ROW_OF[room_of(module)]
    ]
    assert not found, "\n".join(found)


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for place, module, name in own_imports():
        is_for_types = int(place.rpartition(":")[2]) in lines_for_types(module)
        if not is_for_types and not is_within(module, name):  # a package imports its modules
            graph.setdefault(module, set()).add(name)
    try:
        TopologicalSorter(graph).prepare()
        circle = []
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def test_types_go_round_in_circles_in_few_rooms_alone() -> None:
    graph: dict[str, set[str]] = {}
    for _, module, name in own_imports():
        if not is_within(module, name) and not {"features", "model"} & {room_of(module), room_of(name)}:
            graph.setdefault(module, set()).add(name)
    try:
        TopologicalSorter(graph).prepare()
        circle = []
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def test_a_constant_is_computed_once() -> None:
    places: dict[str, list[str]] = {}
    for module, path in SOURCES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            value = ast.unparse(node.value) if isinstance(node, ast.Assign) else ""
            if " lambda " in value:
                places.setdefault(value, []).append(f"{module}:{node.lineno}")
    assert [found for found in places.values() if len(found) > 1] == []


def test_private_modules_are_imported_only_within_their_package() -> None:
    found = []
    for place, module, name in own_imports():
        parts = name.split(".")
        owners = [".".join(parts[:end]) for end in range(2, len(parts)) if parts[end].startswith("_")]
        if not is_within(module, *owners[-1:]) and owners:
            found.append(f"{place} imports {name}")
    assert not found, "\n".join(found)


def test_core_holds_tensors_only() -> None:
    found = forbidden_imports(("core",), "anndata", "scanpy", "sklearn")
    found += [
        f"{place} imports {name}"
        for place, module, name in own_imports()
        if room_of(module) == "core" and room_of(name) not in {"core", "config", "errors"}
    ]
    assert not found, "\n".join(found)


def test_libraries_are_imported_only_where_they_belong() -> None:
    library = tuple(room for room in ROW_OF if room != "cli")
    found = [*forbidden_imports(NO_TORCH, "torch"), *forbidden_imports(library, "click", "rich")]
    assert not found, "\n".join(found)
    # joblib is asked for nothing but how many cores a container may use. The files of CIFAR are pickles;
    # their reader takes them apart without carrying anything out.
    pickles = forbidden_imports(("",), "pickle", "joblib", "dill", "cloudpickle", "shelve")
    pickles = [found for found in pickles if not found.endswith(" joblib.cpu_count")]
    assert [found.partition(":")[0] for found in pickles] == ["diffaug_bio.io.images._cifar"]


def test_the_library_never_prints() -> None:
    assert [
        f"{module}:{node.lineno}"
        for module in SOURCES
        if room_of(module) != "cli"
        for node in nodes_of(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ] == []


def test_files_are_one_idea_each() -> None:
    drawers = {"utils", "util", "helpers", "misc", "common"}
    assert [module for module in SOURCES if module.rpartition(".")[2].strip("_") in drawers] == []
    lengths = {
        module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in SOURCES.items()
    }
    assert {module: length for module, length in lengths.items() if length > 500} == {}
