"""Pages about runs, for each kind of data."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
import tracemalloc
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import DiffAugConfig, report, runs
from diffaug_bio.datasets import DataSource
from diffaug_bio.errors import CheckpointError, InputError
from diffaug_bio.model.about import Run, run_facts
from diffaug_bio.model.estimator import DiffAug
from diffaug_bio.model.folder import describe_model
from diffaug_bio.report._rows import read_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECTIONS = ("data", "embedding", "scores", "generated", "neighbors", "training", "repeat", "use")


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """Text of a page without drawings, its white space as single spaces."""
    body = re.sub(r"<(svg|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("kind", ["cells", "table", "letters", "words", "images", "no_generator"])
def test_every_kind_of_data_has_a_whole_page(fitted_run: Callable[[str], Path], kind: str) -> None:
    page = page_of(fitted_run(kind))
    assert re.findall(r'<section id="(\w+)"', page) == list(SECTIONS)
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert len(page) < 5e6


def test_scores_and_labels_of_cells_are_those_of_the_run(fitted_run: Callable[[str], Path]) -> None:
    folder = fitted_run("cells")
    text, scores = text_of(page_of(folder)), json.loads((folder / "metrics.json").read_text())
    for method in ("embedding", "pca"):
        for key in ("linear_probe", "knn_accuracy", "kmeans_nmi", "leiden_ari", "silhouette"):
            assert f" {scores[method][key]:.3f} " in text
    assert "CD14+ Monocyte" in text
    assert "By label: bulk_labels" in text
    assert "; for bulk_labels" in text
    assert "Compared with PCA, DiffAug is" in text
    assert "By batch" not in text
    assert "scaled values" in text
    assert "diffaug-bio fit recipe:pbmc68k -o run --config settings.toml --label-key bulk_labels" in text
    assert "n_latent = 6" in text
    run = json.loads((folder / "run.json").read_text())
    assert f"torch {run['versions']['torch']}" in text


def test_neighbors_are_those_of_the_embedding(fitted_run: Callable[[str], Path]) -> None:
    folder = fitted_run("cells")
    adata = anndata.read_h5ad(folder / "embedded.h5ad")
    table = re.findall(r'<section id="neighbors".*?</section>', page_of(folder), flags=re.DOTALL)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)[1:]
    assert len(rows) == 12
    names = [re.findall(r"<code>(.*?)</code>", row) for row in rows]
    for number in range(0, 12, 2):
        query, *near = names[number]
        place = adata.obs_names.get_loc(query)
        embedding = adata.obsm["X_diffaug"]
        order = np.argsort(np.linalg.norm(embedding - embedding[place], axis=1))
        assert near == list(adata.obs_names[order[1:6]])
        of_class = adata.obs["bulk_labels"] == adata.obs["bulk_labels"].iloc[place]
        assert rows[number].count("(same class)") == of_class.iloc[order[1:6]].sum()


def test_a_table_without_labels_has_a_useful_page(fitted_run: Callable[[str], Path]) -> None:
    text = text_of(page_of(fitted_run("table")))
    assert "--label-key" in text
    assert "1 missing values" in text
    assert "Note:" in text
    assert "Matrix" not in text
    assert "Label kept" not in text
    assert "Told from real rows" in text
    assert "among all rows" in text


def test_a_run_without_generator_says_so(fitted_run: Callable[[str], Path]) -> None:
    text = text_of(page_of(fitted_run("no_generator")))
    assert "fitted without a generator" in text
    assert "without a diffusion model" in text
    assert "with positives from" not in text
    assert "Told from real rows" not in text
    assert "diffaug-bio augment" not in text


def test_letters_and_images_are_shown(fitted_run: Callable[[str], Path]) -> None:
    letters = fitted_run("letters")
    sequence = anndata.read_h5ad(letters / "embedded.h5ad").obs["sequence"].iloc[0]
    assert f"{sequence[:12]}\N{HORIZONTAL ELLIPSIS}" in text_of(page_of(letters))
    images = page_of(fitted_run("images"))
    assert images.count('<img src="data:image/png;base64,') == 6 * 11
    assert "8 x 8" in text_of(images)


def test_the_page_of_a_run_is_the_same_every_time(
    fitted_run: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = fitted_run("words")
    result = report.write_report(folder, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page_of(folder)
    assert result == {
        "report": str(tmp_path / "again.html"),
        "n_bytes": (tmp_path / "again.html").stat().st_size,
        "n_obs": 90,
        "n_shown": 90,
    }


def copied(folder: Path, target: Path, change: Callable[[anndata.AnnData], anndata.AnnData]) -> Path:
    """Copy a run folder, with other data in it."""
    shutil.copytree(folder, target)
    change(anndata.read_h5ad(target / "embedded.h5ad")).write_h5ad(target / "embedded.h5ad")
    return target


def test_what_comes_from_data_is_no_markup(fitted_run: Callable[[str], Path], tmp_path: Path) -> None:
    evil = "<script>alert('&')</script> $\\frac --> \N{CJK UNIFIED IDEOGRAPH-7EC6}"

    def change(adata: anndata.AnnData) -> anndata.AnnData:
        adata.obs_names = [f"{name}{evil}" for name in adata.obs_names]
        adata.obs["batch"] = pd.Categorical([f"{evil}{number % 3}" for number in range(adata.n_obs)])
        return adata

    folder = copied(fitted_run("table"), tmp_path / "run", change)
    run = json.loads((folder / "run.json").read_text())
    run["data"]["data"] = f"/home/someone/{evil}.csv"
    run["log"].append({"level": "warning", "text": evil})
    (folder / "run.json").write_text(json.dumps(run))
    report.write_report(folder, label_key="batch")
    page = page_of(folder)
    assert "<script" not in page
    assert "<script>alert('&')</script>" in text_of(page)
    assert "/home/someone" not in page


def test_batches_are_shown_where_they_are(fitted_run: Callable[[str], Path], tmp_path: Path) -> None:
    def change(adata: anndata.AnnData) -> anndata.AnnData:
        adata.obs["batch"] = np.where(np.arange(adata.n_obs) % 2, "first", "second")
        adata.obs["depth"] = np.linspace(0, 1, adata.n_obs)
        adata.obs["site"] = adata.obs["batch"]
        return adata

    folder = copied(fitted_run("table"), tmp_path / "run", change)
    report.write_report(folder)
    text = text_of(page_of(folder))
    assert re.search(r"By batch\b(?!:)", text)
    assert "By label" not in text
    assert "Columns that may be labels: site" in text
    assert "did not correct for batch" in text
    report.write_report(folder, batch_key="depth", label_key="batch")
    text = text_of(page_of(folder))
    assert "By batch: depth" in text
    assert "By label: batch" in text
    with pytest.raises(InputError, match=r"'donor'.*'batch'"):
        report.write_report(folder, batch_key="donor")
    assert "diffaug-bio evaluate RUN --label-key batch" in text
    with pytest.raises(InputError, match="'celltype'"):
        report.write_report(folder, label_key="celltype")
    with pytest.raises(InputError, match=r"'depth'.* 60 rows"):
        report.write_report(folder, label_key="depth")


def test_neither_page_nor_memory_grow_with_rows(fitted_run: Callable[[str], Path], tmp_path: Path) -> None:
    n_obs = 100_000

    def change(adata: anndata.AnnData) -> anndata.AnnData:
        rng = np.random.default_rng(0)
        group = rng.integers(12, size=n_obs)
        values = (3 * rng.normal(size=(12, 120))[group] + rng.normal(size=(n_obs, 120))).astype(np.float32)
        return anndata.AnnData(
            X=values[:, : adata.n_vars],
            obs=pd.DataFrame(
                {"kind": pd.Categorical(group.astype(str))}, index=[f"row{i}" for i in range(n_obs)]
            ),
            var=adata.var,
            uns=adata.uns,
            obsm={"X_diffaug": values[:, :6], "X_other": values},
        )

    folder = copied(fitted_run("table"), tmp_path / "run", change)
    result = report.write_report(folder, label_key="kind")
    assert result["n_obs"] == n_obs
    assert result["n_shown"] == 3000
    assert result["n_bytes"] < 1e6
    text = text_of(page_of(folder))
    assert "3,000 of 100,000 rows, drawn at random" in text
    assert "among 3,000 rows drawn at random" in text
    model = DiffAug.load(folder, device="cpu")
    tracemalloc.start()
    sample = read_sample(folder / "embedded.h5ad", model, most=3000, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (folder / "embedded.h5ad").stat().st_size > 48e6
    assert peak < 30e6
    whole = anndata.read_h5ad(folder / "embedded.h5ad")
    np.testing.assert_array_equal(sample.adata.X, whole.X[sample.rows])
    assert list(sample.adata.obs_names) == list(whole.obs_names[sample.rows])


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("run.json", (InputError, "is not the folder of a fit")),
        ("embedded.h5ad", (InputError, "is not the folder of a fit")),
        ("model/weights.safetensors", (CheckpointError, r"lacks weights\.safetensors")),
    ],
    ids=["record", "data", "model"],
)
def test_a_folder_that_lacks_something_is_refused(
    fitted_run: Callable[[str], Path],
    tmp_path: Path,
    missing: str,
    expected: tuple[type[Exception], str],
) -> None:
    shutil.copytree(fitted_run("words"), tmp_path / "run")
    before = (tmp_path / "run" / "report.html").read_bytes()
    (tmp_path / "run" / missing).unlink()
    with pytest.raises(expected[0], match=expected[1]):
        report.write_report(tmp_path / "run")
    assert (tmp_path / "run" / "report.html").read_bytes() == before


def test_a_benchmark_has_a_page(benchmark_folder: Path) -> None:
    page = page_of(benchmark_folder)
    assert re.findall(r'<section id="(\w+)"', page) == ["overview", "data", "generated", "missing", "how"]
    text, scores = text_of(page), pd.read_csv(benchmark_folder / "results.csv")
    for method in ("diffaug", "pca"):
        found = scores[(scores["method"] == method) & (scores["metric"] == "linear_probe")]["value"]
        assert f" {100 * found.item():.1f} " in text
    assert "cnn on pbmc was left out" in text
    assert "PCA of the same width" in text
    assert "on 1 data set with 1 seed," in text
    assert "(best)" not in text
    with pytest.raises(InputError, match="label_key"):
        report.write_report(benchmark_folder, label_key="bulk_labels")


def test_a_benchmark_without_results_is_refused(benchmark_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(benchmark_folder, tmp_path / "results")
    (tmp_path / "results" / "results.csv").unlink()
    with pytest.raises(InputError, match=r"no results\.csv"):
        report.write_report(tmp_path / "results")


def test_numbers_as_labels_are_classes(fitted_run: Callable[[str], Path], tmp_path: Path) -> None:
    def numbered(adata: anndata.AnnData) -> anndata.AnnData:
        adata.obs["cluster"] = np.arange(adata.n_obs) % 11
        return adata

    folder = copied(fitted_run("cells"), tmp_path / "run", numbered)
    report.write_report(folder, label_key="cluster", force=True)
    page = page_of(folder)
    legend = re.search(r'class="legend".*?</ul>', page, flags=re.DOTALL)
    assert legend is not None
    assert re.findall(r"\d+", text_of(legend.group())) == [str(number) for number in range(11)]


def test_rows_without_a_known_label_are_told_nothing_of(
    fitted_run: Callable[[str], Path], tmp_path: Path
) -> None:
    def unknown(adata: anndata.AnnData) -> anndata.AnnData:
        adata.obs["late"] = np.array([None] * adata.n_obs, dtype=object)
        adata.obs["late"] = adata.obs["late"].astype("category")
        return adata

    folder = copied(fitted_run("cells"), tmp_path / "run", unknown)
    report.write_report(folder, label_key="late", force=True)
    text = text_of(page_of(folder))
    assert "nan%" not in text
    assert "Label kept" not in text


def test_batches_that_the_fit_brought_together_are_told_so(tmp_path: Path) -> None:
    adata = anndata.AnnData(
        np.random.default_rng(0).poisson(3.0, (60, 20)).astype(np.float32),
        obs=pd.DataFrame({"donor": ["d1", "d2"] * 30}, index=[f"cell{number}" for number in range(60)]),
    )
    adata.write_h5ad(tmp_path / "cells.h5ad")
    source = DataSource(data=str(tmp_path / "cells.h5ad"))
    config = DiffAugConfig.preset("quick").replace(generator={"width": 8})
    runs.fit(source, tmp_path / "run", config=config, batch_key="donor", device="cpu")
    report.write_report(tmp_path / "run")
    text = text_of(page_of(tmp_path / "run"))
    assert "Batches donor; corrected by the fit" in text
    assert "By batch: donor" in text
    assert "Preset quick, changed: generator.width = 8 Device" in text
    assert "The encoder keeps its last weights." in text


def test_what_follows_from_a_change_is_no_change_of_its_own(fitted_run: Callable[[str], Path]) -> None:
    folder = fitted_run("cells")
    run = Run(json.loads((folder / "run.json").read_text()), None)
    config = DiffAugConfig.preset("quick").replace(features={"front_end": "none"}).for_kind("expression")
    model = dataclasses.replace(describe_model(folder), config=config)
    # Without a front end no components are kept.
    assert dict(run_facts(model, run).facts)["Preset"] == "quick, changed: features.front_end = none"
