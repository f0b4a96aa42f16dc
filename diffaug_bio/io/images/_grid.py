"""Writing a picture of images beside what was made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio.errors import InputError
from diffaug_bio.output.files import staged_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

_SHOWN_SIDE = 96  # pixels that an image is enlarged to at least
_GAP = 4  # pixels between images
_WIDE_GAP = 12  # pixels between originals and what was made of them
_BACKGROUND = 255


def write_image_grid(path: str | PathLike[str], columns: Sequence[NDArray[np.uint8]]) -> None:
    """Write images side by side as PNG: a row for each original, beside it what was generated from it.

    Small images are enlarged, each pixel to a square.

    Parameters
    ----------
    path
        The `.png` file, written whole or not at all.
    columns
        Originals, then as many generated images, and so on. Shape of each: `(n, height, width, channels)`,
        of 1 or 3 channels.

    Raises
    ------
    InputError
        If the columns differ in shape, are no images, or there are none; or the name has another ending.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> io.write_image_grid("grid.png", [originals, generated])  # doctest: +SKIP
    """
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() != ".png":
        msg = f"{path} has another ending than .png, as which a picture is written. Choose that ending."
        raise InputError(msg)
    _check_columns(columns)
    zoom = max(1, -(-_SHOWN_SIDE // min(columns[0].shape[1:3])))
    enlarged = [column.repeat(zoom, 1).repeat(zoom, 2) for column in columns]
    n_rows, height, width, channels = enlarged[0].shape
    total = _WIDE_GAP - _GAP + _GAP * (len(columns) - 1) if len(columns) > 1 else 0
    canvas = np.full(
        (n_rows * (height + _GAP) - _GAP, len(columns) * width + total, channels), _BACKGROUND, np.uint8
    )
    left = 0
    for number, column in enumerate(enlarged):
        for row, image in enumerate(column):
            top = row * (height + _GAP)
            canvas[top : top + height, left : left + width] = image
        left += width + (_GAP if number else _WIDE_GAP)
    with staged_file(path) as stage:
        Image.fromarray(canvas[..., 0] if channels == 1 else canvas).save(stage, format="PNG")


def _check_columns(columns: Sequence[NDArray[np.uint8]]) -> None:
    """Refuse what is no grid of images."""
    shapes = {column.shape for column in columns}
    if len(shapes) != 1 or len(columns[0]) == 0:
        msg = f"A grid needs columns of as many images of one shape; got {sorted(shapes) or 'none'}."
        raise InputError(msg)
    [shape] = shapes
    if len(shape) != 4 or 0 in shape or shape[3] not in {1, 3}:
        msg = f"Images have the shape `(n, height, width, channels)`, of 1 or 3 channels; got {shape}."
        raise InputError(msg)
    if others := sorted({str(column.dtype) for column in columns} - {"uint8"}):
        msg = f"Pixels have to be bytes (uint8) from 0 to 255; got values of type {', '.join(others)}."
        raise InputError(msg)
