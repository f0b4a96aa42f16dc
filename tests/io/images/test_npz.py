"""Reading and writing images as .npz."""

from __future__ import annotations

import io as bytes_io
import logging
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import sparse

from diffaug_bio import io
from diffaug_bio.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
LABELS = np.array([3, 1, 2, 3, 1, 10])


def write_npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "images.npz", **arrays)
    return folder / "images.npz"


def make_adata(pixels: np.ndarray, **obs: Any) -> anndata.AnnData:
    """Make an AnnData of images, of which `pixels` has the shape `(n, height, width, channels)`."""
    return anndata.AnnData(
        X=pixels.reshape(len(pixels), -1),
        obs=pd.DataFrame(obs, index=[f"i{number}" for number in range(len(pixels))]),
        uns={"image_shape": np.array(pixels.shape[1:])},
    )


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (GREY, GREY[..., None]),
        (GREY[..., None], GREY[..., None]),
        (GREY[:, None], GREY[..., None]),
        (COLOR, COLOR),
        (COLOR.transpose(0, 3, 1, 2), COLOR),
        (COLOR[:, :3], COLOR[:, :3]),
    ],
    ids=["grey", "one channel", "grey by channels", "color", "color by channels", "three rows in color"],
)
def test_images_of_each_shape_are_read(tmp_path: Path, images: np.ndarray, expected: np.ndarray) -> None:
    adata = io.read(write_npz(tmp_path, images=images, labels=LABELS))
    np.testing.assert_array_equal(adata.X.reshape(-1, *adata.uns["image_shape"]), expected)
    assert list(adata.obs["label"]) == ["3", "1", "2", "3", "1", "10"]
    assert list(adata.obs.columns) == ["label"]


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["x_train", "y_train", "x_test", "y_test"], ["train", "test"]),
        (
            ["train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"],
            ["train", "validation", "test"],
        ),
        (["test_images", "test_labels"], ["test"]),
    ],
    ids=["keras", "MedMNIST", "test alone"],
)
def test_splits_are_read(tmp_path: Path, names: list[str], splits: list[str]) -> None:
    arrays = {name: LABELS[:, None] if "y_" in name or "labels" in name else COLOR for name in names}
    adata = io.read(write_npz(tmp_path, **arrays))
    np.testing.assert_array_equal(adata.X.reshape(-1, 5, 4, 3), np.concatenate([COLOR] * len(splits)))
    assert list(adata.obs["split"]) == [split for split in splits for _ in range(6)]
    assert list(adata.obs["label"]) == [str(label) for label in LABELS] * len(splits)
    assert adata.obs_names[-1] == f"{splits[-1]}/5"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(["a", "b", "", "a", "é", "b"]), ["a", "b", None, "a", "é", "b"]),
        (np.array([b"a", b"b", b"b", b"a", b"a", b"b"]), ["a", "b", "b", "a", "a", "b"]),
        (LABELS.astype(float), ["3", "1", "2", "3", "1", "10"]),
        (LABELS > 2, ["True", "False", "False", "True", "False", "True"]),
    ],
    ids=["text", "bytes", "whole floats", "truth values"],
)
def test_labels_of_each_type_become_text(tmp_path: Path, labels: np.ndarray, expected: list[str]) -> None:
    found = io.read(write_npz(tmp_path, images=GREY, labels=labels)).obs["label"]
    assert [None if pd.isna(label) else label for label in found] == expected


