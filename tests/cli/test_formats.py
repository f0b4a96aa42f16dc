"""Commands on folders and stores: what is read, how outputs are named, and what records say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest

from diffaug_bio import io
from tests.cli.cells import TINY, make_cells
from tests.cli.conftest import run_here
from tests.io.cell_ranger import write_text
from tests.io.stores.test_stores import write_mudata, write_zarr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two samples of Cell Ranger, and a run that was fitted on them."""
    folder = tmp_path_factory.mktemp("formats")
    adata = make_cells()
    (folder / "tiny.toml").write_text(TINY)
    for name, rows in (("liver", slice(0, 50)), ("lung", slice(50, 90))):
        write_text(folder / "run" / name / "outs" / "filtered_feature_bc_matrix", adata[rows].copy(), 3)
    (folder / "run" / "lung" / "outs" / "possorted_genome_bam.bam").write_bytes(b"BAM")
    options = ("--config", "tiny.toml", "--batch-key", "batch", "--no-report", "--threads", 1)
    result = run_here("fit", "run", *options, folder=folder)
    assert result.code == 0, result.err
    assert "liver (50 cells), lung (40 cells)" in result.err
    return folder


def test_samples_are_fitted_as_batches_and_recorded(place: Path) -> None:
    run = place / "run.diffaug"
    adata = io.read(run / "embedded.h5ad")
    assert adata.obs["batch"].value_counts().to_dict() == {"liver": 50, "lung": 40}
    assert adata.obs_names[0] == "liver/cell0"
    data = json.loads((run / "run.json").read_text())["data"]
    files = [file for file in (place / "run").rglob("*") if file.is_file()]
    assert data["bytes"] == sum(file.stat().st_size for file in files if file.suffix != ".bam")


def test_fingerprint_of_samples_follows_the_files_that_are_read(place: Path) -> None:
    from diffaug_bio.datasets.source import DataSource, fingerprint

    source = DataSource(data=str(place / "run"))
    before = fingerprint(source)
    bam = place / "run" / "lung" / "outs" / "possorted_genome_bam.bam"
    bam.write_bytes(b"another")
    assert fingerprint(source) == before
    barcodes = place / "run" / "lung" / "outs" / "filtered_feature_bc_matrix" / "barcodes.tsv.gz"
    content = barcodes.read_bytes()
    barcodes.write_bytes(content + content)
    assert fingerprint(source) != before
    barcodes.write_bytes(content)


def test_fingerprint_of_a_store_counts_its_hidden_files(tmp_path: Path) -> None:
    from diffaug_bio.datasets.source import DataSource, fingerprint

    path = write_zarr(tmp_path / "cells.zarr", make_cells(), 2)
    before = fingerprint(DataSource(data=str(path)))
    (path / "X" / ".zattrs").write_text("{}")
    assert fingerprint(DataSource(data=str(path))) != before


def test_stores_are_embedded_and_outputs_named_after_them(place: Path, call: Callable[..., Result]) -> None:
    write_zarr(place / "more.zarr", make_cells(), 3)
    write_mudata(place / "both.h5mu", rna=make_cells(), prot=make_cells()[:, :5].copy())
    for name, options in (("more.zarr", ()), ("both.h5mu", ("--modality-key", "rna"))):
        result = call("embed", name, "--model", "run.diffaug", "--threads", 1, *options, folder=place)
        assert result.code == 0, result.err
        record = json.loads((place / f"{name.split('.')[0]}.diffaug-embed" / "run.json").read_text())
        assert record["data"]["n_obs"] == 90
        assert record["data"]["modality_key"] == (options[1] if options else None)
    embeddings = [
        (place / f"{name}.diffaug-embed" / "embedding.csv").read_bytes() for name in ("more", "both")
    ]
    assert embeddings[0] == embeddings[1]


