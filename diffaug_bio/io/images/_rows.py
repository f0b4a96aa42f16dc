"""Rows of images as AnnData, of pixels or of places to decode: all readers of images end here."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import anndata
import numpy as np
import pandas as pd

from diffaug_bio._keys import IMAGE_DECODING_KEY, IMAGE_KEY, IMAGE_SHAPE_KEY, LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import decoded, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io.images._stacks import IMAGE_PAGES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from diffaug_bio.config.kinds import ImagePages

logger = logging.getLogger(__name__)

FILE = "file"
UNPACK_AGAIN = "Unpack the archive again."
_MOST_PIXELS = 2**24  # of an image: the names of so many features take a gigabyte
Decoder = Literal["files", "stl10"]


class ImageShape(NamedTuple):
    """Shape of one image."""

    height: int
    width: int
    channels: int

    @property
    def n_pixels(self) -> int:
        """Number of values of an image."""
        return self.height * self.width * self.channels


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """Options of :func:`diffaug_bio.io.read` for images."""

    image_size: int | None = None
    image_pages: ImagePages | None = None
    """What is taken of stacks; None takes the maximum, with a warning."""
    skip_bad: bool = False
    max_bytes: int = 2**31

    def __post_init__(self) -> None:
        if self.image_pages is not None and self.image_pages not in IMAGE_PAGES:
            msg = f"There is no `image_pages` {self.image_pages!r}; choose one of {', '.join(IMAGE_PAGES)}."
            raise InputError(msg)
        if self.image_size is not None and self.image_size < 1:
            msg = f"`image_size` has to be at least 1, got {self.image_size}."
            raise InputError(msg)
        if self.max_bytes < 0:
            msg = f"`max_bytes` cannot be negative, got {self.max_bytes}."
            raise InputError(msg)

    @property
    def concern_files(self) -> bool:
        """True if an option is set that applies only to single image files."""
        return self.image_size is not None or self.image_pages is not None or self.skip_bad

    @property
    def given(self) -> str:
        """Names of these options that are set, as Python and the command line spell them."""
        asked = {
            "image_size": self.image_size is not None,
            "image_pages": self.image_pages is not None,
            "skip_bad": self.skip_bad,
        }
        return " and ".join(
            f"`{name}` (`--{name.replace('_', '-')}`)" for name, is_on in asked.items() if is_on
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """Decoding of images on the disk."""

    decoder: Decoder
    image_shape: ImageShape
    image_size: int | None = None
    pages: ImagePages = "max"


def require_files(folder: Path, names: Sequence[str], *, of: str) -> None:
    """Raise an `InputError` if a folder lacks files, or folders (`"name/"`), of a known image set."""
    missing = [
        name
        for name in names
        if not ((folder / name).is_dir() if name.endswith("/") else (folder / name).is_file())
    ]
    if missing:
        msg = f"{folder} lacks {shorten(missing, limit=8)} of {of}. {UNPACK_AGAIN}"
        raise InputError(msg)


def check_pixels(shape: ImageShape, origin: str) -> None:
    """Raise an `InputError` if images have too many pixels to be features."""
    if shape.n_pixels > _MOST_PIXELS:
        msg = (
            f"The images of {origin} have {shape.height} x {shape.width} pixels, which are too many to be "
            "features. Give a smaller `image_size`, or make them smaller."
        )
        raise InputError(msg)


def warn_of_size(n_bytes: int, options: ImageOptions, *, origin: str) -> None:
    """Log a warning if a file that can only be read whole takes more memory than `max_bytes`."""
    if n_bytes > options.max_bytes:
        logger.warning(
            "%s: pixels take %.1f GiB, more than `max_bytes`, but such a file can only be read whole.",
            *(origin, n_bytes / 2**30),
        )


def assemble_pixels(
    parts: Sequence[NDArray[np.uint8]], obs: pd.DataFrame, *, image_shape: ImageShape, origin: str
) -> AnnData:
    """Join pixels, `(n, height, width, channels)` each, and `obs`, of which columns without values go."""
    pixels = np.empty((len(obs), *image_shape), np.uint8)
    np.concatenate(parts, out=pixels)
    rows = pixels.reshape(len(obs), image_shape.n_pixels)
    return annotate(obs, image_shape, origin=origin, pixels=rows)


def assemble_places(
    places: Sequence[str], obs: pd.DataFrame, *, decoding: Decoding, origin: str
) -> AnnData:
    """Join annotations and the places of images on the disk, to be decoded when needed."""
    if odd := next((place for place in places if decoded(place) != place), None):
        msg = (
            f"The name {decoded(odd)!r} cannot be written in this locale. Set LC_ALL=C.UTF-8, or rename it."
        )
        raise InputError(msg)
    adata = annotate(obs.assign(**{IMAGE_KEY: list(places)}), decoding.image_shape, origin=origin)
    adata.uns[IMAGE_DECODING_KEY] = {
        "decoder": decoding.decoder,
        "image_size": decoding.image_size or 0,  # an .h5ad file cannot hold None
        "pages": decoding.pages,
    }
    logger.info(
        "%s: pixels would take %.1f GiB. They are read when needed; `.X` is None.",
        *(origin, len(obs) * decoding.image_shape.n_pixels / 2**30),
    )
    return adata


def annotate(
    obs: pd.DataFrame, shape: ImageShape, *, origin: str, pixels: NDArray[np.uint8] | None = None
) -> AnnData:
    """Make the AnnData of images with pixels in memory, or with none."""
    check_pixels(shape, origin)
    obs = obs.set_axis(pd.Index(obs.index.astype(str), dtype=object)).dropna(axis=1, how="all")
    for name in obs.columns.difference([FILE, IMAGE_KEY]):
        obs[name] = pd.Categorical(obs[name])
    counts = Counter(obs[SPLIT_KEY]) if SPLIT_KEY in obs else {}
    logger.info(
        "%s: %d images of %d x %d pixels, %s%s%s.",
        *(origin, len(obs), shape.height, shape.width, "grey" if shape.channels == 1 else "in color"),
        "".join(f", {split} {number}" for split, number in counts.items()),
        f", {obs[LABEL_KEY].cat.categories.size} classes" if LABEL_KEY in obs else ", without labels",
    )
    names = [
        f"{row}-{column}-{channel}"
        for row in range(shape.height)
        for column in range(shape.width)
        for channel in range(shape.channels)
    ]
    return anndata.AnnData(
        X=pixels,
        obs=obs,
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
        uns={IMAGE_SHAPE_KEY: np.array(shape)},
    )
