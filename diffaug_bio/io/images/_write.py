"""Writing images as .npz."""

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
    from os import PathLike

    from anndata import AnnData
    from numpy.typing import NDArray


def write_images(path: str | PathLike[str], adata: AnnData) -> None:
    """Write the images of an AnnData as .npz, which :func:`diffaug_bio.io.read` reads again.

    The file holds `images`, bytes of shape `(n, height, width)` or `(n, height, width, 3)`, and `labels`
    as text if there is `.obs["label"]`, empty where one is missing. Values that are no bytes are rounded.

    Parameters
    ----------
    path
        The file, with the ending .npz; replaced whole or not at all.
    adata
        With the shape of an image in `.uns["image_shape"]`, and pixels from 0 to 255 in `.X`, or on
        the disk as :func:`diffaug_bio.io.open_images` finds them.

    Raises
    ------
    InputError
        If there are no images, a pixel is not from 0 to 255, or the name has another ending.
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


def _as_bytes(values: object) -> NDArray[np.uint8]:
    """Round pixels to bytes."""
    matrix = as_matrix(values)
    pixels: NDArray[Any] = matrix.toarray() if sparse.issparse(matrix) else matrix
    if pixels.dtype == np.uint8:
        return pixels.view(np.uint8)
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 255):
        msg = f"Pixels are from 0 to 255, got some from {pixels.min()} to {pixels.max()}. Scale them first."
        raise InputError(msg)
    rounded: NDArray[np.uint8] = np.rint(pixels).astype(np.uint8)
    return rounded
