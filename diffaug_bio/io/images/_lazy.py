"""Images on the disk as a matrix whose rows are decoded when needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np

from diffaug_bio._keys import IMAGE_DECODING_KEY, IMAGE_KEY, IMAGE_SHAPE_KEY
from diffaug_bio.config.kinds import ImagePages
from diffaug_bio.errors import InputError
from diffaug_bio.io.images._decode import decode_rows
from diffaug_bio.io.images._rows import Decoder, Decoding, ImageShape
from diffaug_bio.io.images._stl10 import open_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray


class LazyImages:
    """Matrix of pixels, in place of `.X`, whose rows are decoded when needed; see :func:`open_images`.

    Parameters
    ----------
    places
        Place of each image: a file, or `file#17` for the 18th record of a binary file.
    decoding
        How the images are decoded.

    Attributes
    ----------
    shape
        Numbers of images, and of pixels in each.
    dtype
        `uint8`.
    image_shape
        Height, width and channels of each image, the order of its pixels in a row.

    Raises
    ------
    InputError
        If a binary file is missing, or shorter than when the images were read.

    Examples
    --------
    >>> from diffaug_bio import io
    >>> images = io.open_images(io.read("photographs", image_size=64, max_bytes=0))  # doctest: +SKIP
    >>> images[:10].reshape(-1, *images.image_shape)  # doctest: +SKIP
    """

    def __init__(self, places: Sequence[str], decoding: Decoding) -> None:
        self.image_shape = decoding.image_shape
        self.shape = (len(places), decoding.image_shape.n_pixels)
        self.dtype: np.dtype[np.uint8] = np.dtype(np.uint8)
        self._numbers = np.arange(len(places))
        if decoding.decoder == "files":
            self._decode = _files_decoder([Path(place) for place in places], decoding)
        else:
            self._decode = _records_decoder(places, decoding)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Decode rows, given by a slice, numbers or truth values, to pixels of shape `(n_rows, n_pixels)`.

        Negative numbers count from the end. A missing or damaged file raises an `InputError`.
        """
        numbers = self._numbers[rows]
        if numbers.ndim != 1:
            msg = f"Rows of images are chosen by a slice or an array of numbers, got {rows!r}."
            raise InputError(msg)
        return self._decode(numbers)


def open_images(adata: AnnData, *, in_color: bool = False) -> LazyImages:
    """Open the images of an AnnData whose pixels were left on the disk.

    Parameters
    ----------
    adata
        Data from :func:`diffaug_bio.io.read` with pixels of more than `max_bytes`, or rows of it.
    in_color
        If True, grey images get three channels.

    Raises
    ------
    InputError
        If there are no such images, or their files are missing.
    """
    if IMAGE_KEY not in adata.obs or not {IMAGE_SHAPE_KEY, IMAGE_DECODING_KEY} <= set(adata.uns):
        remedy = "its pixels are in `.X`" if adata.X is not None else "read the images again"
        msg = f"`adata` names no images to decode in `.obs[{IMAGE_KEY!r}]`; {remedy}."
        raise InputError(msg)
    settings = adata.uns[IMAGE_DECODING_KEY]
    if (decoder := str(settings["decoder"])) not in get_args(Decoder):
        msg = f"`adata` has images of an unknown kind {decoder!r}. Read them again with this version."
        raise InputError(msg)
    shape = ImageShape(*(int(size) for size in adata.uns[IMAGE_SHAPE_KEY]))
    return LazyImages(
        adata.obs[IMAGE_KEY].astype(str).tolist(),
        Decoding(
            decoder="files" if decoder == "files" else "stl10",
            image_shape=shape._replace(channels=3) if in_color else shape,
            image_size=int(settings["image_size"]) or None,
            pages=_pages(settings.get("pages", "max")),
        ),
    )


def _pages(value: object) -> ImagePages:
    """Check what is to be taken of stacks, as an AnnData names it."""
    for known in get_args(ImagePages):
        if str(value) == known:
            return cast("ImagePages", known)
    msg = f"`adata` takes {str(value)!r} of stacks of images. Read them again with this version."
    raise InputError(msg)


def _files_decoder(
    paths: list[Path], decoding: Decoding
) -> Callable[[NDArray[np.int64]], NDArray[np.uint8]]:
    """Return a function that decodes the files of some rows."""

    def decode(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        rows: NDArray[np.uint8] = np.empty((len(numbers), decoding.image_shape.n_pixels), np.uint8)
        asked = [paths[number] for number in numbers]
        bad = decode_rows(
            asked,
            rows,
            shape=decoding.image_shape,
            image_size=decoding.image_size,
            pages=decoding.pages,
        )
        if bad:
            raise next(iter(bad.values()))
        return rows

    return decode


def _records_decoder(
    places: Sequence[str], decoding: Decoding
) -> Callable[[NDArray[np.int64]], NDArray[np.uint8]]:
    """Map binary files into memory once, and return a function that copies the records of some rows."""
    split = [place.rpartition("#") for place in places]
    if unfit := ["".join(parts) for parts in split if not parts[2].isdecimal()]:
        msg = f"{unfit[0]!r} names no record of a binary file, such as `file#17`. Read the folder again."
        raise InputError(msg)
    names = sorted({name for name, _, _ in split})
    files = [_open(Path(name)) for name in names]
    which = np.searchsorted(np.array(names, dtype=object), np.array([name for name, _, _ in split], object))
    records = np.array([int(record) for _, _, record in split], dtype=np.int64)
    for number, file in enumerate(files):
        if (last := records[which == number].max()) >= len(file):
            msg = f"{names[number]} has {len(file)} images now, no number {last}. Read the folder again."
            raise InputError(msg)

    def decode(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        images: NDArray[np.uint8] = np.empty((len(numbers), *decoding.image_shape), np.uint8)
        for image, number in zip(images, numbers, strict=True):  # faster than all at once
            image[:] = files[which[number]][records[number]]
        return images.reshape(len(numbers), decoding.image_shape.n_pixels)

    return decode


def _open(path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        msg = f"{path} is no longer there. Put it back, or read the folder again."
        raise InputError(msg)
    return open_records(path)
