"""Reading matrices without names, of numpy and in text."""

from __future__ import annotations

import contextlib
import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffaug_bio.errors import InputError
from diffaug_bio.io.arrays import read_arrays

VALUES = np.array([[0.5, 1], [2, -3], [4, 1e-3]], np.float32)
TEXT = "  5.0000000e-001  1.0\n 2 -3\n4 1e-3\n"


def write(folder: Path, **files: Any) -> dict[str, Path]:
    """Write arrays as `.npy` and text as `.txt`."""
    paths = {}
    for name, content in files.items():
        paths[name] = folder / f"{name}{'.txt' if isinstance(content, str) else '.npy'}"
        if isinstance(content, str):
            paths[name].write_text(content)
        else:
            np.save(paths[name], content)
    return paths


@pytest.mark.parametrize(
    "content", [VALUES, VALUES.astype(np.float64), TEXT], ids=["npy", "double", "text"]
)
def test_a_matrix_alone_is_numbered(tmp_path: Path, content: Any) -> None:
    adata = read_arrays([write(tmp_path, x=content)["x"]])
    np.testing.assert_allclose(np.asarray(adata.X), VALUES, rtol=1e-6)
    assert list(adata.obs_names) == ["0", "1", "2"]
    assert list(adata.var_names) == ["0", "1"]
    assert list(adata.obs) == []


def test_gzipped_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    np.testing.assert_allclose(read_arrays([tmp_path / "x.txt.gz"]).X, VALUES, rtol=1e-6)


def test_parts_come_below_each_other_with_what_lies_beside_them(tmp_path: Path) -> None:
    paths = write(
        tmp_path,
        train=TEXT,
        test=VALUES[:2],
        y_train="1\n2\n1\n",
        y_test=np.array([2.0, 2.0]),
        s_train="7\n8\n7\n",
        s_test=np.array([9, 9]),
        names="1 WALKING\n2\tSITTING DOWN\n",
        features="1 mean-X\n2 mean-X\n",
    )
    adata = read_arrays(
        [paths["train"], paths["test"]],
        labels=[paths["y_train"], paths["y_test"]],
        groups=[paths["s_train"], paths["s_test"]],
        splits=["train", "test"],
        label_names=paths["names"],
        feature_names=paths["features"],
    )
    np.testing.assert_allclose(adata.X, np.concatenate([VALUES, VALUES[:2]]), rtol=1e-6)
    walking, sitting = "WALKING", "SITTING DOWN"
    assert list(adata.obs["label"]) == [walking, sitting, walking, sitting, sitting]
    assert list(adata.obs["group"]) == ["7", "8", "7", "9", "9"]
    assert list(adata.obs["split"]) == ["train"] * 3 + ["test"] * 2
    assert list(adata.obs_names[[2, 3]]) == ["train/2", "test/0"]
    assert list(adata.var_names) == ["1 mean-X", "2 mean-X"]


def test_a_mapped_array_can_be_changed_and_its_file_stays(tmp_path: Path) -> None:
    path = write(tmp_path, x=VALUES)["x"]
    adata = read_arrays([path])
    adata.X[:] = 0
    np.testing.assert_array_equal(np.load(path), VALUES)


@pytest.mark.parametrize(
    ("files", "keywords", "message"),
    [
        ({"x": "1 2\n3\n"}, {}, r"x.txt is not a matrix of numbers: the number of columns changed"),
        ({"x": "1 two\n"}, {}, r"x.txt is not a matrix of numbers: could not convert string 'two'"),
        ({"x": np.zeros(3)}, {}, r"x.npy holds float64 of shape \(3,\); expected a matrix of numbers"),
        ({"x": np.array([["a"]])}, {}, r"x.npy holds <U1 of shape \(1, 1\); expected a matrix"),
        (
            {"x": np.array([[{}]], object)},
            {},
            r"x.npy is not a numpy array, is cut off, or holds Python",
        ),
        ({"x": VALUES, "y": "a\nb\n"}, {"labels": ["y"]}, r"y.txt has 2 values for 3 rows"),
        ({"x": VALUES}, {"splits": ["a", "b"]}, r"There are 1 matrices and 2 splits"),
        ({"x": VALUES, "y": "a\n"}, {"labels": ["y", "y"]}, r"There are 1 matrices and 2 files of labels"),
        ({"x": VALUES, "v": "a\n"}, {"feature_names": "v"}, r"v.txt has 1 names for 2 features"),
        ({"x": VALUES, "v": "a\na\n"}, {"feature_names": "v"}, r"1 names of features occur more than once"),
        (
            {"x": VALUES, "y": "a\nb\na\n", "n": "a A\n"},
            {"labels": ["y"], "label_names": "n"},
            r"n.txt has no name for the label 'b'; it names 'a'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, files: dict[str, Any], keywords: dict[str, Any], message: str
) -> None:
    paths = write(tmp_path, **files)
    found: dict[str, Any] = {
        key: [paths.get(name, name) for name in value] if isinstance(value, list) else paths[value]
        for key, value in keywords.items()
    }
    with pytest.raises(InputError, match=message):
        read_arrays([paths["x"]], **found)


def test_parts_of_other_widths_and_cut_files_are_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, a=VALUES, b=VALUES[:, :1])
    with pytest.raises(InputError, match=r"b.npy has 1 columns, .*a.npy has 2"):
        read_arrays([paths["a"], paths["b"]])
    paths["a"].write_bytes(paths["a"].read_bytes()[:-4])
    with pytest.raises(InputError, match=r"a.npy is not a numpy array, is cut off"):
        read_arrays([paths["a"]])


@given(st.data())
def test_damage_anywhere_is_refused_or_harmless(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), x=VALUES)["x"]
        content = bytearray(path.read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
            content[place] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        with contextlib.suppress(InputError):
            read_arrays([path])
