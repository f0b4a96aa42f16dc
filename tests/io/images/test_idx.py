"""Reading idx files as those of MNIST."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from diffaug_bio import io
from diffaug_bio.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
LABELS = np.array([7, 0, 9, 0, 255], np.uint8)


def as_idx(values: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.tobytes()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz"),
    ],
    ids=["gzipped", "plain", "dots", "of both kinds", "EMNIST"],
)
def test_one_file_is_read_with_the_labels_beside_it(tmp_path: Path, images: str, labels: str) -> None:
    path = write(tmp_path / images, as_idx(IMAGES))
    write(tmp_path / labels, as_idx(LABELS))
    write(tmp_path / "other-labels-idx1-ubyte", as_idx(LABELS[:2]))
    adata = io.read(path)
    assert list(adata.uns["image_shape"]) == [4, 3, 1]
    np.testing.assert_array_equal(adata.X.reshape(5, 4, 3), IMAGES)
    assert list(adata.obs["label"]) == ["7", "0", "9", "0", "255"]
    assert list(adata.obs.columns) == ["label"]
    assert list(adata.obs_names) == ["0", "1", "2", "3", "4"]


def test_folder_is_read_with_its_splits(tmp_path: Path) -> None:
    write(tmp_path / "train-images-idx3-ubyte.gz", as_idx(IMAGES))
    write(tmp_path / "train-labels-idx1-ubyte.gz", as_idx(LABELS))
    write(tmp_path / "train-images-idx3-ubyte", as_idx(IMAGES))  # unpacked, and kept
    write(tmp_path / "t10k-images-idx3-ubyte.gz", as_idx(IMAGES[:2] + 1))
    write(tmp_path / "t10k-labels-idx1-ubyte.gz", as_idx(LABELS[:2]))
    adata = io.read(tmp_path)
    np.testing.assert_array_equal(adata.X.reshape(7, 4, 3), np.concatenate([IMAGES, IMAGES[:2] + 1]))
    assert list(adata.obs["split"]) == ["train"] * 5 + ["test"] * 2
    assert list(adata.obs["label"]) == ["7", "0", "9", "0", "255", "7", "0"]
    assert list(adata.obs_names[[4, 5]]) == ["train/4", "test/0"]


@given(npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, max_side=6)), st.booleans())
def test_any_images_come_back(images: np.ndarray, gzipped: bool) -> None:  # noqa: FBT001
    with tempfile.TemporaryDirectory() as folder:
        name = "train-images-idx3-ubyte" + ".gz" * gzipped
        adata = io.read(write(Path(folder) / name, as_idx(images)))
    np.testing.assert_array_equal(adata.X.reshape(adata.n_obs, *adata.uns["image_shape"])[..., 0], images)


def test_missing_labels_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    adata = io.read(write(tmp_path / "train-images-idx3-ubyte", as_idx(IMAGES)))
    assert list(adata.obs.columns) == []
    assert "there are no labels beside it (train-labels-idx1-ubyte)" in caplog.text
    with pytest.raises(InputError, match=r"has no column 'label'; it has none"):
        io.read(tmp_path / "train-images-idx3-ubyte", obs_columns=["label"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (as_idx(IMAGES)[:-1], r"has 59 bytes after its header, which promises 5 x 4 x 3: .* cut off"),
        (as_idx(IMAGES) + b"0", r"has 61 bytes after its header"),
        (as_idx(IMAGES[:0]), r"has 0 bytes after its header, which promises 0 x 4 x 3: it is empty"),
        (as_idx(IMAGES)[:15], r"is not an idx file, or is cut off in its header"),
        (b"", r"is not an idx file, or is cut off in its header"),
        (b"PK\3\4" + bytes(100), r"is not an idx file"),
        (b"\0\0\x0d\3" + bytes(100), r"of 3 dimensions and type 0x0d; expected 3 dimensions of bytes"),
        (as_idx(LABELS) + bytes(20), r"of 1 dimensions and type 0x08; expected 3"),
        (b"\0\0\x08\3" + b"\xff" * 12, r"which promises 4294967295 x 4294967295 x 4294967295"),
    ],
    ids=["cut", "longer", "no image", "header", "empty", "zip", "floats", "labels", "huge"],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_wrong_content_is_named(tmp_path: Path, content: bytes, message: str, ending: str) -> None:
    path = write(tmp_path / f"train-images-idx3-ubyte{ending}", content)
    with pytest.raises(InputError, match=message):
        io.read(path)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_cut_gzip_is_an_error(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "train-images-idx3-ubyte.gz", as_idx(IMAGES))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz .*gzip"):
        io.read(path)


def test_labels_that_do_not_go_with_the_images_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "train-images-idx3-ubyte", as_idx(IMAGES))
    labels = write(tmp_path / "train-labels-idx1-ubyte", as_idx(LABELS[:3]))
    with pytest.raises(
        InputError, match=r"train-labels-idx1-ubyte has 3 labels for the 5 images of train-"
    ):
        io.read(path)
    with pytest.raises(InputError, match=r"train-labels-idx1-ubyte holds labels"):
        io.read(labels)


def test_folder_of_several_sets_is_an_error(tmp_path: Path) -> None:
    for name in ("emnist-letters-train", "emnist-digits-train"):
        write(tmp_path / f"{name}-images-idx3-ubyte", as_idx(IMAGES))
    with pytest.raises(InputError, match=r"more than one file of training images"):
        io.read(tmp_path)


def test_splits_of_two_sizes_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "train-images-idx3-ubyte", as_idx(IMAGES))
    write(tmp_path / "t10k-images-idx3-ubyte", as_idx(IMAGES[:, :2]))
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte has images of 2 x 3 pixels, .* of 4 x 3"):
        io.read(tmp_path)


def test_arguments_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "train-images-idx3-ubyte", as_idx(IMAGES))
    with pytest.raises(InputError, match=r"images.*transpose"):
        io.read(path, transpose=True)
    with pytest.raises(InputError, match=r"has no files of single images\. Leave `image_size`"):
        io.read(path, image_size=8)
    with pytest.raises(InputError, match=r"intervals.*reference"):
        io.read(path, reference=path)
