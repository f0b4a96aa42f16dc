"""Values in other files: refused by every command, and read where `--external-links` allows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import pytest

from diffaug_bio import benchmark, runs
from diffaug_bio.datasets import DataSource
from diffaug_bio.errors import InputError
from tests.conftest import make_counts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from diffaug_bio import DiffAugConfig
    from tests.cli.conftest import Result

OPTIONS = ["--threads", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def place(tiny_config: DiffAugConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells, `cells.h5ad`, a model of them, `run`, and `linked.h5ad`, which links to them."""
    folder = tmp_path_factory.mktemp("links")
    counts = make_counts()
    counts.obsm["X_pca"] = counts.X.toarray()[:, :5]
    for name in ("cells.h5ad", "linked.h5ad"):
        counts.write_h5ad(folder / name)
    with h5py.File(folder / "linked.h5ad", "r+") as file:
        for part in ("X", "obs", "obsm/X_pca"):
            del file[part]
            file[part] = h5py.ExternalLink("cells.h5ad", f"/{part}")
    source = DataSource(data=str(folder / "cells.h5ad"), label_key="cluster")
    runs.fit(source, folder / "run", config=tiny_config, device="cpu")
    return folder


def words(command: str, place: Path, output: Path) -> list[object]:
    if command == "evaluate":
        return ["evaluate", place / "linked.h5ad", "--label-key", "cluster", "--use-rep", "X_pca", *OPTIONS]
    labels = ["--label-key", "cluster", "--labels-from", place / "linked.h5ad"]
    return ["transfer", place / "cells.h5ad", "--model", place / "run", *labels, "-o", output, *OPTIONS]


@pytest.mark.parametrize("command", ["evaluate", "transfer"])
def test_other_files_are_read_only_if_allowed(
    place: Path, tmp_path: Path, call: Callable[..., Result], command: str
) -> None:
    refused = call(*words(command, place, tmp_path / "out"))
    assert (refused.code, refused.out) == (1, "")
    assert "--external-links" in refused.err
    allowed = call(*words(command, place, tmp_path / "out"), "--external-links")
    assert allowed.code == 0, allowed.err


def test_a_benchmark_reads_other_files_only_if_allowed(place: Path) -> None:
    keys = {"label_key": ["cluster"], "group_key": [], "split_key": [], "batch_key": []}
    with pytest.raises(InputError, match="external_links"):
        benchmark.read_data([str(place / "linked.h5ad")], keys)
    found = benchmark.read_data([str(place / "linked.h5ad")], keys, external_links=True)
    assert found[0].n_obs == 120
