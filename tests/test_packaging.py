"""What is installed is what lies in the folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

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


class Built(NamedTuple):
    """What `python -m build` made, and a fresh environment with the wheel in it."""

    wheel: Path
    sdist: Path
    bin: Path


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command far from the checkout, and give what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build a copy of the checkout, and install the wheel where the other packages are seen."""
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(
        ROOT,
        folder / "source",
        ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "site", "shared"),
    )
    # Without isolation: setuptools is of the extra `test`, and nothing is downloaded.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "source", cwd=folder)
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    run(sys.executable, "-m", "pip", "--python", python, *install, cwd=folder)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run(python, "-c", ask, cwd=folder).strip())
    others = [entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}]
    # Their `.pth` files are not read from here, so that an editable install of this package stays unseen.
    (own / "others.pth").write_text("\n".join(others), encoding="utf-8")
    return Built(wheel, sdist, python.parent)


def test_the_wheel_holds_the_package_and_all_that_lies_in_it(built: Built) -> None:
    inside = set(zipfile.ZipFile(built.wheel).namelist())
    assert {name.split("/")[0] for name in inside} == {
        "diffaug_bio",
        f"diffaug_bio-{diffaug_bio.__version__}.dist-info",
    }
    for folder, place in {"diffaug_bio": "", "cli": "diffaug_bio/", "data_recipes": "diffaug_bio/"}.items():
        files = {path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"}
        expected = {f"{place}{path.relative_to(ROOT).as_posix()}" for path in files}
        assert len(expected) > 5
        assert expected - inside - {"diffaug_bio/data_recipes/README.md"} == set()  # the schema, for people
    assert "diffaug_bio/py.typed" in inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_the_sdist_builds_and_holds_no_data(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = archive.getnames()
    top = {name.split("/")[1] for name in names if "/" in name}
    assert {"pyproject.toml", "README.md", "LICENSE", "diffaug_bio", "cli", "data_recipes"} <= top
    assert "shared" not in top
    assert built.sdist.stat().st_size < 3e6


def test_the_installed_wheel_runs_without_the_checkout(built: Built, tmp_path: Path) -> None:
    assert "without labels" in run(built.bin / "diffaug-bio", "--help", cwd=tmp_path)
    assert "pbmc68k" in run(built.bin / "diffaug-bio", "recipes", "list", cwd=tmp_path)
    packages = [name for name in read_project()["tool"]["setuptools"]["packages"] if name != "diffaug_bio"]
    code = (
        "import importlib, diffaug_bio\n"
        f"modules = [importlib.import_module(name) for name in {packages}]\n"
        "[getattr(diffaug_bio, name) for name in diffaug_bio.__all__]\n"
        "print(*(module.__file__ for module in [diffaug_bio, *modules]), sep='\\n')"
    )
    files = run(built.bin / "python", "-c", code, cwd=tmp_path).splitlines()
    assert len(files) == len(packages) + 1
    assert [file for file in files if not file.startswith(str(built.bin.parent))] == []


USERS_SCRIPT = """\
import numpy as np
import diffaug_bio as db
from diffaug_bio.mapping import neighbor_vote

reveal_type(db.DiffAugConfig.preset("quick").encoder.n_latent)
reveal_type(db.DiffAug().fit(np.zeros((9, 3))))
reveal_type(db.DiffAug().transform(np.zeros((9, 3))))
reveal_type(db.datasets.load_recipe("pbmc68k").label_key)
reveal_type(db.pp.KmerEncoding().n_bins)
reveal_type(neighbor_vote)
db.DiffAugConfig.preset("quickly")
db.tl.embed(None, presett="quick")
"""


def test_the_types_of_the_installed_package_are_seen(built: Built, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(USERS_SCRIPT, encoding="utf-8")
    # Other packages' sources are left out, which saves minutes: what is asked is what ours says of itself.
    skipped = "[mypy-torch.*,scipy.*,sklearn.*,anndata.*,pandas.*,scanpy.*,h5py.*]\nfollow_imports = skip\n"
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\n\n{skipped}ignore_missing_imports = true\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", built.bin / "python", "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    seen = re.findall(r'^script\.py:(\d+): note: Revealed type is "(.*)"$', done.stdout, flags=re.MULTILINE)
    types = {int(line): revealed for line, revealed in seen}
    float32 = "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.floating[numpy._typing._nbit_base._32Bit]]]"
    model = "diffaug_bio.model.estimator.DiffAug"
    expected = {5: "int | None", 6: model, 7: float32, 8: "str | None", 9: "int"}
    assert {line: types[line] for line in expected} == expected, done.stdout
    assert types[10].startswith(f"def (query: {float32}, ")
    errors = re.findall(r"^script\.py:(\d+): error: .*\[(.*)\]$", done.stdout, flags=re.MULTILINE)
    assert {("11", "arg-type"), ("12", "call-arg")} <= set(errors)