def test_labels_of_a_store_are_transferred_and_scored(place: Path, call: Callable[..., Result]) -> None:
    write_zarr(place / "labelled.zarr", make_cells(), 2)
    options = ("--labels-from", "labelled.zarr", "--label-key", "kind", "--threads", 1)
    result = call("transfer", "run", "--model", "run.diffaug", *options, "-o", "told", folder=place)
    assert result.code == 0, result.err
    assert "kind_transferred" in io.read(place / "told" / "embedded.h5ad").obs
    scoring = ("--model", "run.diffaug", "--label-key", "kind", "--threads", 1, "--json")
    result = call("evaluate", "labelled.zarr", *scoring, folder=place)
    assert result.code == 0, result.err


def test_embeddings_of_a_store_are_scored(tmp_path: Path, call: Callable[..., Result]) -> None:
    rng = np.random.default_rng(0)
    adata = anndata.AnnData(rng.normal(size=(60, 4)).astype(np.float32))
    adata.obs["kind"] = ["a", "b"] * 30
    adata.obsm["X_pca"] = adata.X[:, :2]
    write_zarr(tmp_path / "cells.zarr", adata)
    done = call("evaluate", tmp_path / "cells.zarr", "--use-rep", "X_pca", "--label-key", "kind", "--json")
    assert list(json.loads(done.out)["scores"]) == ["X_pca"]


def test_rows_are_generated_from_samples(place: Path, call: Callable[..., Result]) -> None:
    result = call(
        "augment", "run", "--model", "run.diffaug", "--threads", 1, "-o", "more.h5ad", folder=place
    )
    assert result.code == 0, result.err
    assert io.read(place / "more.h5ad").n_obs == 90


def test_sheet_of_a_workbook_is_embedded(place: Path, call: Callable[..., Result]) -> None:
    with pd.ExcelWriter(place / "book.xlsx") as book:
        pd.DataFrame({"note": ["see", "counts"]}).to_excel(book, sheet_name="about")
        make_cells().to_df().to_excel(book, sheet_name="counts")
    options = ("--model", "run.diffaug", "--threads", 1, "--sheet", "counts")
    result = call("embed", "book.xlsx", *options, folder=place)
    assert result.code == 0, result.err
    assert "'counts' is read, not 'about' (--sheet)" in result.err
    record = json.loads((place / "book.diffaug-embed" / "run.json").read_text())
    assert (record["data"]["n_obs"], record["data"]["sheet"]) == (90, "counts")


def test_names_beside_a_matrix_are_not_replaced(place: Path, call: Callable[..., Result]) -> None:
    folder = write_text(place / "geo", make_cells(), 2)
    before = (folder / "genes.tsv").read_bytes()
    options = ("--model", "run.diffaug", "-o", "geo/genes.tsv", "--force", "--threads", 1)
    result = call("augment", "geo/matrix.mtx", *options, folder=place)
    assert result.code == 1
    assert "'genes.tsv' of the data" in result.err
    assert (folder / "genes.tsv").read_bytes() == before


def test_benchmark_takes_a_modality_where_there_are_several(place: Path) -> None:
    from diffaug_bio.benchmark import read_data

    write_mudata(place / "two.h5mu", gex=make_cells(), prot=make_cells()[:, :5].copy())
    io.write_h5ad(place / "plain.h5ad", make_cells())
    names = [str(place / name) for name in ("two.h5mu", "plain.h5ad")]
    data = read_data(names, {"label_key": ["kind"]}, modality_key="prot")
    assert [one.matrix.shape for one in data] == [(90, 5), (90, 30)]


def test_no_output_lies_within_what_is_read(place: Path, call: Callable[..., Result]) -> None:
    result = call("fit", "run", "-o", "run/out", folder=place)
    assert result.code == 1
    assert "lies within the data run" in result.err
    assert not (place / "run" / "out").exists()


def test_missing_names_end_a_command_with_one_sentence(tmp_path: Path, call: Callable[..., Result]) -> None:
    folder = write_text(tmp_path / "geo", make_cells(), 3)
    (folder / "features.tsv.gz").unlink()
    result = call("fit", "geo", folder=tmp_path)
    assert result.code == 1
    assert "features.tsv(.gz) should lie beside it" in result.err
    assert len(result.err.strip().splitlines()) == 2  # where results would go, and the error
    assert [entry.name for entry in tmp_path.iterdir()] == ["geo"]
