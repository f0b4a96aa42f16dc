"""What a run starts from: sequences, how they are read, and how they are known again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest

from diffaug_bio.datasets import DataSource, read_source
from diffaug_bio.datasets.source import fingerprint, with_recipe_keys
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from pathlib import Path

ENCODING = KmerEncoding(k=(2, 3), relative=False)


def write_classes(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, letters in (("a", "ACGTA"), ("b", "TTTTT")):
        (folder / f"{name}.fa").write_text(f">1\n{letters}\n>{name}2\n{letters}\n")
    return folder


def test_words_and_reference_reach_the_reader(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_text(">chr1\nACGTACGT\n")
    (tmp_path / "peaks.bed").write_text("chr1\t0\t5\tx\nchr1\t2\t8\ty\n")
    source = DataSource(
        data=str(tmp_path / "peaks.bed"),
        label_key="name",
        reference=str(tmp_path / "genome.fa"),
        kmers=ENCODING,
    )
    adata, label_key = read_source(source)
    assert label_key == "name"
    assert list(adata.obs["sequence"]) == ["ACGTA", "GTACGT"]
    assert adata.uns["kmers"] == ENCODING.to_dict()


def test_label_of_a_folder_is_a_label_key(tmp_path: Path) -> None:
    adata, label_key = read_source(DataSource(data=str(write_classes(tmp_path / "set")), label_key="label"))
    assert label_key == "label"
    assert list(adata.obs["label"]) == ["a", "a", "b", "b"]


def test_a_missing_label_column_is_named(tmp_path: Path) -> None:
    anndata.AnnData(np.eye(3)).write_h5ad(tmp_path / "a.h5ad")
    with pytest.raises(InputError, match=r"no label column 'kind' in `\.obs`; it holds nothing\."):
        read_source(DataSource(data=str(tmp_path / "a.h5ad"), label_key="kind"))


def test_source_is_written_as_json(tmp_path: Path) -> None:
    source = DataSource(data="peaks.bed", reference="genome.fa", kmers=ENCODING)
    found = json.loads(json.dumps(dataclasses.asdict(source)))
    assert found["reference"] == "genome.fa"
    assert found["kmers"] == ENCODING.to_dict()
    assert KmerEncoding.from_dict(found["kmers"], source="run.json") == ENCODING
    assert json.loads(json.dumps(dataclasses.asdict(DataSource(data="a.fa"))))["kmers"] is None


def test_folder_is_known_by_names_and_contents(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "set")
    first = fingerprint(DataSource(data=str(folder)))
    assert first["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert fingerprint(DataSource(data=str(write_classes(tmp_path / "copy" / "set")))) == first
    (folder / ".hidden").write_text("x")
    assert fingerprint(DataSource(data=str(folder))) == first
    (folder / "a.fa").rename(folder / "c.fa")
    renamed = fingerprint(DataSource(data=str(folder)))
    assert renamed["bytes"] == first["bytes"]
    assert renamed["sha256"] != first["sha256"]
    (folder / "c.fa").rename(folder / "a.fa")
    text = (folder / "a.fa").read_text()
    (folder / "a.fa").write_text(text.replace("ACGTA", "ACGTT"))
    assert fingerprint(DataSource(data=str(folder)))["sha256"] != first["sha256"]


def test_files_of_folders_inside_count(tmp_path: Path) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    (tmp_path / "train" / "a" / "0.txt").write_text("ACGT")
    first = fingerprint(DataSource(data=str(tmp_path)))
    (tmp_path / "train" / "a").rename(tmp_path / "train" / "b")
    assert fingerprint(DataSource(data=str(tmp_path))) != first


def test_file_and_reference_are_known_by_size_and_content(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_bytes(b">chr1\nACGT\n")
    (tmp_path / "peaks.bed").write_bytes(b"chr1\t0\t4\n")
    source = DataSource(data=str(tmp_path / "peaks.bed"), reference=str(tmp_path / "genome.fa"))
    assert fingerprint(source) == {
        "bytes": 9,
        "sha256": hashlib.sha256(b"chr1\t0\t4\n").hexdigest(),
        "reference_bytes": 11,
        "reference_sha256": hashlib.sha256(b">chr1\nACGT\n").hexdigest(),
    }
    assert set(fingerprint(DataSource(data=str(tmp_path / "peaks.bed")))) == {"bytes", "sha256"}


@pytest.mark.parametrize("setting", ["reference", "kmers"])
def test_recipes_know_how_they_are_read(setting: str) -> None:
    values = {"reference": "genome.fa", "kmers": ENCODING}
    source = dataclasses.replace(DataSource(data="recipe:pbmc68k"), **{setting: values[setting]})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"recipe:pbmc68k .*`reference`"):
        read_source(source)


def test_recipes_know_groups_and_split_unless_others_are_asked_for(tmp_path: Path) -> None:
    start = 'title = "T"\nmodality = "table"\n'
    for name, key in (("grouped", "group_key"), ("split", "split_key")):
        text = f'{start}{key} = "own"\n[[sources]]\nfile = "a.csv"\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    grouped = DataSource(data=f"recipe:{tmp_path / 'grouped.toml'}")
    split = DataSource(data=f"recipe:{tmp_path / 'split.toml'}")
    assert with_recipe_keys(grouped) == dataclasses.replace(grouped, group_key="own")
    assert with_recipe_keys(split) == dataclasses.replace(split, split_key="own")
    for asked in (
        dataclasses.replace(split, group_key="other"),
        dataclasses.replace(grouped, split_key="other"),
        dataclasses.replace(split, split_key="none"),
        DataSource(data="a.csv"),
    ):
        assert with_recipe_keys(asked) == asked


def test_words_of_a_recipe_of_dna_are_counted_as_asked_for(tmp_path: Path) -> None:
    write_classes(tmp_path / "set")
    text = 'title = "T"\nmodality = "dna"\nlabel_key = "label"\n[[sources]]\nfile = "set"\n'
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    recipe, folder = (
        DataSource(data=f"recipe:{tmp_path / 'own.toml'}"),
        DataSource(data=str(tmp_path / "set")),
    )
    assert read_source(recipe)[0].n_vars == 256
    found = read_source(dataclasses.replace(recipe, kmers=ENCODING))[0]
    expected = read_source(dataclasses.replace(folder, kmers=ENCODING))[0]
    assert (found.X != expected.X).nnz == 0
    assert found.obs.equals(expected.obs)
    assert found.uns["kmers"] == expected.uns["kmers"]
