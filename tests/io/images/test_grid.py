"""Writing a picture of images beside what was made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def make_columns(
    n_columns: int, n_rows: int = 2, shape: tuple[int, int, int] = (12, 16, 3)
) -> list[NDArray[np.uint8]]:
    """Make images that differ everywhere, none of them white as the background is."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (n_rows, *shape), dtype=np.uint8) for _ in range(n_columns)]


def written(path: Path, columns: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Write a picture and decode it; the last axis are its channels."""
    io.write_image_grid(path, columns)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.mode == ("L" if columns[0].shape[3] == 1 else "RGB")
        return np.asarray(image).reshape(image.height, image.width, -1)


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "color"])
@pytest.mark.parametrize("n_rows", [1, 3])
@pytest.mark.parametrize(("n_columns", "lefts"), [(1, [0]), (2, [0, 140]), (4, [0, 140, 272, 404])])
def test_images_stand_side_by_side_each_pixel_a_square(
    tmp_path: Path, n_columns: int, lefts: list[int], n_rows: int, channels: int
) -> None:
    columns = make_columns(n_columns, n_rows, (12, 16, channels))
    picture = written(tmp_path / "grid.png", columns)
    # The shorter side, 12 pixels, is shown as 96: a pixel becomes 8 x 8.
    assert picture.shape == (n_rows * 100 - 4, lefts[-1] + 128, channels)
    is_background = np.ones(picture.shape[:2], dtype=bool)
    for left, column in zip(lefts, columns, strict=True):
        for row, image in enumerate(column):
            place = slice(row * 100, row * 100 + 96), slice(left, left + 128)
            for y, x in np.ndindex(8, 8):
                np.testing.assert_array_equal(picture[place][y::8, x::8], image)
            is_background[place] = False
    assert (picture[is_background] == 255).all()


@pytest.mark.parametrize(("side", "shown"), [(1, 96), (32, 96), (40, 120), (96, 96), (100, 100)])
def test_only_small_images_are_enlarged(tmp_path: Path, side: int, shown: int) -> None:
    picture = written(tmp_path / "grid.png", make_columns(1, 1, (side, side, 1)))
    assert picture.shape == (shown, shown, 1)


def test_a_picture_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    first, second = (written(tmp_path / "grid.png", make_columns(n)) for n in (1, 2))
    assert first.shape != second.shape


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], r"got none"),
        (make_columns(2, 0), r"got \[\(0, 12, 16, 3\)\]"),
        (
            [*make_columns(1, 2), *make_columns(1, 3)],
            r"got \[\(2, 12, 16, 3\), \(3, 12, 16, 3\)\]",
        ),
        (
            [*make_columns(1), *make_columns(1, shape=(12, 16, 1))],
            r"got \[\(2, 12, 16, 1\), \(2, 12, 16, 3\)\]",
        ),
        (make_columns(2, shape=(12, 16, 2)), r"1 or 3 channels, got"),
        (make_columns(2, shape=(12, 16, 4)), r"1 or 3 channels, got \(2, 12, 16, 4\)"),
        ([np.zeros((2, 12, 16), np.uint8)], r"1 or 3 channels, got \(2, 12, 16\)"),
        ([np.zeros((2, 0, 16, 1), np.uint8)], r"1 or 3 channels, got \(2, 0, 16, 1\)"),
        ([np.zeros((2, 12, 16, 1))], r"bytes \(uint8\).* float64"),
    ],
    ids=[
        *("none", "no rows", "other numbers", "other channels", "two channels", "four channels"),
        *("no channels", "no pixels", "floats"),
    ],
)
def test_what_is_no_grid_is_an_error_and_leaves_the_file_alone(
    tmp_path: Path, columns: Any, message: str
) -> None:
    path = tmp_path / "grid.png"
    path.write_text("older")
    with pytest.raises(InputError, match=message):
        io.write_image_grid(path, columns)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"grid\.jpg .*\.png"):
        io.write_image_grid(tmp_path / "grid.jpg", make_columns(1))
    assert not list(tmp_path.iterdir())
