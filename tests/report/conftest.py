"""Run folders of every kind of data, fitted once for all tests of their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import benchmark, datasets, report, runs
from diffaug_bio.datasets import DataSource
from tests.conftest import clustered_dna

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from diffaug_bio.config import DiffAugConfig

LETTERS: dict[str, dict[str, Any]] = {"encoder": {"kind": "cnn"}}


@pytest.fixture(autouse=True)
def _no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw into files, as the command line does."""
    monkeypatch.setenv("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def fitted_run(
    tmp_path_factory: pytest.TempPathFactory, tiny_config: DiffAugConfig
) -> Callable[[str], Path]:
    """Fit small shipped data of a kind and make the page, once."""
    place = tmp_path_factory.mktemp("runs")
    made: dict[str, Path] = {}

    def fit(kind: str) -> Path:
        if kind not in made:
            source, changes = _source(kind, place)
            config = tiny_config.replace(**changes)
            runs.fit(source, place / kind, config=config, device="cpu")
            report.write_report(place / kind)
            made[kind] = place / kind
        return made[kind]

    return fit


def _source(kind: str, place: Path) -> tuple[DataSource, dict[str, dict[str, Any]]]:
    """Name or write the data of a kind, and the settings that they need."""
    if kind in {"letters", "words"}:
        letters = clustered_dna(n_obs=90, length=40)
        path = place / f"{kind}.fa"
        path.write_text("".join(f">s{i} label=c{i % 3}\n{one}\n" for i, one in enumerate(letters)))
        words: dict[str, dict[str, Any]] = {"encoder": {"kind": "mlp"}}
        chosen = LETTERS if kind == "letters" else words
        return DataSource(data=str(path), label_key="label"), chosen
    if kind == "images":
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = (digits.images[:150] * 15).astype(np.uint8)
        np.savez(place / "digits.npz", images=pixels, labels=digits.target[:150].astype(str))
        return DataSource(data=str(place / "digits.npz"), label_key="label"), {}
    if kind == "table":
        rng = np.random.default_rng(0)
        values = rng.normal(size=(60, 5)) + 3 * (np.arange(60) % 2)[:, None]
        rows = [f"m{i}," + ",".join(f"{x:.3f}" for x in row) for i, row in enumerate(values)]
        (place / "table.csv").write_text("\n".join(["id,a,b,c,d,e", *rows]).replace("m7,", "m7,,") + "\n")
        lines = (place / "table.csv").read_text().splitlines()
        lines[8] = lines[8].rsplit(",", 1)[0]  # as many cells as the others, one of them empty
        (place / "table.csv").write_text("\n".join(lines) + "\n")
        return DataSource(data=str(place / "table.csv")), {}
    return DataSource(data="recipe:pbmc68k"), {"train": {"rounds": 0}} if kind == "no_generator" else {}


@pytest.fixture(scope="session")
def benchmark_folder(tmp_path_factory: pytest.TempPathFactory, tiny_config: DiffAugConfig) -> Path:
    """A benchmark of three methods, one of which does not apply, and its page."""
    folder = tmp_path_factory.mktemp("benchmark") / "results"
    data = benchmark.BenchmarkData.from_anndata(
        datasets.load("pbmc68k"), name="pbmc", label_key="bulk_labels"
    )
    benchmark.run([data], folder, methods=["diffaug", "pca", "cnn"], n_seeds=1, config=tiny_config)
    report.write_report(folder)
    return folder
