"""Reading STL-10 as it is downloaded, in memory and left on the disk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAMES = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
PIXELS = 96 * 96 * 3


def make_images(n_obs: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n_obs, 96, 96, 3), dtype=np.uint8)


def write_stl10(folder: Path, *, n_unlabeled: int = 3) -> NDArray[np.uint8]:
    """Write the files of STL-10, pixel by pixel in the order of its page; return all images."""
    folder.mkdir(exist_ok=True)
    images = make_images(5 + 2 + n_unlabeled)
    parts = {"train": images[:5], "test": images[5:7], "unlabeled": images[7:]}
    for split, part in parts.items():
        if len(part):
            content = b"".join(
                image[:, column, channel].tobytes()
                for image in part
                for channel in range(3)
                for column in range(96)
            )
            (folder / f"{split}_X.bin").write_bytes(content)
    (folder / "train_y.bin").write_bytes(bytes([1, 10, 3, 3, 1]))
    (folder / "test_y.bin").write_bytes(bytes([2, 9]))
    (folder / "class_names.txt").write_text("\n".join(NAMES) + "\n")
    return images


def test_pixels_labels_and_splits_are_read(tmp_path: Path) -> None:
    images = write_stl10(tmp_path / "stl10_binary")
    adata = io.read(tmp_path / "stl10_binary")
    assert list(adata.uns["image_shape"]) == [96, 96, 3]
    np.testing.assert_array_equal(adata.X.reshape(-1, 96, 96, 3), images)
    labels = adata.obs["label"]
    assert list(labels[:7]) == ["airplane", "truck", "car", "car", "airplane", "bird", "ship"]
    assert labels[7:].isna().all()
    assert list(adata.obs["split"]) == ["train"] * 5 + ["test"] * 2 + ["unlabeled"] * 3
    assert list(adata.obs_names[[4, 5, 9]]) == ["train/4", "test/0", "unlabeled/2"]


def test_images_without_labels_may_be_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = write_stl10(tmp_path, n_unlabeled=0)
    with caplog.at_level(logging.INFO):
        adata = io.read(tmp_path, modality="image", obs_columns=["label"])
    np.testing.assert_array_equal(adata.X.reshape(-1, 96, 96, 3), images)
    assert "there is no unlabeled_X.bin; only images with labels are read" in caplog.text


def test_pixels_beyond_the_memory_are_mapped_and_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = write_stl10(tmp_path).reshape(-1, PIXELS)
    with caplog.at_level(logging.INFO):
        adata = io.read(tmp_path, max_bytes=10 * PIXELS - 1)
    assert adata.X is None
    assert adata.shape == (10, PIXELS)
    assert adata.obs["image"].iloc[8] == f"{tmp_path / 'unlabeled_X.bin'}#1"
    assert "They are read when needed; `.X` is None" in caplog.text
    lazy = io.open_images(adata)
    assert lazy.shape == (10, PIXELS)
    assert tuple(lazy.image_shape) == (96, 96, 3)
    assert lazy.dtype == np.uint8
    np.testing.assert_array_equal(lazy[:], images)
    np.testing.assert_array_equal(lazy[3:9:2], images[3:9:2])
    rows = np.array([9, 0, -1, 6, 0])
    np.testing.assert_array_equal(lazy[rows], images[rows])
    assert io.read(tmp_path, max_bytes=10 * PIXELS).X is not None


def test_rows_that_are_left_name_their_own_records(tmp_path: Path) -> None:
    images = write_stl10(tmp_path).reshape(-1, PIXELS)
    adata = io.read(tmp_path, max_bytes=0)
    np.testing.assert_array_equal(io.open_images(adata[[8, 1]])[:], images[[8, 1]])
    assert io.open_images(adata[:0])[:].shape == (0, PIXELS)
    adata[adata.obs["split"] == "test"].copy().write_h5ad(tmp_path / "part.h5ad")
    again = io.read(tmp_path / "part.h5ad")
    np.testing.assert_array_equal(io.open_images(again)[:], images[5:7])


@pytest.mark.parametrize("file", ["train_X.bin", "test_X.bin", "unlabeled_X.bin"])
@pytest.mark.parametrize("max_bytes", [0, 2**31])
def test_cut_file_is_an_error(tmp_path: Path, file: str, max_bytes: int) -> None:
    write_stl10(tmp_path)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[:-1])
    with pytest.raises(InputError, match=rf"{file} has {len(whole) - 1} bytes, which are not whole images"):
        io.read(tmp_path, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train_y.bin", b"\1\2", r"train_y\.bin has 2 labels for the 5 images of train_X\.bin"),
        (
            "train_y.bin",
            bytes([0, 1, 2, 3, 4]),
            r"has labels from 0 to 4, but class_names\.txt names 1 to 10",
        ),
        ("test_y.bin", bytes([1, 11]), r"test_y\.bin has labels from 1 to 11"),
        ("unlabeled_X.bin", b"", r"unlabeled_X\.bin has 0 bytes"),
        ("class_names.txt", b"\xff\xfe", r"class_names\.txt is not a UTF-8 text file"),
    ],
    ids=["few labels", "label 0", "label 11", "empty", "names"],
)
def test_wrong_content_is_named(tmp_path: Path, file: str, content: bytes, message: str) -> None:
    write_stl10(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match=message):
        io.read(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    write_stl10(tmp_path)
    (tmp_path / "test_y.bin").unlink()
    (tmp_path / "class_names.txt").unlink()
    (tmp_path / "class_names.txt").mkdir()
    with pytest.raises(InputError, match=r"lacks 'test_y\.bin', 'class_names\.txt' of STL-10"):
        io.read(tmp_path)


def test_files_that_changed_since_are_named(tmp_path: Path) -> None:
    write_stl10(tmp_path)
    adata = io.read(tmp_path, max_bytes=0)
    path = tmp_path / "unlabeled_X.bin"
    path.write_bytes(path.read_bytes()[:PIXELS])
    with pytest.raises(InputError, match=r"unlabeled_X\.bin has 1 images now, no number 2"):
        io.open_images(adata)
    path.unlink()
    with pytest.raises(InputError, match=r"unlabeled_X\.bin is no longer there"):
        io.open_images(adata)
    assert len(io.open_images(adata[:7])) == 7
    adata.obs["image"] = "train_X.bin"
    with pytest.raises(InputError, match=r"'train_X\.bin' names no record of a binary file, such as"):
        io.open_images(adata)


def test_images_of_one_size_are_not_resized(tmp_path: Path) -> None:
    write_stl10(tmp_path)
    with pytest.raises(
        InputError, match=r"has no files of single images\. Leave `image_size` \(`--image-size`\) out"
    ):
        io.read(tmp_path, image_size=32)
    with pytest.raises(InputError, match=r"has no files of single images"):
        io.read(tmp_path, skip_bad=True)
