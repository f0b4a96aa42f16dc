"""`embed` and `transfer` never replace the model, or the files, that they read."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import runs
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAug, DiffAugConfig
    from tests.cli.conftest import Result


@pytest.fixture
def place(counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path) -> Path:
    """A folder with cells, `cells.h5ad`, and `run`, a model of them."""
    counts.write_h5ad(tmp_path / "cells.h5ad")
    source = runs.DataSource(data=str(tmp_path / "cells.h5ad"))
    runs.fit(source, tmp_path / "run", config=tiny_config, device="cpu")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def words(command: str, data: Path, model: Path, output: Path, *further: object) -> list[object]:
    labels = ["--label-key", "cluster"] if command == "transfer" else []
    common = ["-o", output, "--force", "--threads", 1, "--device", "cpu"]
    return [command, data, "--model", model, *labels, *common, *further]


@pytest.mark.parametrize("command", ["embed", "transfer"])
@pytest.mark.parametrize(
    ("model", "output"),
    [
        ("run", "run"),
        ("run", "run/model"),
        ("run", "run/new"),
        ("run", "run/model/new"),
        ("run", "linked"),
        ("linked", "run"),
        ("run", "away/../run"),
        ("run/model", "run"),
        ("run/model", "run/model"),
    ],
)
def test_the_folder_of_the_model_is_never_replaced(
    place: Path, call: Callable[..., Result], command: str, model: str, output: str
) -> None:
    (place / "linked").symlink_to("run")
    before = contents(place)
    result = call(*words(command, place / "cells.h5ad", place / model, place / output))
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"Error: The output folder {place / output} overlaps with {place}")
    assert result.err.endswith("Choose another output folder.\n")
    assert contents(place) == before


def test_a_folder_in_which_the_model_is_all_there_is_is_kept(
    place: Path, fitted: DiffAug, call: Callable[..., Result]
) -> None:
    fitted.save(place / "held" / "model")
    result = call(*words("embed", place / "cells.h5ad", place / "held" / "model", place / "held"))
    assert "overlaps with" in result.err
    assert (place / "held" / "model" / "weights.safetensors").is_file()


@pytest.mark.parametrize("command", ["embed", "transfer"])
def test_data_in_the_output_folder_are_kept(place: Path, call: Callable[..., Result], command: str) -> None:
    data = place / "out" / "embedded.h5ad"
    data.parent.mkdir()
    shutil.copy(place / "cells.h5ad", data)
    before = contents(place)
    result = call(*words(command, data, place / "run", place / "out"))
    assert (result.code, result.out) == (1, "")
    assert f"The data {data} would be deleted: it lies in the output folder" in result.err
    assert contents(place) == before


def test_labels_in_the_output_folder_are_kept(place: Path, call: Callable[..., Result]) -> None:
    assert call(*words("embed", place / "cells.h5ad", place / "run", place / "out")).code == 0
    before = contents(place)
    labels = os.path.relpath(place / "out" / "embedded.h5ad")
    result = call(
        *words("transfer", place / "cells.h5ad", place / "run", place / "out", "--labels-from", labels)
    )
    assert (result.code, result.out) == (1, "")
    assert f"The labelled file {labels} would be deleted" in result.err
    assert contents(place) == before


def test_a_reference_in_the_output_folder_is_kept(place: Path) -> None:
    source = runs.DataSource(data=str(place / "peaks.bed"), reference=str(place / "out" / "model"))
    with pytest.raises(InputError, match=r"The reference .* would be deleted: .*Choose another output"):
        runs.embed(source, place / "run", place / "out", force=True)


def test_a_folder_beside_the_model_is_replaced(place: Path, call: Callable[..., Result]) -> None:
    for output in (place / "run2", place / "run2", place / "out"):
        assert call(*words("embed", place / "cells.h5ad", place / "run", output)).code == 0