@pytest.mark.parametrize(
    ("images", "expected", "message"),
    [
        ((GREY / 255).astype(np.float32), GREY, "values from 0 to 1 are scaled"),
        (GREY / 255, GREY, "values from 0 to 1 are scaled"),
        ((GREY / 255).astype(np.float16), GREY, "values from 0 to 1 are scaled"),
        (GREY.astype(np.uint16) * 257, GREY, "values of 16 bits are scaled"),
        (GREY.astype(np.int16) * 128, np.rint(GREY * (128 / 257)), "values of 16 bits are scaled"),
    ],
    ids=["float32", "float64", "float16", "uint16", "int16"],
)
def test_other_types_are_scaled_and_that_is_said(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    images: np.ndarray,
    expected: np.ndarray,
    message: str,
) -> None:
    with caplog.at_level(logging.INFO):
        adata = io.read(write_npz(tmp_path, images=images))
    assert adata.X.dtype == np.uint8
    np.testing.assert_array_equal(adata.X.reshape(6, 5, 4), expected)
    assert message in caplog.text


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"images": GREY.astype(np.int64)},
            r"type int64 from \d+ to 248; expected bytes .*astype\(numpy\.u",
        ),
        ({"images": GREY.astype(np.uint16)}, r"type uint16 from \d+ to 248; expected bytes"),
        ({"images": GREY.astype(np.float32)}, r"type float32 from \d\.0 to 248\.0; expected bytes"),
        ({"images": GREY / 255 - 0.5}, r"type float64 from -0\.5"),
        ({"images": np.where(GREY > 9, np.nan, 0.5)}, r"type float64 from nan to nan"),
        ({"images": GREY.astype(np.int16) - 300}, r"type int16 from -300"),
        ({"images": GREY.astype(np.complex64)}, r"type complex64; expected bytes"),
        ({"images": GREY.astype(str)}, r"type <U3; expected bytes"),
        (
            {"images": GREY.reshape(6, -1)},
            r"has the shape \(6, 20\); .* Give each row its height and width",
        ),
        ({"images": GREY[..., None, None]}, r"has the shape \(6, 5, 4, 1, 1\); .* Volumes are not read"),
        ({"images": COLOR[..., [0, 1, 2, 2]]}, r"shape \(6, 5, 4, 4\); .* Drop the fourth channel"),
        ({"images": GREY[:0]}, r"has the shape \(0, 5, 4\)"),
        ({"images": GREY[..., :0]}, r"has the shape \(6, 5, 0\)"),
        ({"images": GREY, "labels": LABELS[:4]}, r"'labels' has the shape \(4,\) for 6 images\. Give one"),
        ({"images": GREY, "labels": np.eye(6)}, r"'labels' has 6 labels for each image; expected one"),
        ({"images": GREY, "labels": LABELS / 4}, r"'labels' has values of type float64; expected whole"),
        ({"x_train": GREY, "x_test": GREY[:, 1:]}, r"'x_test' has images of another shape than 'x_train'"),
        ({"X": GREY, "y": LABELS}, r"has no images under a name that is known; it holds 'X', 'y'\. Known"),
        ({}, r"has no images under a name that is known; it holds nothing\. Known are images, labels; tr"),
    ],
    ids=[
        *(
            "int64",
            "small uint16",
            "bytes as floats",
            "negative floats",
            "nan",
            "negative",
            "complex",
            "text",
        ),
        *("flat", "volumes", "four channels", "no image", "no width", "few labels", "many labels"),
        *("broken labels", "two shapes", "other names", "empty"),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        io.read(write_npz(tmp_path, **arrays))


def test_python_objects_are_not_read(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=GREY, labels=np.array([{}] * 6))
    with pytest.raises(InputError, match=r"array 'labels' holds Python objects, which are not read"):
        io.read(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.4, 0.8, 0.999])
def test_cut_file_is_an_error(tmp_path: Path, share: float) -> None:
    path = write_npz(tmp_path, images=GREY, labels=LABELS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"images\.npz is (cut off|not an)"):
        io.read(path)


