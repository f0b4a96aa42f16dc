"""Model folders, whole and broken."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from diffaug_bio import DiffAug, __version__
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.features.records import Damage
from diffaug_bio.model.card import CARD_FILE
from diffaug_bio.model.folder import NEEDED_FILES, describe_model
from diffaug_bio.output.ownership import RECORD_FILE
from tests.conftest import shifted_textures

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio import DiffAugConfig


@pytest.fixture
def folder(fitted: DiffAug, tmp_path: Path) -> Path:
    """A model folder."""
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


def change_json(path: Path, **changes: Any) -> None:
    table = json.loads(path.read_text())
    path.write_text(json.dumps({**table, **changes}))


def test_folder_holds_json_safetensors_and_a_card_alone(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == NEEDED_FILES | {CARD_FILE, RECORD_FILE}
    for path in folder.glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    header = (folder / "weights.safetensors").read_bytes()[:9]
    assert header[8:] == b"{"
    assert int.from_bytes(header[:8], "little") < 100_000


def test_configuration_says_what_wrote_it(folder: Path, fitted: DiffAug) -> None:
    description = json.loads((folder / "config.json").read_text())
    assert description["format_version"] == 1
    assert description["seed"] == 0
    assert description["config"] == fitted.config_.to_dict()
    assert description["config"]["train"]["warmup_view"] == "gaussian"
    assert description["preprocessing"]["state"] == "counts"


def test_files_are_readable_by_others_alike(folder: Path) -> None:
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_the_run_folder_around_a_model_is_enough(folder: Path) -> None:
    assert DiffAug.load(folder.parent, device="cpu").n_features_in_ == 40
    assert DiffAug.load(str(folder), device="cpu").n_features_in_ == 40


def test_a_newer_format_asks_for_an_upgrade(folder: Path) -> None:
    change_json(folder / "config.json", format_version=99, diffaug_bio="9.9")
    with pytest.raises(
        CheckpointError, match=r"has format 99, written by diffaug-bio 9\.9; .*pip install -U"
    ):
        DiffAug.load(folder)


@pytest.mark.parametrize("name", sorted(NEEDED_FILES))
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"is not a model folder: it lacks {name}"):
        DiffAug.load(folder)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere is not a model folder"):
        DiffAug.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "features.json", "history.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"], ids=["empty", "cut", "binary"])
def test_damaged_json_is_an_error(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged"):
        DiffAug.load(folder)


@pytest.mark.parametrize("name", ["config.json", "features.json"])
@pytest.mark.parametrize("content", [b"[]", b"{}"], ids=["list", "empty table"])
def test_json_of_another_form_is_an_error(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged"):
        DiffAug.load(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_cut_weights_are_an_error(folder: Path, share: float) -> None:
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"is damaged"):
        DiffAug.load(folder)


def test_weights_of_another_model_are_an_error(folder: Path) -> None:
    description = json.loads((folder / "config.json").read_text())
    description["config"]["encoder"]["n_latent"] += 1
    change_json(folder / "config.json", config=description["config"])
    with pytest.raises(CheckpointError, match=r"is damaged"):
        DiffAug.load(folder)


@pytest.mark.parametrize("key", ["preprocessing", "config", "seed", "format_version"])
def test_a_configuration_that_lacks_a_part_is_an_error(folder: Path, key: str) -> None:
    description = json.loads((folder / "config.json").read_text())
    del description[key]
    (folder / "config.json").write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match=rf"is damaged: .*{key}"):
        DiffAug.load(folder)


def test_preprocessing_with_unknown_parts_is_an_error(folder: Path) -> None:
    description = json.loads((folder / "config.json").read_text())
    change_json(folder / "config.json", preprocessing={**description["preprocessing"], "more": 1})
    with pytest.raises(CheckpointError, match=r"is damaged: .*more"):
        DiffAug.load(folder)


def test_a_matrix_that_this_version_does_not_know_names_both_versions(folder: Path) -> None:
    change_json(folder / "config.json", source={"layer": "counts", "shelf": None}, diffaug_bio="9.9")
    said = rf"says 'shelf' of .*written by diffaug-bio 9\.9; this is {re.escape(__version__)}\. Take that"
    for read in (DiffAug.load, describe_model):
        with pytest.raises(CheckpointError, match=said):
            read(folder)


def test_saving_over_a_model_needs_to_be_asked_for(folder: Path, fitted: DiffAug) -> None:
    with pytest.raises(InputError, match=r"exists already"):
        fitted.save(folder)
    fitted.save(folder, overwrite=True)
    assert {path.name for path in folder.iterdir()} == NEEDED_FILES | {CARD_FILE, RECORD_FILE}


def test_saving_never_replaces_other_files(folder: Path, fitted: DiffAug) -> None:
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds files that diffaug-bio did not write .*: 'notes\.txt'"):
        fitted.save(folder, overwrite=True)
    assert (folder / "notes.txt").read_text() == "mine"


def test_history_of_another_form_is_damaged(folder: Path) -> None:
    (folder / "history.json").write_text("[]")
    with pytest.raises(CheckpointError, match="damaged"):
        DiffAug.load(folder)


@pytest.fixture
def images_folder(images_config: DiffAugConfig, tmp_path: Path) -> Path:
    """A model folder of images."""
    DiffAug(images_config, device="cpu").fit(shifted_textures(20)).save(tmp_path / "images")
    return tmp_path / "images"


@pytest.mark.parametrize("name", ["features.filters", "features.offsets", "pixels.features.components"])
def test_a_missing_part_of_the_preprocessing_of_images_is_named(images_folder: Path, name: str) -> None:
    path = images_folder / "weights.safetensors"
    arrays = load_file(path)
    del arrays[name]
    save_file(arrays, path)
    with pytest.raises(
        CheckpointError, match=rf"is damaged: .*{name.removeprefix('pixels.')}.* Fit the model"
    ):
        DiffAug.load(images_folder, device="cpu")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("features.filters", (64, 35)),
        ("features.components", (256, 7)),
        ("pixels.features.components", (256, 7)),
    ],
    ids=["filters", "components", "components-of-pixels"],
)
def test_preprocessing_of_images_of_another_shape_is_refused(
    images_folder: Path, name: str, shape: tuple[int, ...]
) -> None:
    path = images_folder / "weights.safetensors"
    arrays = load_file(path)
    assert arrays[name].shape != shape
    save_file({**arrays, name: np.zeros(shape, np.float32)}, path)
    with pytest.raises(CheckpointError, match=r"(?s)is damaged: .* Fit the model again"):
        DiffAug.load(images_folder, device="cpu")


def test_what_reading_would_refuse_is_no_error_of_saving(
    fitted: DiffAug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        msg = "config.json: something differs"
        raise Damage(msg)

    monkeypatch.setattr(type(fitted.features_), "check_record", refuse)
    fitted.save(tmp_path / "model")
    assert (tmp_path / "model" / CARD_FILE).is_file()
    with pytest.raises(CheckpointError, match="something differs"):
        DiffAug.load(tmp_path / "model")
