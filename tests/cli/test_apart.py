"""No output is, holds, or lies within what is read, or within what another run wrote."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from diffaug_bio import runs
from diffaug_bio.datasets import DataSource, load_recipe
from diffaug_bio.datasets.files import Store
from diffaug_bio.errors import InputError
from tests.conftest import make_counts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from diffaug_bio import DiffAug, DiffAugConfig
    from tests.cli.conftest import Result


@pytest.fixture(scope="module")
def made(tiny_config: DiffAugConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cells, `cells.h5ad`, and `run`, a model of them."""
    place = tmp_path_factory.mktemp("made")
    make_counts().write_h5ad(place / "cells.h5ad")
    source = DataSource(data=str(place / "cells.h5ad"))
    runs.fit(source, place / "run", config=tiny_config, device="cpu")
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return shutil.copytree(made, tmp_path / "place")


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
    assert result.err.startswith(f"Error: The output {place / output} ")
    assert result.err.endswith("Choose another output.\n")
    assert contents(place) == before


def test_a_folder_in_which_the_model_is_all_there_is_is_kept(
    place: Path, fitted: DiffAug, call: Callable[..., Result]
) -> None:
    fitted.save(place / "held" / "model")
    result = call(*words("embed", place / "cells.h5ad", place / "held" / "model", place / "held"))
    assert "holds the folder of the model" in result.err
    assert (place / "held" / "model" / "weights.safetensors").is_file()


@pytest.mark.parametrize("command", ["embed", "transfer"])
def test_data_in_the_output_folder_are_kept(place: Path, call: Callable[..., Result], command: str) -> None:
    data = place / "out" / "embedded.h5ad"
    data.parent.mkdir()
    shutil.copy(place / "cells.h5ad", data)
    before = contents(place)
    result = call(*words(command, data, place / "run", place / "out"))
    assert (result.code, result.out) == (1, "")
    assert f"The output {place / 'out'} holds the data {data}" in result.err
    assert contents(place) == before


def test_labels_in_the_output_folder_are_kept(place: Path, call: Callable[..., Result]) -> None:
    assert call(*words("embed", place / "cells.h5ad", place / "run", place / "out")).code == 0
    before = contents(place)
    labels = os.path.relpath(place / "out" / "embedded.h5ad")
    result = call(
        *words("transfer", place / "cells.h5ad", place / "run", place / "out", "--labels-from", labels)
    )
    assert (result.code, result.out) == (1, "")
    assert f"holds the labelled file {labels}" in result.err
    assert contents(place) == before


def test_a_reference_in_the_output_folder_is_kept(place: Path) -> None:
    source = DataSource(data=str(place / "peaks.bed"), reference=str(place / "out" / "model"))
    with pytest.raises(InputError, match=r"holds the reference .*Choose another output"):
        runs.embed(source, place / "run", place / "out", force=True)


def test_a_folder_beside_the_model_is_replaced(place: Path, call: Callable[..., Result]) -> None:
    for output in (place / "run2", place / "run2", place / "out"):
        assert call(*words("embed", place / "cells.h5ad", place / "run", output)).code == 0


def test_a_fit_never_replaces_its_own_data(place: Path, call: Callable[..., Result]) -> None:
    embedded = place / "run" / "embedding.csv"
    before = contents(place)
    for data, output in [
        (embedded, place / "run"),
        (embedded, embedded),
        (place / "run", place / "run" / "x"),
    ]:
        result = call("fit", data, "-o", output, "--force", "--threads", 1, "--device", "cpu")
        assert (result.code, result.out) == (1, "")
        assert f"The output {output} " in result.err
    assert contents(place) == before


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("cells.h5ad", "is the data"),
        ("linked.h5ad", "is the data"),
        ("hard.h5ad", "is the data"),
        ("run/embedded.h5ad", "lies within the folder of the model"),
        ("run/model/more.h5ad", "lies within the folder of the model"),
        ("other/more.h5ad", "lies within .*other, which an earlier run wrote"),
        ("other/embedded.h5ad", "lies within .*other, which an earlier run wrote"),
    ],
)
def test_augment_writes_neither_over_its_data_nor_into_a_run(
    place: Path, call: Callable[..., Result], output: str, said: str
) -> None:
    shutil.copytree(place / "run", place / "other")
    (place / "linked.h5ad").symlink_to("cells.h5ad")
    os.link(place / "cells.h5ad", place / "hard.h5ad")
    before = contents(place)
    for model in ("run", "run/model"):
        result = call(
            "augment", place / "cells.h5ad", "--model", place / model, "-o", place / output, "--force"
        )
        assert (result.code, result.out) == (1, "")
        assert re.search(said if model == "run" else "is the data|lies within", result.err)
    assert contents(place) == before


def test_a_report_goes_into_its_run_under_its_own_name_alone(
    place: Path, call: Callable[..., Result]
) -> None:
    before = contents(place)
    result = call("report", place / "run", "-o", place / "run" / "page.html")
    assert (result.code, result.out) == (1, "")
    assert "lies within the folder" in result.err
    assert contents(place) == before
    (place / "run" / "report.html").write_text("mine")
    for options in ([], ["-o", place / "run" / "report.html"]):
        assert "'report.html'" in call("report", place / "run", *options).err
    assert (place / "run" / "report.html").read_text() == "mine"


def test_a_model_is_not_saved_into_a_run(place: Path, fitted: DiffAug) -> None:
    before = contents(place)
    with pytest.raises(InputError, match=r"lies within .*run, which an earlier run wrote"):
        fitted.save(place / "run" / "model", overwrite=True)
    assert contents(place) == before
    shutil.copytree(place / "run" / "model", place / "copy")
    fitted.save(place / "copy", overwrite=True)


def test_a_benchmark_goes_apart_from_its_data(place: Path, call: Callable[..., Result]) -> None:
    before = contents(place)
    result = call("benchmark", place / "cells.h5ad", "--label-key", "cluster", "-o", place)
    assert (result.code, result.out) == (1, "")
    assert f"The output {place} holds the data" in result.err
    assert contents(place) == before


@pytest.mark.parametrize(
    ("command", "output"), [("augment", "near/cells.csv"), ("embed", "near"), ("embed", "cache")]
)
def test_sources_of_a_recipe_are_kept(
    place: Path, call: Callable[..., Result], command: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of its own beside the recipe, and one that was fetched into the cache."""
    monkeypatch.setenv("DIFFAUG_BIO_CACHE", str(place / "cache"))
    (place / "near").mkdir()
    (place / "near" / "cells.csv").write_text("id,a,b\n")
    recipe = place / "mine.toml"
    recipe.write_text(
        """title = "Mine"
modality = "table"
[[sources]]
file = "near/cells.csv"
[[sources]]
file = "far.csv"
by_hand = "Ask for it."
"""
    )
    fetched = Store.of(load_recipe(str(recipe)), None).files / "far.csv"
    fetched.parent.mkdir(parents=True)
    fetched.write_text("id,a,b\n")
    before = contents(place)
    result = call(command, f"recipe:{recipe}", "--model", place / "run", "-o", place / output, "--force")
    assert (result.code, result.out) == (1, "")
    assert "of the recipe" in result.err
    assert contents(place) == before