def test_damaged_file_is_read_or_an_error(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    np.savez_compressed(path, images=COLOR, labels=LABELS)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[int(rng.integers(len(whole)))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            adata = io.read(path)
        except InputError as error:
            assert "images.npz" in str(error)  # noqa: PT017 - a readable file is fine too
        else:
            assert adata.n_obs == 6


@pytest.mark.parametrize("content", [b"", b"images", b"PK\3\4"], ids=["empty", "text", "start of zip"])
def test_other_content_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"images\.npz is (not an|cut off)"):
        io.read(tmp_path / "images.npz")


def test_array_of_a_single_file_is_an_error(tmp_path: Path) -> None:
    stream = bytes_io.BytesIO()
    np.save(stream, GREY)
    (tmp_path / "images.npz").write_bytes(stream.getvalue())
    with pytest.raises(InputError, match=r"holds a single array\. Save it with `numpy\.savez` as 'images'"):
        io.read(tmp_path / "images.npz")


def test_zip_of_something_else_is_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "images.npz", "w") as archive:
        archive.writestr("images.npy", b"no array")
    with pytest.raises(InputError, match=r"array 'images' is not an array"):
        io.read(tmp_path / "images.npz")


@given(
    npst.arrays(
        np.uint8,
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3])),
    ),
    st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"), min_size=1)), min_size=4),
)
def test_what_is_written_is_read_again(pixels: np.ndarray, texts: list[str | None]) -> None:
    labels = [None if text is None else text.rstrip("\0") or None for text in texts[: len(pixels)]]
    adata = make_adata(pixels, label=pd.Series(labels, dtype=object).to_numpy())
    with tempfile.TemporaryDirectory() as folder:
        io.write_images(Path(folder) / "out.npz", adata)
        again = io.read(Path(folder) / "out.npz")
        assert [path.name for path in Path(folder).iterdir()] == ["out.npz"]
    np.testing.assert_array_equal(again.X, adata.X)
    np.testing.assert_array_equal(again.uns["image_shape"], pixels.shape[1:])
    found = again.obs["label"] if "label" in again.obs else [None] * len(pixels)
    assert [None if pd.isna(label) else label for label in found] == labels


def test_categories_numbers_and_other_values_are_written(tmp_path: Path) -> None:
    pixels = GREY[..., None]
    adata = make_adata(pixels.astype(np.float32) * 0.99, label=pd.Categorical(LABELS))
    io.write_images(tmp_path / "out.npz", adata)
    again = io.read(tmp_path / "out.npz")
    np.testing.assert_array_equal(again.X, np.rint(adata.X))
    assert list(again.obs["label"]) == [str(label) for label in LABELS]
    adata.X = sparse.csr_matrix(pixels.reshape(6, -1))
    del adata.obs["label"]
    io.write_images(tmp_path / "out.npz", adata)
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays.files == ["images"]
        np.testing.assert_array_equal(arrays["images"], GREY)


def test_what_cannot_be_written_is_an_error_and_leaves_the_file(tmp_path: Path) -> None:
    adata = make_adata(COLOR)
    path = tmp_path / "out.npz"
    io.write_images(path, adata)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"out\.png has no ending that tells how to write it"):
        io.write_images(tmp_path / "out.png", adata)
    with pytest.raises(InputError, match=r"Pixels are from 0 to 255, got some from 300 to 555"):
        io.write_images(path, make_adata(COLOR.astype(np.int32) + 300))
    with pytest.raises(InputError, match=r"Pixels are from 0 to 255, got some from nan to nan"):
        io.write_images(path, make_adata(np.full((2, 3, 3, 1), np.nan, np.float32)))
    with pytest.raises(InputError, match=r"There are 59 features, but an image of .* has 60 pixels"):
        io.write_images(path, adata[:, :59])
    del adata.uns["image_shape"]
    with pytest.raises(
        InputError, match=r"There is no `\.uns\['image_shape'\]`: give it height, width and"
    ):
        io.write_images(path, adata)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.npz"]


def test_a_header_of_nested_parentheses_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': " + b"(" * 500 + b"4}\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(InputError, match=r"x\.npz is cut off or damaged"):
        io.read(tmp_path / "x.npz")
