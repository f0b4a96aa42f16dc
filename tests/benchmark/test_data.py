"""Labelled data of a benchmark: from AnnData, from files, and through a file of its own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.benchmark import METHODS, BenchmarkData, read_data
from diffaug_bio.benchmark._embedders import NotApplicableError
from diffaug_bio.benchmark._score import score_method
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio import DiffAugConfig

SEQUENCES = ["ACGTACGTTA", "GGGTCCCAAT", "ACACACGTGT", "TTGACCATGA", "CCGGTTAACA", "GATTACAGAT"]


@pytest.fixture
def annotated(counts: AnnData) -> AnnData:
    """`counts` with four donors and two batches."""
    counts.obs["donor"] = [f"d{number % 4}" for number in range(120)]
    counts.obs["plate"] = np.arange(120) % 2
    return counts


def write_fasta(path: Path) -> Path:
    records = [
        f">s{number} kind=k{number % 2} mouse=m{number % 6}\n{SEQUENCES[number % 6]}\n"
        for number in range(12)
    ]
    path.write_text("".join(records))
    return path


def write_table(path: Path, *, label: str = "label") -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(20, 3)), columns=["g1", "g2", "g3"])
    frame[label] = np.arange(20) % 2
    frame.to_csv(path, index_label="id")
    return path


def assert_same(one: BenchmarkData, other: BenchmarkData) -> None:
    for field in dataclasses.fields(BenchmarkData):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if sparse.issparse(first):
            assert sparse.issparse(second)
            first, second = first.toarray(), second.toarray()
        np.testing.assert_array_equal(first, second, err_msg=field.name)


def test_an_anndata_gives_its_matrix_labels_groups_and_batches(annotated: AnnData) -> None:
    data = BenchmarkData.from_anndata(
        annotated, name="cells", label_key="cluster", group_key="donor", batch_key="plate"
    )
    assert (data.name, data.n_obs, data.input_state) == ("cells", 120, "counts")
    assert data.matrix is annotated.X
    assert list(data.labels) == list(annotated.obs["cluster"])
    assert data.scored.all()
    assert data.groups is not None
    assert list(data.groups) == list(annotated.obs["donor"])
    assert data.batches is not None
    assert set(data.batches) == {"0", "1"}
    assert data.sequences is None


def test_groups_and_batches_may_be_left_out(annotated: AnnData) -> None:
    data = BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster")
    assert data.groups is None
    assert data.batches is None


def test_groups_can_be_taken_from_names(annotated: AnnData) -> None:
    annotated.obs_names = [f"mouse{number % 4}_{number}" for number in range(120)]
    data = BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster", group_key="id:_")
    assert data.groups is not None
    assert set(data.groups) == {"mouse0", "mouse1", "mouse2", "mouse3"}


def test_rows_that_cannot_be_scored_are_marked(annotated: AnnData) -> None:
    labels = annotated.obs["cluster"].astype(object).to_numpy()
    labels[:2], labels[2:5] = None, "rare"
    annotated.obs["cluster"] = pd.Categorical(labels)
    data = BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster")
    assert data.n_obs == 120
    np.testing.assert_array_equal(np.flatnonzero(~data.scored), np.arange(5))


def test_another_matrix_can_be_chosen(annotated: AnnData) -> None:
    annotated.obsm["X_pca"] = np.ones((120, 3), np.float32)
    data = BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster", use_rep="X_pca")
    assert data.matrix.shape == (120, 3)
    assert data.input_state == "representation"


def test_a_number_stays_one_in_a_file_and_is_scored_by_r2(
    annotated: AnnData, tiny_config: DiffAugConfig, tmp_path: Path
) -> None:
    size = np.asarray(annotated.X.sum(1), np.float64).ravel()
    annotated.obs["size"] = np.where(np.arange(120) < 3, np.nan, size + 0.5)
    data = BenchmarkData.from_anndata(annotated, name="cells", label_key="size")
    assert data.scored.sum() == 117
    data.write(tmp_path / "data.h5ad")
    again = BenchmarkData.read(tmp_path / "data.h5ad")
    assert_same(again, data)
    assert again.digest() == data.digest()
    scores = score_method(again, METHODS["pca"], tiny_config, seed=0, held_out=False)
    assert scores["linear_r2"] > scores["chance_linear_r2"]
    assert -0.2 < scores["chance_linear_r2"] == scores["chance_knn_r2"] <= 0
    with pytest.raises(NotApplicableError, match="it needs classes"):
        score_method(again, METHODS["same_label"], tiny_config, seed=0, held_out=False)
    classes = BenchmarkData.from_anndata(annotated, name="cells", label_key="plate", label_kind="number")
    assert set(classes.labels) == {0.0, 1.0}


def test_sequences_are_known_only_where_the_matrix_was_made_of_them(
    annotated: AnnData, tmp_path: Path
) -> None:
    adata = io.read(write_fasta(tmp_path / "genes.fa"))
    data = BenchmarkData.from_anndata(adata, name="genes", label_key="kind")
    assert data.sequences is not None
    assert list(data.sequences[:6]) == SEQUENCES
    assert data.input_state == "words"
    annotated.obs["sequence"] = "ACGT"
    assert BenchmarkData.from_anndata(annotated, name="cells", label_key="cluster").sequences is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"label_key": "kind"}, r"no label column 'kind' in `\.obs`; it holds 'cluster', 'donor', 'plate'"),
        (
            {"label_key": "cluster", "group_key": "mouse"},
            r"no group column 'mouse' in `\.obs`; it holds 'cluster', 'donor', 'plate'",
        ),
        (
            {"label_key": "cluster", "batch_key": "run"},
            r"no batch column 'run' in `\.obs`; it holds 'cluster', 'donor', 'plate'",
        ),
    ],
    ids=["label", "group", "batch"],
)
def test_a_missing_key_is_an_error_that_lists_those_there(
    annotated: AnnData, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        BenchmarkData.from_anndata(annotated, name="cells", **keys)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "csr"])
@pytest.mark.parametrize("full", [True, False], ids=["all there", "labels only"])
def test_what_is_written_is_read_back(
    make_data: Callable[..., BenchmarkData], tmp_path: Path, container: Any, *, full: bool
) -> None:
    data = make_data("cells")
    data = dataclasses.replace(
        data,
        matrix=container(data.matrix),
        scored=np.arange(60) > 3,
        groups=np.array([f"d{number % 4}" for number in range(60)]) if full else None,
        split=np.array(["train", "test", "other"] * 20) if full else None,
        batches=np.array(["1", "2"] * 30) if full else None,
        sequences=data.sequences if full else None,
        input_state="continuous" if full else "counts",
    )
    data.write(tmp_path / "data.h5ad")
    again = BenchmarkData.read(tmp_path / "data.h5ad")
    assert_same(again, data)
    assert again.digest() == data.digest()


def test_the_digest_is_that_of_the_content_and_not_of_the_name(
    make_data: Callable[..., BenchmarkData],
) -> None:
    data = dataclasses.replace(make_data(), groups=np.array(["d1", "d2"] * 30))
    assert dataclasses.replace(data, name="other").digest() == data.digest()
    assert make_data(seed=1).digest() != make_data().digest()
    assert data.groups is not None
    assert data.sequences is not None
    changed = {
        "matrix": data.matrix.copy(),
        "labels": data.labels.copy(),
        "scored": data.scored.copy(),
        "groups": data.groups.copy(),
        "sequences": data.sequences.copy(),
    }
    changed["matrix"][7, 3] += 1
    changed["labels"][5] = "c0"
    changed["scored"][5] = False
    changed["groups"][5] = "d1"
    changed["sequences"][5] = "A" * 20
    digests = {dataclasses.replace(data, **{name: values}).digest() for name, values in changed.items()}
    digests |= {
        dataclasses.replace(data, groups=None).digest(),
        dataclasses.replace(data, groups=None, batches=data.groups).digest(),
        dataclasses.replace(data, split=np.array(["train", "test"] * 30)).digest(),
        dataclasses.replace(data, split=np.array(["test", "train"] * 30)).digest(),
        dataclasses.replace(data, input_state="continuous").digest(),
        dataclasses.replace(data, matrix=sparse.csr_matrix(data.matrix)).digest(),
    }
    assert len(digests | {data.digest()}) == 12


def test_each_file_takes_the_first_label_key_that_it_has(annotated: AnnData, tmp_path: Path) -> None:
    annotated.write_h5ad(tmp_path / "cells.h5ad")
    table, genes = write_table(tmp_path / "table.csv", label="class"), write_fasta(tmp_path / "genes.fa")
    paths = [str(tmp_path / "cells.h5ad"), str(table), str(genes)]
    cells, tabled, sequences = read_data(
        paths, {"label_key": ["class", "cluster", "donor", "kind"], "group_key": ["donor", "mouse"]}
    )
    assert [cells.name, tabled.name, sequences.name] == ["cells", "table", "genes"]
    assert set(cells.labels) == {"c0", "c1", "c2"}
    assert set(tabled.labels) == {"0", "1"}
    assert set(sequences.labels) == {"k0", "k1"}
    assert cells.groups is not None
    assert len(set(cells.groups)) == 4
    assert tabled.groups is None
    assert sequences.groups is not None
    assert len(set(sequences.groups)) == 6


def test_a_key_may_be_for_one_data_set_alone(annotated: AnnData, tmp_path: Path) -> None:
    for name in ("a", "b"):
        annotated.write_h5ad(tmp_path / f"{name}.h5ad")
    paths = [str(tmp_path / "a.h5ad"), str(tmp_path / "b.h5ad")]
    first, second = read_data(
        paths,
        {"label_key": ["cluster", "b=donor"], "group_key": ["a=donor"], "batch_key": ["b=plate"]},
    )
    assert set(first.labels) == {"c0", "c1", "c2"}
    assert set(second.labels) == {"d0", "d1", "d2", "d3"}
    assert first.groups is not None
    assert second.groups is None
    assert first.batches is None
    assert second.batches is not None


def test_a_key_for_a_data_set_that_is_not_there_is_an_error(annotated: AnnData, tmp_path: Path) -> None:
    annotated.write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError, match=r"'c=cluster'.* a"):
        read_data([str(tmp_path / "a.h5ad")], {"label_key": ["cluster", "c=cluster"]})


def test_an_own_key_that_the_file_lacks_is_an_error_that_names_the_file(
    annotated: AnnData, tmp_path: Path
) -> None:
    annotated.write_h5ad(tmp_path / "a.h5ad")
    keys = {"label_key": ["cluster"], "group_key": ["a=mouse"]}
    with pytest.raises(InputError, match=r"a\.h5ad: There is no group column 'mouse'.*'donor'"):
        read_data([str(tmp_path / "a.h5ad")], keys)


def test_a_group_key_that_no_data_set_has_is_an_error(annotated: AnnData, tmp_path: Path) -> None:
    annotated.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(InputError, match=r"donr"):
        read_data([str(tmp_path / "cells.h5ad")], {"label_key": ["cluster"], "group_key": ["donr"]})


def test_a_key_that_names_a_feature_of_a_recipe_is_no_column() -> None:
    with pytest.raises(InputError, match=r"has a column 'CD8A'; they have .*bulk_labels"):
        read_data(["recipe:pbmc68k"], {"label_key": ["CD8A", "bulk_labels"]})


def test_small_data_sets_can_be_left_out(
    annotated: AnnData, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    annotated.write_h5ad(tmp_path / "cells.h5ad")
    table = write_table(tmp_path / "table.csv")
    paths, keys = [str(tmp_path / "cells.h5ad"), str(table)], {"label_key": ["cluster", "label"]}
    with caplog.at_level("INFO", logger="diffaug_bio"):
        found = read_data(paths, keys, min_obs=21)
    assert [data.name for data in found] == ["cells"]
    assert "table is left out: it has 20 rows, fewer than 21" in caplog.text
    assert len(read_data(paths, keys, min_obs=20)) == 2


def test_files_of_one_name_are_an_error(annotated: AnnData, tmp_path: Path) -> None:
    annotated.write_h5ad(tmp_path / "cells.h5ad")
    table = write_table(tmp_path / "cells.csv")
    with pytest.raises(
        InputError, match=r"1 names of data sets occur more than once: 'cells'\. Rename the files"
    ):
        read_data([str(tmp_path / "cells.h5ad"), str(table)], {"label_key": ["cluster", "label"]})


@pytest.mark.parametrize("keys", [{}, {"label_key": []}, {"label_key": ["kind"]}], ids=str)
def test_a_file_without_labels_is_an_error_that_lists_its_columns(
    annotated: AnnData, tmp_path: Path, keys: dict[str, list[str]]
) -> None:
    annotated.write_h5ad(tmp_path / "cells.h5ad")
    asked = "'kind'" if keys.get("label_key") else "none was given"
    with pytest.raises(
        InputError, match=rf"needs a label key \({asked}\); its columns are 'cluster', 'donor'"
    ):
        read_data([str(tmp_path / "cells.h5ad")], keys)


def test_a_number_named_as_label_is_no_feature(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.csv", label="day of sampling")
    assert io.read(table).n_vars == 4
    [data] = read_data([str(table)], {"label_key": ["day of sampling"]})
    assert data.matrix.shape == (20, 3)
    assert set(data.labels) == {"0", "1"}
    [data] = read_data([str(table)], {"label_key": ["table=day of sampling"]})
    assert data.matrix.shape == (20, 3)


def test_a_recipe_knows_its_labels() -> None:
    [data] = read_data(["recipe:pbmc68k"], {})
    assert (data.name, data.n_obs, len(set(data.labels))) == ("pbmc68k", 700, 10)
    [data] = read_data(["recipe:pbmc68k"], {"label_key": ["phase"]})
    assert set(data.labels) == {"G1", "G2M", "S"}


def write_recipe(folder: Path, keys: str) -> str:
    """Write a recipe and its table, with subjects, batches and a split."""
    rows = [
        f"r{i},{i % 5},{i % 2},{'ab'[i % 2]},s{i // 4},t{i % 3},{'train' if i % 5 else 'test'}"
        for i in range(40)
    ]
    table = "\n".join(["id,f,g,label,subject,batch,part", *rows])
    (folder / "own.csv").write_text(f"{table}\n", encoding="utf-8")
    text = f'title = "T"\nmodality = "table"\nlabel_key = "label"\n{keys}\n[[sources]]\nfile = "own.csv"\n'
    (folder / "own.toml").write_text(text, encoding="utf-8")
    return f"recipe:{folder / 'own.toml'}"


def test_a_recipe_knows_its_groups_and_batches_unless_others_are_asked_for(tmp_path: Path) -> None:
    name = write_recipe(tmp_path, 'group_key = "subject"\nbatch_key = "batch"')
    [data] = read_data([name], {})
    assert data.name == "own"
    assert data.groups is not None
    assert data.batches is not None
    assert (len(set(data.groups)), len(set(data.batches))) == (10, 3)
    [data] = read_data([name], {"group_key": ["batch"], "batch_key": ["subject"]})
    assert data.groups is not None
    assert data.batches is not None
    assert (len(set(data.groups)), len(set(data.batches))) == (3, 10)
    [data] = read_data([name], {"split_key": ["part"]})
    assert data.groups is None
    assert data.split is not None


def test_a_recipe_knows_its_split_unless_none_is_asked_for(tmp_path: Path) -> None:
    name = write_recipe(tmp_path, 'split_key = "part"')
    [data] = read_data([name], {})
    assert data.split is not None
    assert list(data.split[:2]) == ["test", "train"]
    [data] = read_data([name], {"split_key": ["none"]})
    assert data.split is None
    [data] = read_data([name], {"group_key": ["subject"]})
    assert data.split is None
    assert data.groups is not None


def test_labels_of_one_class_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    adata = anndata.AnnData(
        X=np.ones((10, 3), np.float32),
        obs=pd.DataFrame({"kind": ["only"] * 10}, index=[f"r{i}" for i in range(10)]),
    )
    adata.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(InputError, match=r"cells\.h5ad: Labels 'kind' cannot be scored: .*only one class"):
        read_data([str(tmp_path / "cells.h5ad")], {"label_key": ["kind"]})


def test_raw_values_and_a_column_of_names_can_be_taken(annotated: AnnData) -> None:
    annotated.var["symbol"] = [f"s{number}" for number in range(40)]
    annotated.var["twice"] = "same"
    annotated.raw = annotated.copy()
    annotated.X = np.zeros(annotated.shape, np.float32)
    choice: dict[str, Any] = {"name": "cells", "label_key": "cluster", "use_raw": True}
    data = BenchmarkData.from_anndata(annotated, **choice, var_key="symbol")
    np.testing.assert_array_equal(data.matrix.toarray(), annotated.raw.X.toarray())
    assert data.input_state == "counts"
    with pytest.raises(InputError, match="none"):
        BenchmarkData.from_anndata(annotated, **choice, var_key="none")
    with pytest.raises(InputError, match="same"):
        BenchmarkData.from_anndata(annotated, **choice, var_key="twice")
