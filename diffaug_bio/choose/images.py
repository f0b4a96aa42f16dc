"""Images of an AnnData: their shape, and their pixels as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffaug_bio._keys import IMAGE_KEY, IMAGE_SHAPE_KEY
from diffaug_bio.errors import InputError
from diffaug_bio.io import open_images
from diffaug_bio.matrix.validation import as_matrix

if TYPE_CHECKING:
    from anndata import AnnData

    from diffaug_bio.matrix.blocks import Matrix
    from diffaug_bio.model.estimator import DiffAug


def image_shape(adata: AnnData) -> tuple[int, int, int]:
    """Return height, width and channels of images from `.uns`; raise InputError if it has none."""
    shape = [int(size) for size in adata.uns.get(IMAGE_SHAPE_KEY, [])]
    if len(shape) != 3:
        msg = (
            f"Images need height, width and channels in `.uns[{IMAGE_SHAPE_KEY!r}]`, which holds "
            f"{shape or 'nothing'}. Read them with `diffaug_bio.io.read`."
        )
        raise InputError(msg)
    return shape[0], shape[1], shape[2]


def image_matrix(adata: AnnData, expected: tuple[int, ...] | None) -> Matrix:
    """Return the pixels of images, in memory or on the disk.

    Grey images become colour where the `expected` shape has it; another shape raises InputError.
    """
    shape = image_shape(adata)
    in_color = expected is not None and (*shape[:2], 3) == expected
    if expected is not None and shape != expected and not in_color:
        raise InputError(_misshapen(shape, expected))
    if adata.X is None and IMAGE_KEY in adata.obs:
        return open_images(adata, in_color=in_color)
    if adata.X is None:
        msg = f"These images have neither pixels in `.X` nor files in `.obs[{IMAGE_KEY!r}]`."
        raise InputError(msg)
    pixels = as_matrix(adata.X)
    # A folder is read as grey or in colour by what else lies in it, which a model need not mind.
    return pixels.repeat(3, axis=1) if in_color and shape[2] == 1 else pixels


def are_images(adata: AnnData, model: DiffAug) -> bool:
    """Tell whether these are images that were read, for a model that was fitted on an array of images."""
    return IMAGE_SHAPE_KEY in adata.uns and bool(model.config_.features.image_shape)


def _misshapen(shape: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """Describe how images differ from those of the fit, and how to convert them."""
    known, found = (
        f"{height} x {width} pixels, {'grey' if channels == 1 else 'in color'}"
        for height, width, channels in (expected, shape)
    )
    if shape[:2] == expected[:2]:
        remedy = f"Convert them to {'grey' if expected[2] == 1 else 'RGB'}."
    elif expected[0] == expected[1]:
        remedy = f"Read image files with `image_size` {expected[0]}, or resize them."
    else:  # `image_size` makes squares
        remedy = "Resize them."
    return f"The model was fitted on images of {known}, and these are of {found}. {remedy}"
