"""The command on a card, as click reads it, beside the settings of the run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from diffaug_bio.cli.fit import command
from tests.cli.cells import TINY, make_cells
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

IN_SETTINGS = {"config", "n_latent", "warmup_view", "encoder", "input_state"}
OF_NO_CONSEQUENCE = {"output", "device", "force", "quiet", "as_json", "model_license", "no_report"}


def read_command(card: str) -> dict[str, Any]:
    """Let click read the command of a card, which names the settings on it."""
    Path("settings.toml").write_text(card.partition("```toml\n")[2].partition("```")[0])
    line = next(line for line in card.splitlines() if line.startswith("diffaug-bio fit "))
    params: dict[str, Any] = command.make_context("fit", shlex.split(line)[2:]).params
    return params


def settings_of(run: dict[str, Any]) -> dict[str, Any]:
    """Say what the options of `fit` have to be for a run, by what it recorded."""
    data, kmers = run["data"], run["data"]["kmers"] or {"k": None, "n_bins": 1, "canonical": False}
    names = (
        "layer",
        "use_rep",
        "use_raw",
        "transpose",
        "modality",
        "modality_key",
        "sheet",
        "label_kind",
        "image_size",
        "image_pages",
        "skip_bad",
        "external_links",
    )
    said = data["schema"] or {}
    lists = ("annotations", "categorical", "numeric", "ignore")
    return {
        **{name: data[name] for name in (*names, "label_key", "group_key")},
        **{name: tuple(said.get(name, ())) for name in lists},
        "ordinal": {name: tuple(levels) for name, levels in said.get("ordinal", {}).items()},
        "id_column": said.get("id"),
        "missing_indicators": said.get("missing_indicators", False),
        "schema": None,  # what the file said is on the card in options
        "data": Path(data["data"]).name,
        "reference": None if data["reference"] is None else Path(data["reference"]).name,
        "var_key": data.get("var_key"),
        "batch_key": data.get("batch_key"),
        "split_key": data["split_key"] or "none",
        "k": None if kmers["k"] is None else tuple(kmers["k"]),
        "bins": kmers["n_bins"],
        "canonical": kmers["canonical"],
        **{name: run[name] for name in ("seed", "threads", "precision")},
    }


def write_data() -> None:
    """Write small data of every kind into the working folder."""
    Path("tiny.toml").write_text(TINY)
    cells = make_cells()
    cells.layers["counts"] = cells.X.copy()
    cells.obsm["X_rep"] = np.random.default_rng(0).normal(size=(cells.n_obs, 5)).astype(np.float32)
    cells.var["gene id"] = [f"ENSG{number:011}" for number in range(cells.n_vars)]
    cells.obs["split"] = ["test" if number % 5 == 0 else "train" for number in range(cells.n_obs)]
    cells.obs["donor"] = [f"d{number % 6}" for number in range(cells.n_obs)]
    cells.raw = cells
    cells.write_h5ad("the cells.h5ad")
    cells.to_df().sub(0.3).T.to_csv("table.csv")
    patients = (
        cells.to_df().iloc[:, :4].sub(0.3).assign(sex="F", grade="I", note="x", nr=range(cells.n_obs))
    )
    patients.iloc[::2, 4:6] = ["M", "II"]
    patients.to_csv("patients.csv", index=False)
    Path("schema.toml").write_text('ignore = ["note"]\n')
    dna = clustered_dna(60)
    Path("dna.fa").write_text("".join(f">s{number}\n{letters}\n" for number, letters in enumerate(dna)))
    genome = "".join(dna)
    Path("genome.fa").write_text(f">chr1\n{genome}\n")
    Path("peaks.bed").write_text("".join(f"chr1\t{30 * n}\t{30 * n + 40}\n" for n in range(60)))
    pixels = np.random.default_rng(0).integers(0, 256, (20, 14, 14), np.uint8)
    for number, image in enumerate(pixels):
        folder = Path("photographs") / f"c{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")


@pytest.mark.parametrize(
    "options",
    [
        ["the cells.h5ad", "--layer", "counts", "--var-key", "gene id", "--label-key", "kind"],
        [
            *("the cells.h5ad", "--use-raw", "--var-key", "gene id", "--split-key", "none"),
            *("--input-state", "normalized"),
        ],
        ["the cells.h5ad", "--use-rep", "X_rep", "--label-key", "kind", "--group-key", "donor"],
        ["the cells.h5ad", "--batch-key", "donor,split", "--split-key", "none"],
        ["table.csv", "--transpose", "--modality", "table"],
        [
            *("patients.csv", "--ordinal", "grade:I<II", "--categorical", "sex", "--schema", "schema.toml"),
            *("--id", "nr", "--missing-indicators"),
        ],
        ["dna.fa", "--k", "2,3", "--bins", "2", "--canonical"],
        ["dna.fa", "--encoder", "cnn"],
        ["peaks.bed", "--reference", "genome.fa"],
        ["photographs", "--image-size", "12", "--image-pages", "mean", "--skip-bad"],
    ],
    ids=[
        "layer",
        "raw",
        "representation",
        "batches",
        "table",
        "columns",
        "words",
        "letters",
        "intervals",
        "images",
    ],
)
def test_the_command_of_a_card_has_the_settings_of_its_run(
    call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data()
    common = ["--config", "tiny.toml", "--threads", "1", "--device", "cpu", "--quiet", "--seed", "3"]
    result = call("fit", *options, "-o", "run", *common)
    assert result.code == 0, result.err
    found = read_command(Path("run/model/README.md").read_text(encoding="utf-8"))
    expected = settings_of(json.loads(Path("run/run.json").read_text()))
    # A new option of `fit` has to be written on the card, or named above.
    assert set(found) == set(expected) | IN_SETTINGS | OF_NO_CONSEQUENCE
    assert {name: found[name] for name in expected} == expected
    if "--input-state" in options:
        assert found["config"].features.input_state == "normalized"
    given = command.make_context("fit", [*options, "-o", "run", *common]).params
    asked = {name: value for name, value in given.items() if value is not None and name in expected}
    if asked.pop("schema", None) is not None:
        del asked["ignore"]  # which the file says
    assert {name: found[name] for name in asked} == {
        **asked,
        **{name: expected[name] for name in ("precision", "split_key")},  # which are resolved
    }


def test_the_names_of_features_are_said_where_the_matrix_is(
    call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data()
    options = ["--layer", "counts", "--var-key", "gene id", "--config", "tiny.toml", "--quiet"]
    result = call("fit", "the cells.h5ad", "-o", "run", "--threads", "1", "--device", "cpu", *options)
    assert result.code == 0, result.err
    said = ".layers['counts'], features named by .var['gene id']"
    assert said in call("info", "run").out
    card = Path("run/model/README.md").read_text(encoding="utf-8")
    assert f"| Matrix | {said} |".replace("[", "\\[").replace("]", "\\]") in card
