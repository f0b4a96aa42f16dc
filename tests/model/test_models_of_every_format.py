"""Models of every format are read, embed as when they were written, and generate."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import DiffAug
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.model.codes import decode_codes, embed_held, generate_codes
from diffaug_bio.model.folder import FORMAT_VERSION, NEEDED_FILES, describe_model
from tests.conftest import sign_model

if TYPE_CHECKING:
    from types import ModuleType

FIXTURES = Path(__file__).parents[1] / "fixtures"
MODELS = FIXTURES / "models"
NEWEST = MODELS / f"format_{FORMAT_VERSION}"
FOLDERS = sorted(path.parent.parent for path in MODELS.glob("*/*/model/config.json"))
loaded_and_described = pytest.mark.parametrize(
    "read", [DiffAug.load, describe_model], ids=["load", "describe"]
)
KINDS = {"expression", "measured", "table", "words", "sequence", "image", "batches"}
KIND_OF = {"batches": "expression", "table": "measured"}
WITH_NAMES = {"expression", "table", "batches"}


def name_of(folder: Path) -> str:
    return str(folder.relative_to(MODELS))


@pytest.fixture(params=FOLDERS, ids=name_of)
def folder(request: pytest.FixtureRequest) -> Path:
    """A folder with `model/` and `expected.npz`."""
    found: Path = request.param
    return found


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A model folder of the newest format that may be changed."""
    shutil.copytree(NEWEST / "expression" / "model", tmp_path / "model")
    return tmp_path / "model"


def make_models() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_models", FIXTURES / "make_models.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    sign_model(folder)


def test_there_are_models_of_every_format_and_kind() -> None:
    for version in range(1, FORMAT_VERSION + 1):
        found = {folder.name for folder in FOLDERS if folder.parent.name == f"format_{version}"}
        assert found == KINDS, f"Run tests/fixtures/make_models.py for format {version}."


def test_the_embedding_is_as_it_was_then(folder: Path) -> None:
    expected = np.load(folder / "expected.npz")
    model = DiffAug.load(folder, device="cpu")
    # Other processors and libraries add numbers up in another order.
    scale = np.abs(expected["embedding"]).max()
    np.testing.assert_allclose(
        model.transform(expected["rows"]), expected["embedding"], rtol=1e-4, atol=1e-5 * scale
    )


def test_novelty_is_as_it_was_then(folder: Path) -> None:
    expected = np.load(folder / "expected.npz")
    model = DiffAug.load(folder, device="cpu")
    assert describe_model(folder).n_reference == 60
    found = model.novelty(expected["rows"])
    np.testing.assert_allclose(found.distance, expected["distance"], rtol=1e-3, atol=1e-3)
    assert np.isnan(found.density).all()  # of six rows
    assert (found.denoising is not None) == model.has_generator
    if found.denoising is not None:
        np.testing.assert_allclose(found.denoising, expected["denoising"], rtol=1e-3)


def test_rows_are_generated(folder: Path) -> None:
    rows = np.load(folder / "expected.npz")["rows"]
    model = DiffAug.load(folder, device="cpu")
    assert model.has_generator == (folder.name != "measured")
    if not model.has_generator:
        return
    originals, generated = generate_codes(model, rows)
    assert originals.shape == generated.shape
    assert np.isfinite(generated).all()
    assert embed_held(model, decode_codes(model, generated, rows)).shape == (len(rows), 3)


def test_what_they_are_is_told(folder: Path) -> None:
    found = describe_model(folder)
    assert found.n_kept == DiffAug.load(folder, device="cpu").state_.n_kept
    is_kept = folder.name != "batches"
    assert found.width == ("3 wide (1 components and 2 learned columns)" if is_kept else "3 wide")
    assert found.kind == KIND_OF.get(folder.name, folder.name)
    assert found.can_generate == (folder.name != "measured")
    assert (found.feature_names is not None) == (folder.name in WITH_NAMES)
    assert found.config.batches.names == (("a", "b") if folder.name == "batches" else ())
    assert sum(found.n_weights.values()) > 100


def test_they_are_read_without_a_card(copied: Path) -> None:
    (copied / "README.md").unlink()
    assert DiffAug.load(copied, device="cpu").n_features_in_ == 20


def test_a_card_that_was_changed_is_never_read(copied: Path) -> None:
    (copied / "README.md").write_bytes(b"\xff\xfe---")
    assert DiffAug.load(copied, device="cpu").n_features_in_ == 20


@loaded_and_described
def test_a_newer_format_names_both_versions_and_what_to_do(copied: Path, read: Any) -> None:
    change_config(copied, format_version=FORMAT_VERSION + 1, diffaug_bio="7.8")
    with pytest.raises(
        CheckpointError,
        match=rf"has format {FORMAT_VERSION + 1}, written by diffaug-bio 7\.8; this is .*, which "
        rf"reads up to format {FORMAT_VERSION}\. Upgrade it: pip install -U diffaug-bio",
    ):
        read(copied)


@loaded_and_described
def test_a_setting_of_a_newer_version_names_both_versions(copied: Path, read: Any) -> None:
    config = json.loads((copied / "config.json").read_text())["config"]
    config["encoder"]["novel"] = 1
    change_config(copied, config=config, diffaug_bio="7.8")
    with pytest.raises(
        CheckpointError,
        match=r"unknown key encoder\.novel.*written by diffaug-bio 7\.8; this is .*upgrade",
    ):
        read(copied)


@pytest.mark.parametrize("name", sorted(NEEDED_FILES))
@loaded_and_described
def test_a_missing_file_is_named(copied: Path, read: Any, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(CheckpointError, match=rf"is not a model folder: it lacks {name}"):
        read(copied)


@pytest.mark.parametrize("name", sorted(NEEDED_FILES))
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"], ids=["empty", "cut", "list", "binary"])
@loaded_and_described
def test_a_damaged_file_is_an_error(copied: Path, read: Any, name: str, content: bytes) -> None:
    (copied / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged: .*Fit the model again"):
        read(copied)


def test_the_script_makes_what_is_kept(tmp_path: Path) -> None:
    script = make_models()
    script.make_models(tmp_path / "again")
    for kind in script.KINDS:
        for name in NEEDED_FILES:
            assert (tmp_path / "again" / kind / "model" / name).is_file()
        kept = np.load(NEWEST / kind / "expected.npz")
        again = np.load(tmp_path / "again" / kind / "expected.npz")
        np.testing.assert_array_equal(again["rows"], kept["rows"])


def test_models_with_batches_generate_rows_in_them_and_others_refuse(folder: Path) -> None:
    rows = np.load(folder / "expected.npz")["rows"]
    model = DiffAug.load(folder, device="cpu")
    if not model.has_generator:
        return
    if folder.name != "batches":
        with pytest.raises(InputError, match=r"fitted without batches"):
            generate_codes(model, rows, batch="b")
        return
    none, a, b = (generate_codes(model, rows, batch=name)[1] for name in (None, "a", "b"))
    assert (a != b).any(1).all()
    assert (a != none).any(1).all()


def test_the_script_never_writes_a_folder_again() -> None:
    before = {path: path.stat().st_mtime_ns for path in MODELS.rglob("*")}
    command = [sys.executable, str(FIXTURES / "make_models.py"), NEWEST.name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "never written again" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in MODELS.rglob("*")} == before
