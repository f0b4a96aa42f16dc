"""Reading many image files into one matrix, for all layouts of folders."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.images._decode import BadImageError, Header, decode_rows, quiet_pillow, read_header
from diffaug_bio.io.images._rows import (
    Decoding,
    ImageOptions,
    ImageShape,
    annotate,
    assemble_places,
    check_pixels,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.config.kinds import ImagePages

logger = logging.getLogger(__name__)

_DARK = 64  # a brightest value below it points to 14 bits or fewer
_ROWS_TO_CHECK = 256


def read_image_files(
    files: Sequence[Path], obs: pd.DataFrame, options: ImageOptions, *, origin: str
) -> AnnData:
    """Read image files of one size, or resized to one; `obs` is in their order, `origin` for messages."""
    with quiet_pillow():
        headers, bad = _read_headers(files)
        files, obs = _leave_out(files, obs, bad, options, origin=origin)
        shape = _common_shape(files, headers, options, origin=origin)
        check_pixels(shape, origin)
        if n_deep := sum(header.is_deep for header in headers):
            logger.info(
                "%s: %d images of 16 bits and more are scaled to 8 by their whole range: 65535, or 1 of "
                "fractions, becomes 255.",
                *(origin, n_deep),
            )
        pages = _say_pages(headers, options, origin=origin)
        if len(files) * shape.n_pixels > options.max_bytes:
            if options.skip_bad:
                files, obs = _leave_out(
                    files, obs, _find_damage(files, shape, options, pages), options, origin=origin
                )
            decoding = Decoding(
                decoder="files", image_shape=shape, image_size=options.image_size, pages=pages
            )
            return assemble_places(
                [str(path.absolute()) for path in files], obs, decoding=decoding, origin=origin
            )
        pixels: NDArray[np.uint8] = np.empty((len(files), shape.n_pixels), np.uint8)
        bad = decode_rows(files, pixels, shape=shape, image_size=options.image_size, pages=pages)
    _, obs = _leave_out(files, obs, bad, options, origin=origin)
    if bad:
        pixels = np.delete(pixels, list(bad), axis=0)
    if n_deep and 0 < (brightest := int(pixels.max(initial=0))) < _DARK:
        logger.warning(
            "%s: the brightest value is %d of 255, as 16 bits are scaled to 8 by their whole range. Scale "
            "the images to bytes yourself, or most of their contrast is lost.",
            *(origin, brightest),
        )
    return annotate(obs, shape, origin=origin, pixels=pixels)


def _read_headers(files: Sequence[Path]) -> tuple[list[Header], dict[int, BadImageError]]:
    """Read all headers; return the good ones, and the errors of the others by their place."""
    headers: list[Header] = []
    bad: dict[int, BadImageError] = {}
    for number, path in enumerate(files):
        try:
            headers.append(read_header(path))
        except BadImageError as error:
            bad[number] = error
    return headers, bad


def _say_pages(headers: Sequence[Header], options: ImageOptions, *, origin: str) -> ImagePages:
    """Say what is taken of stacks and animations, and return it for stacks."""
    pages = options.image_pages or "max"
    if stacks := [header.n_pages for header in headers if header.n_pages > 1]:
        taken = {"max": "the highest value of each pixel", "mean": "the mean", "first": "the first page"}
        logger.log(
            logging.INFO if options.image_pages else logging.WARNING,
            "%s: %d images are stacks of %s pages or slices, of which %s is taken; `image_pages` "
            "(`--image-pages`) max, mean or first says otherwise.",
            *(origin, len(stacks), _range(stacks), taken[pages]),
        )
    if moving := [header.n_frames for header in headers if header.n_frames > 1]:
        logger.warning(
            "%s: %d images are animations of %s pictures, of which the first is taken. Save the others as "
            "files of their own if they matter.",
            *(origin, len(moving), _range(moving)),
        )
    if smaller := [header.n_smaller for header in headers if header.n_smaller]:
        logger.warning(
            "%s: %d files hold %s smaller images beside the largest, which is read; they are taken for "
            "previews. Save them as files of their own if they matter.",
            *(origin, len(smaller), _range(smaller)),
        )
    return pages


def _range(numbers: Sequence[int]) -> str:
    """Write the smallest and the largest of some numbers."""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _leave_out(
    files: Sequence[Path],
    obs: pd.DataFrame,
    bad: Mapping[int, BadImageError],
    options: ImageOptions,
    *,
    origin: str,
) -> tuple[list[Path], pd.DataFrame]:
    """Leave out files that cannot be read, or raise an `InputError` without `skip_bad`."""
    if not bad:
        return list(files), obs
    first = next(iter(bad.values()))
    if not options.skip_bad:
        msg = (
            f"{len(bad)} of the {len(files)} images of {origin} cannot be read. The first: {first} Repair "
            "or remove them, or leave them out with `skip_bad`."
        )
        raise InputError(msg)
    if len(bad) == len(files):
        msg = f"None of the {len(files)} images of {origin} can be read. The first: {first}"
        raise InputError(msg)
    logger.warning(
        "%s: %d images that cannot be read are left out: %s.",
        *(origin, len(bad), shorten(files[number] for number in bad)),
    )
    kept = [number for number in range(len(files)) if number not in bad]
    return [files[number] for number in kept], obs.iloc[kept]


def _common_shape(
    files: Sequence[Path], headers: Sequence[Header], options: ImageOptions, *, origin: str
) -> ImageShape:
    """Return the shape of all images, with one channel only if all are grey."""
    channels = 1 if all(header.is_grey for header in headers) else 3
    if options.image_size is not None:
        return ImageShape(options.image_size, options.image_size, channels)
    sizes = [f"{header.height} x {header.width}" for header in headers]
    (usual, n_usual), *others = Counter(sizes).most_common()
    if others:
        other = next(number for number, size in enumerate(sizes) if size != usual)
        msg = (
            f"The images of {origin} differ in size: {files[sizes.index(usual)]} has {usual} pixels, "
            f"{files[other]} has {sizes[other]}, and {len(sizes) - n_usual} of {len(sizes)} have another "
            "size than the first. Give `image_size`: the shorter side of each is then resized to it, and "
            "the square in the middle kept."
        )
        raise InputError(msg)
    return ImageShape(headers[0].height, headers[0].width, channels)


def _find_damage(
    files: Sequence[Path], shape: ImageShape, options: ImageOptions, pages: ImagePages
) -> dict[int, BadImageError]:
    """Decode all files, a few at a time, to find those that cannot be read."""
    bad: dict[int, BadImageError] = {}
    rows: NDArray[np.uint8] = np.empty((_ROWS_TO_CHECK, shape.n_pixels), np.uint8)
    for start in range(0, len(files), _ROWS_TO_CHECK):
        block = files[start : start + _ROWS_TO_CHECK]
        found = decode_rows(block, rows, shape=shape, image_size=options.image_size, pages=pages)
        bad |= {start + number: error for number, error in found.items()}
    return bad
