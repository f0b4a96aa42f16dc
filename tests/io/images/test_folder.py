"""Reading folders of image files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding
from tests.io.images.test_files import COLOR, images_of, write_image, write_set

if TYPE_CHECKING:
    from pathlib import Path


LOSSLESS = (".png", ".bmp", ".tif", ".TIFF", ".PNG", ".ppm")


def test_folders_for_classes_give_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_set(tmp_path / "set", "dog/b.png", "dog/a.PNG", "cat/1.bmp", "cat/.hidden.png")
    (folder / "cat" / "notes.txt").write_text("no image")
    (folder / "README.md").write_text("no image")
    (folder / "empty").mkdir()
    with caplog.at_level(logging.INFO):
        adata = io.read(folder)
    assert list(adata.obs["file"]) == ["cat/1.bmp", "dog/a.PNG", "dog/b.png"]
    assert list(adata.obs["label"]) == ["cat", "dog", "dog"]
    assert list(adata.obs.columns) == ["label", "file"]
    assert list(adata.obs_names) == list(adata.obs["file"])
    np.testing.assert_array_equal(images_of(adata), [COLOR + 2, COLOR + 1, COLOR])
    assert "set: folders without images are left out: 'empty'" in caplog.text
    assert "set: 3 images of 4 x 6 pixels, in color, 2 classes" in caplog.text
    adata.write_h5ad(tmp_path / "set.h5ad")


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_folders_for_splits_and_classes_give_both(tmp_path: Path, name: str) -> None:
    write_set(tmp_path, "test/a/1.png", f"{name}/b/1.png", "train/b/1.png", "train/a/1.png")
    adata = io.read(tmp_path, obs_columns=["label", "split"])
    assert list(adata.obs["split"]) == ["train", "train", "validation", "test"]
    assert list(adata.obs["label"]) == ["a", "b", "b", "a"]
    np.testing.assert_array_equal(images_of(adata), [COLOR + 3, COLOR + 2, COLOR + 1, COLOR])


def test_images_of_a_split_may_have_no_classes(tmp_path: Path) -> None:
    adata = io.read(write_set(tmp_path, "train/a/1.png", "train/b/1.png", "test/1.png"))
    assert list(adata.obs["split"]) == ["train", "train", "test"]
    assert list(adata.obs["label"].isna()) == [False, False, True]


def test_images_without_folders_have_no_labels(tmp_path: Path) -> None:
    adata = io.read(write_set(tmp_path, *(f"image{ending}" for ending in LOSSLESS)), modality="image")
    assert list(adata.obs.columns) == ["file"]
    np.testing.assert_array_equal(
        images_of(adata)[[sorted(LOSSLESS).index(ending) for ending in LOSSLESS]],
        [COLOR + np.uint8(number) for number in range(len(LOSSLESS))],
    )


def test_two_sizes_are_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    write_set(tmp_path, "a/1.png", "a/2.png", "b/1.png")
    write_image(tmp_path / "a" / "0.png", COLOR[:2])
    write_image(tmp_path / "b" / "9.png", COLOR[:3])
    with pytest.raises(
        InputError,
        match=r"a/1\.png has 4 x 6 pixels, .*a/0\.png has 2 x 6, and 2 of 5 .*`image_size`",
    ):
        io.read(tmp_path)


@pytest.mark.parametrize("image_size", [0, -3])
def test_size_has_to_be_positive(tmp_path: Path, image_size: int) -> None:
    write_image(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"`image_size` has to be at least 1, got"):
        io.read(tmp_path, image_size=image_size)
    with pytest.raises(InputError, match=r"`max_bytes` cannot be negative"):
        io.read(tmp_path, max_bytes=-1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/1.png", "1.png"], r"mixes layouts: of .*1\.png and .* for a class"),
        (
            ["train/a/1.png", "train/1.png"],
            r"mixes layouts: .* for a class",
        ),
        (
            ["train/a/1.png", "car/1.png"],
            r"mixes layouts: of .*train/a/1\.png and .*car/1\.png .* for a split",
        ),
        (
            ["a/1.png", "a/more/1.png"],
            r"deeper .* a/more",
        ),
        (
            ["a/1.png", "b/more/1.png"],
            r"deeper .*b/more",
        ),
    ],
    ids=["beside a class", "beside a class of a split", "beside a split", "deeper", "deeper in another"],
)
def test_mixed_layouts_are_errors(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace(" a/more", ".*a/more")):
        io.read(write_set(tmp_path, *names))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"cifar-10-batches-py, .* empty"),
        (["notes.md"], r"no images .* 'notes\.md'"),
        (["data.npz"], r"holds data\.npz: name"),
        (["deep/cat/1.png"], r"name .*deep\.$"),
        (["deep/data_batch_1"], r"name .*deep\.$"),
    ],
    ids=["empty", "other files", "npz", "deeper", "cifar deeper"],
)
def test_folder_without_images_says_what_it_holds(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=message):
        io.read(tmp_path, modality="image")


def test_unknown_folder_mentions_images_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder\. .*images .*CLASS/.* is empty"):
        io.read(tmp_path)
    write_image(tmp_path / "deep" / "set" / "a.png")
    with pytest.raises(InputError, match=r"images are .* name .*deep\.$"):
        io.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("set.zip", "unzip set.zip"),
        ("set.tar", "tar -xf set.tar"),
        ("set.tar.gz", "tar -xzf set.tar.gz"),
        ("set.tgz", "tar -xzf set.tgz"),
    ],
)
def test_archives_are_to_be_unpacked(tmp_path: Path, name: str, command: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=rf"archive.*`{command}`"):
        io.read(tmp_path / name)


def test_a_single_image_is_not_a_set(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.JPG")
    with pytest.raises(InputError, match=r"a\.JPG is a single image"):
        io.read(path)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"table\.csv .*\.npz or idx"):
        io.read(tmp_path / "table.csv", modality="image")


def test_folders_of_sequences_stay_such(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "splits" / split / "a").mkdir(parents=True)
        (tmp_path / "splits" / split / "a" / "0.txt").write_text("ACGTA")
    write_image(tmp_path / "splits" / "plot.png")
    assert "sequence" in io.read(tmp_path / "splits").obs
    write_image(tmp_path / "files" / "plot.png")
    for name in ("a.fa", "b.fa"):
        (tmp_path / "files" / name).write_text(f">{name}\nACGTA\n")
    assert "sequence" in io.read(tmp_path / "files").obs
    assert list(io.read(tmp_path / "files", modality="image").obs["file"]) == ["plot.png"]


def test_arguments_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path / "set", "a/1.png")
    with pytest.raises(InputError, match=r"images.*transpose"):
        io.read(tmp_path / "set", transpose=True)
    with pytest.raises(InputError, match="`kmers`"):
        io.read(tmp_path / "set", kmers=KmerEncoding())
    with pytest.raises(InputError, match=r"'kind'.*'label', 'file'"):
        io.read(tmp_path / "set", obs_columns=["kind"])
    (tmp_path / "table.csv").write_text("id,a,b\nx,1,2\n")
    anndata.AnnData(X=np.ones((2, 2), np.float32)).write_h5ad(tmp_path / "cells.h5ad")
    for name in ("table.csv", "cells.h5ad"):
        with pytest.raises(
            InputError, match=r"is not read as images\. Leave `image_size` \(`--image-size`\) out"
        ):
            io.read(tmp_path / name, image_size=8)
        with pytest.raises(
            InputError, match=r"is not read as images\. Leave `skip_bad` \(`--skip-bad`\) out"
        ):
            io.read(tmp_path / name, skip_bad=True)
    with pytest.raises(InputError, match=r"is a folder"):
        io.read(tmp_path / "set", modality="table")
