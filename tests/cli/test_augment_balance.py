"""`diffaug-bio augment --groupby`: rare classes of cells and tables, into files of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import io, runs, tl
from diffaug_bio.datasets import DataSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig
    from tests.cli.conftest import Result

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ["--threads", "1", "--device", "cpu"]
GROWN = {"c1": 10, "c2": 22}  # of the 30 rows that each class is to have


@pytest.fixture
def place(counts: AnnData, tiny_config: DiffAugConfig, tmp_path: Path) -> Path:
    """Cells of which two kinds are rare, `cells.h5ad` and `cells.csv`, and `run`, a model of them."""
    rare = np.r_[0:40, 40:60, 80:88]
    cells = counts[rare].copy()
    cells.write_h5ad(tmp_path / "cells.h5ad")
    io.write_table(tmp_path / "cells.csv", cells)
    source = DataSource(data=str(tmp_path / "cells.h5ad"))
    runs.fit(source, tmp_path / "run", config=tiny_config, device="cpu")
    return tmp_path


def words(place: Path, output: str, *further: object, data: str = "cells.h5ad") -> list[str]:
    command = ["augment", place / data, "--model", place / "run", "-o", place / output, *OPTIONS, *further]
    return [str(word) for word in command]


def check(generated: AnnData) -> None:
    """Look whether the rare classes got what they lack, as counts, and annotations."""
    assert generated.obs["cluster"].astype(str).value_counts().to_dict() == GROWN
    assert {str(value) for value in generated.obs["generated"]} == {"True"}
    assert all(str(name).startswith("cell") for name in generated.obs["source"])
    values = generated.X.toarray() if sparse.issparse(generated.X) else generated.X
    np.testing.assert_array_equal(values, np.rint(values))
    assert values.min() == 0
    assert list(generated.var_names) == [f"gene{number}" for number in range(40)]


def test_rare_classes_grow(place: Path, call: Callable[..., Result]) -> None:
    arguments = words(place, "more.h5ad", "--groupby", "cluster", "--target", 30)
    result = call(*arguments)
    assert result.code == 0, result.err
    assert result.out == f"32 rows generated; see {place}/more.h5ad.\n"
    assert "Classes that grow: 'c1 20 to 30', 'c2 8 to 30'." in result.err
    written = anndata.read_h5ad(place / "more.h5ad")
    check(written)
    cells = anndata.read_h5ad(place / "cells.h5ad")
    expected = tl.augment(cells, place / "run", groupby="cluster", target=30, device="cpu")
    np.testing.assert_array_equal(written.X.toarray(), expected.X.toarray())
    assert list(written.obs_names) == list(expected.obs_names)


@pytest.mark.parametrize("output", ["more.csv", "more.tsv", "more.csv.gz", "MORE.TSV.GZ"])
@pytest.mark.parametrize("data", ["cells.h5ad", "cells.csv"])
def test_tables_are_read_back_with_labels_and_sources(
    place: Path, call: Callable[..., Result], output: str, data: str
) -> None:
    result = call(*words(place, output, "--groupby", "cluster", "--target", 30, data=data))
    assert (result.code, result.out) == (0, f"32 rows generated; see {place / output}.\n")
    check(io.read(place / output))


def test_labels_of_a_source_balance_nothing_unless_they_are_asked_for(place: Path) -> None:
    source = DataSource(data=str(place / "cells.csv"), label_key="cluster")
    generated = runs.augment(source, place / "run", place / "more.h5ad", device="cpu")
    assert generated.n_obs == 68
    for given in (source, DataSource(data=str(place / "cells.csv"))):
        balanced = runs.augment(
            given,
            place / "run",
            place / "more.h5ad",
            groupby="cluster",
            target=30,
            device="cpu",
            force=True,
        )
        check(balanced)


def test_strength_and_guidance_are_those_asked_for(place: Path, call: Callable[..., Result]) -> None:
    assert call(*words(place, "a.h5ad", "--strength", 0.1, "--guidance", 2, "--n-views", 2)).code == 0
    cells = anndata.read_h5ad(place / "cells.h5ad")
    expected = tl.augment(
        cells, place / "run", n_views=2, strength=0.1, guidance=2.0, device="cpu"
    ).X.toarray()
    np.testing.assert_array_equal(anndata.read_h5ad(place / "a.h5ad").X.toarray(), expected)
    assert (tl.augment(cells, place / "run", n_views=2, device="cpu").X.toarray() != expected).any()


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--n-views", 2, "--groupby", "cluster"], "not both"),
        (["--target", 9], "name their column"),
        (["--groupby", "kind"], "'kind' in `.obs`; it holds 'cluster'."),
        (["--groupby", "cluster", "--target", 5], "Give a larger `target`"),
    ],
    ids=["both", "no-column", "unknown", "nothing-to-do"],
)
def test_what_contradicts_itself_is_refused(
    place: Path, call: Callable[..., Result], further: list[object], message: str
) -> None:
    result = call(*words(place, "more.h5ad", *further))
    assert (result.code, result.out) == (1, "")
    assert message in result.err.splitlines()[-1]
    assert not (place / "more.h5ad").exists()


@pytest.mark.parametrize("strength", ["0", "2", "-1", "much"])
def test_a_strength_out_of_range_is_a_wrong_call(
    place: Path, call: Callable[..., Result], strength: str
) -> None:
    result = call(*words(place, "more.h5ad", "--strength", strength))
    assert result.code == 2
    assert "Invalid value for '--strength'" in result.err


def test_features_do_not_go_into_a_file_of_letters(place: Path, call: Callable[..., Result]) -> None:
    result = call(*words(place, "more.fa", "--groupby", "cluster"))
    assert result.code == 1
    assert "The model generates features, not letters, which more.fa would hold. Write .h5ad" in result.err


def test_numbers_that_are_classes_are_read_as_the_source_is(
    tiny_config: DiffAugConfig, tmp_path: Path, call: Callable[..., Result]
) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(5, 1, (40, 6)).round(3)).add_prefix("protein")
    table["outcome"] = np.arange(40) % 4 // 3  # ten of class 1
    table.to_csv(tmp_path / "cells.csv", index_label="id")
    source = DataSource(data=str(tmp_path / "cells.csv"), label_key="outcome")
    runs.fit(source, tmp_path / "run", config=tiny_config, device="cpu")
    further = ("--groupby", "outcome", "--target", 30)
    result = call(*words(tmp_path, "more.csv", *further, data="cells.csv"))
    assert result.code == 0
    assert "annotations 'outcome' are numbers" in result.err
    found = io.read(tmp_path / "more.csv", obs_columns=["outcome"])
    assert found.shape == (20, 6)
    assert list(found.obs["outcome"]) == [1] * 20
