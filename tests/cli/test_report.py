"""`diffaug-bio report`, and the page that `fit` and `benchmark` write by themselves."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.cli.conftest import run_here
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

TINY = """
[features]
n_components = 6
[encoder]
n_latent = 4
hidden = [8]
projector_hidden = [8]
n_projection = 4
kind = "mlp"
[generator]
width = 8
n_blocks = 1
n_steps = 20
n_sampling_steps = 4
[train]
warmup_epochs = 2
generator_epochs = 2
encoder_epochs = 2
min_steps = 4
batch_size = 32
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, settings, and `run`, which the command wrote quietly."""
    folder = tmp_path_factory.mktemp("place")
    records = [f">s{i} label=c{i % 3} batch=b{i % 2}\n{one}\n" for i, one in enumerate(clustered_dna(60))]
    (folder / "dna.fa").write_text("".join(records))
    (folder / "tiny.toml").write_text(TINY)
    result = fit_in(folder, "run", "--quiet")
    assert result == (0, "", "")
    return folder


def fit_in(folder: Path, output: str, *options: str) -> Result:
    words = ["fit", "dna.fa", "-o", output, "--config", "tiny.toml", "--label-key", "label"]
    return run_here(*words, "--threads", 1, "--device", "cpu", *options, folder=folder)


def test_a_fit_writes_a_page_that_says_what_it_logged(place: Path) -> None:
    page = (place / "run" / "report.html").read_text(encoding="utf-8")
    assert "60 rows, each embedded as 4 numbers" in page
    assert "<h3>By label</h3>" in page
    assert "<h3>By batch</h3>" in page
    # Kept also where the command was quiet.
    assert "dna.fa: 60 sequences." in page
    log = json.loads((place / "run" / "run.json").read_text())["log"]
    assert [one["level"] for one in log] == ["info"] * len(log)
    assert any("--batch-key batch" in one["text"] for one in log)
    assert not any("epoch" in one["text"] or "Scoring" in one["text"] for one in log)


def test_a_table_that_is_declared_as_words_is_drawn_as_a_table(
    place: Path, call: Callable[..., Result], tmp_path: Path
) -> None:
    rows = ["".join(f",w{number}" for number in range(12))]
    rng = np.random.default_rng(0)
    rows += [f"s{row}," + ",".join(map(str, rng.poisson(3, 12))) for row in range(60)]
    (tmp_path / "words.csv").write_text("\n".join(rows))
    declared = TINY.replace("[features]", '[features]\ninput_state = "words"')
    (tmp_path / "words.toml").write_text(declared)
    run = tmp_path / "run"
    result = call(
        "fit", tmp_path / "words.csv", "-o", run, "--config", tmp_path / "words.toml", "--threads", 1
    )
    assert result.code == 0
    assert "report.html" in result.out
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "counted words of sequences" in page
    assert "generated-violin" in page


def test_the_summary_names_the_page_and_no_report_leaves_it_out(place: Path) -> None:
    with_page = fit_in(place, "again")
    assert with_page.code == 0
    assert ": again/report.html" in with_page.out
    assert with_page.err.count("60 sequences") == 1
    without = fit_in(place, "again", "--force", "--no-report")
    assert without.code == 0
    assert "report" not in without.out + without.err
    assert not (place / "again" / "report.html").exists()


def breaking(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_page_that_cannot_be_made_costs_no_fit(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jinja2.Environment.get_template", breaking(ImportError("a broken installation")))
    result = fit_in(place, "kept", "--quiet")
    assert (result.code, result.out) == (0, "")
    for words in ("kept", "report.html", "ImportError: a broken installation", "`diffaug-bio report kept`"):
        assert words in result.err
    names = {path.name for path in (place / "kept").iterdir()}
    assert names == {path.name for path in (place / "run").iterdir()} - {"report.html"}
    assert (place / "kept" / "embedding.csv").read_bytes() == (place / "run" / "embedding.csv").read_bytes()


def test_a_fault_of_the_program_in_a_page_costs_no_fit_and_debug_has_its_traceback(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jinja2.Environment.get_template", breaking(ZeroDivisionError("a fault")))
    result = fit_in(place, "faulty", "--quiet")
    assert result.code == 0
    assert "report.html" in result.err
    assert "ZeroDivisionError" in result.err
    assert len(result.err.splitlines()) == 1
    alone = run_here("report", "faulty", folder=place)
    assert (alone.code, alone.out) == (1, "")
    assert alone.err == "Error: Unexpected ZeroDivisionError: a fault; --debug shows more.\n"
    told = fit_in(place, "told", "--debug")
    assert told.code == 0
    assert "Traceback (most recent call last)" in told.err
    assert (place / "faulty" / "embedding.csv").exists()


def test_the_page_can_be_made_again(place: Path, tmp_path: Path, call: Callable[..., Result]) -> None:
    shutil.copytree(place / "run", tmp_path / "run")
    before = (tmp_path / "run" / "report.html").read_bytes()
    (tmp_path / "run" / "report.html").unlink()
    result = call("report", tmp_path / "run")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(rf"{tmp_path}/run/report\.html, \d\.\d MB\. Open it in a browser\.\n", result.out)
    assert (tmp_path / "run" / "report.html").read_bytes() == before
    quiet = call("report", tmp_path / "run", "--quiet")
    assert quiet == (0, "", "")


def test_another_file_other_labels_and_json(
    place: Path, tmp_path: Path, call: Callable[..., Result]
) -> None:
    target = tmp_path / "page.html"
    result = call("report", place / "run", "-o", target, "--label-key", "batch", "--json")
    assert result.code == 0
    printed = json.loads(result.out)
    assert printed == {
        "report": str(target),
        "n_bytes": target.stat().st_size,
        "n_obs": 60,
        "n_shown": 60,
    }
    page = target.read_text(encoding="utf-8")
    assert "By label: batch" in page
    assert "diffaug-bio evaluate RUN --label-key batch" in page
    refused = call("report", place / "run", "-o", target)
    assert refused.code == 1
    assert "--force" in refused.err
    assert call("report", place / "run", "-o", target, "--force").code == 0
    assert "<h3>By label</h3>" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run/model"], "run/model is not the folder of a fit"),
        (["nowhere"], "no folder nowhere"),
        (["dna.fa"], "dna.fa is a file"),
        (["run", "-o", "page.pdf"], ".html"),
        (["run", "-o", "no/page.html"], "no folder no"),
        (["run", "-o", "folder.html"], "folder.html is a folder"),
        (["run", "--label-key", "kind"], "'kind'"),
    ],
    ids=["model", "nowhere", "a file", "ending", "no folder", "folder", "label"],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    place: Path,
    call: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
) -> None:
    (place / "folder.html").mkdir(exist_ok=True)
    monkeypatch.chdir(place)
    result = call("report", *arguments)
    assert result.code == 1
    assert result.out == ""
    assert result.err.startswith("Error: ")
    assert expected in result.err
    assert not (place / "run" / "model" / "report.html").exists()
