"""Writing images: all of them as .npz, or some side by side as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from diffaug_bio._keys import IMAGE_SHAPE_KEY, LABEL_KEY
from diffaug_bio.errors import InputError
from diffaug_bio.io.images._lazy import open_images
from diffaug_bio.io.images._rows import ImageShape
from diffaug_bio.matrix.validation import as_matrix
from diffaug_bio.output.files import staged_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from numpy.typing import NDArray

_SHOWN_SIDE = 96  # pixels that a small image is enlarged to in a picture
_GAP = 4  # pixels between images
_WIDE_GAP = 12  # pixels between originals and generated images
_BACKGROUND = 255


def write_images(path: str | PathLike[str], adata: AnnData) -> None:
    """Write images as .npz, which :func:`diffaug_bio.io.read` reads back.

    The file holds `images`, bytes of shape `(n, height, width)` or `(n, height, width, 3)`, and `labels` as
    text, empty where missing, if there is `.obs["label"]`. Other values than bytes are rounded.

    Parameters
    ----------
    path
        The `.npz` file, replaced whole or not at all.
    adata
        Data with `.uns["image_shape"]`, and pixels from 0 to 255 in `.X` or on the disk, as for
        :func:`diffaug_bio.io.open_images`.

    Raises
    ------
    InputError
        If there are no images, a pixel is not from 0 to 255, or the file has another ending.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        msg = f"{path} has no ending that tells how to write it. Images are written as .npz."
        raise InputError(msg)
    if IMAGE_SHAPE_KEY not in adata.uns:
        msg = f"There is no `.uns[{IMAGE_SHAPE_KEY!r}]`: give it height, width and channels of each image."
        raise InputError(msg)
    shape = ImageShape(*(int(size) for size in adata.uns[IMAGE_SHAPE_KEY]))
    pixels = open_images(adata)[:] if adata.X is None else _as_bytes(adata.X)
    if pixels.shape[1] != shape.n_pixels:
        msg = f"There are {pixels.shape[1]} features, but an image of {shape} has {shape.n_pixels} pixels."
        raise InputError(msg)
    images = pixels.reshape(len(pixels), *(shape[:2] if shape.channels == 1 else shape))
    with staged_file(path) as stage, stage.open("wb") as stream:
        if LABEL_KEY in adata.obs:
            labels = adata.obs[LABEL_KEY].astype(object)
            text = np.array([str(label) for label in labels.where(labels.notna(), "")], dtype=np.str_)
            np.savez_compressed(stream, images=images, labels=text)
        else:
            np.savez_compressed(stream, images=images)


def write_image_grid(path: str | PathLike[str], columns: Sequence[NDArray[np.uint8]]) -> None:
    """Write a picture with original images in the first column and generated ones beside them.

    Small images are enlarged, each pixel to a square.

    Parameters
    ----------
    path
        The `.png` file, replaced whole or not at all.
    columns
        Bytes of the originals, then of as many images for each further column, each of shape
        `(n, height, width, channels)` with 1 or 3 channels.

    Raises
    ------
    InputError
        If columns differ in shape, are not images, or there are none; or if the file has another ending.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> io.write_image_grid("grid.png", [originals, generated])  # doctest: +SKIP
    """
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() != ".png":
        msg = f"{path} has no ending that tells how to write it. A picture is written as .png."
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


def _as_bytes(values: object) -> NDArray[np.uint8]:
    """Return pixels rounded to bytes."""
    matrix = as_matrix(values)
    pixels: NDArray[Any] = matrix.toarray() if sparse.issparse(matrix) else matrix
    if pixels.dtype == np.uint8:
        return pixels.view(np.uint8)
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 255):
        msg = f"Pixels are from 0 to 255, got some from {pixels.min()} to {pixels.max()}. Scale them first."
        raise InputError(msg)
    rounded: NDArray[np.uint8] = np.rint(pixels).astype(np.uint8)
    return rounded


def _check_columns(columns: Sequence[NDArray[np.uint8]]) -> None:
    """Refuse columns that do not make a grid of images."""
    shapes = {column.shape for column in columns}
    if len(shapes) != 1 or len(columns[0]) == 0:
        msg = f"Expected columns of as many images of one shape, got {sorted(shapes) or 'none'}."
        raise InputError(msg)
    [shape] = shapes
    if len(shape) != 4 or 0 in shape or shape[3] not in {1, 3}:
        msg = f"Expected images of shape `(n, height, width, channels)` with 1 or 3 channels, got {shape}."
        raise InputError(msg)
    if others := sorted({str(column.dtype) for column in columns} - {"uint8"}):
        msg = f"Expected pixels as bytes (uint8) from 0 to 255, got values of type {', '.join(others)}."
        raise InputError(msg)
