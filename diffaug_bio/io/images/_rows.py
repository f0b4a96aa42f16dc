"""What all readers of images end in: rows of pixels, or of places where images lie, as AnnData."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal, NamedTuple

import anndata
import numpy as np
import pandas as pd

from diffaug_bio._keys import IMAGE_DECODING_KEY, IMAGE_KEY, IMAGE_SHAPE_KEY, LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import decoded
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

FILE = "file"
_MOST_PIXELS = 2**24  # of an image, whose names alone take a gigabyte
Decoder = Literal["files", "stl10"]


class ImageShape(NamedTuple):
    """Shape of one image."""

    height: int
    width: int
    channels: int

    @property
    def n_pixels(self) -> int:
        """How many values an image has."""
        return self.height * self.width * self.channels


def check_pixels(shape: ImageShape, origin: str) -> None:
    """Refuse images of which each pixel cannot be a feature.

    Raises
    ------
    InputError
        If an image has too many values.
    """
    if shape.n_pixels > _MOST_PIXELS:
        msg = (
            f"The images of {origin} have {shape.height} x {shape.width} pixels, which are too many to be "
            "features. Give a smaller `image_size`, or make them smaller."
        )
        raise InputError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """How images are read, as :func:`diffaug_bio.io.read` was asked to."""

    image_size: int | None = None
    """Height and width that image files are resized to."""
    skip_bad: bool = False
    """Whether image files that cannot be read are left out."""
    max_bytes: int = 2**31
    """How much memory pixels may take."""

    def __post_init__(self) -> None:
        if self.image_size is not None and self.image_size < 1:
            msg = f"`image_size` has to be at least 1, got {self.image_size}."
            raise InputError(msg)
        if self.max_bytes < 0:
            msg = f"`max_bytes` cannot be negative, got {self.max_bytes}."
            raise InputError(msg)

    @property
    def concern_files(self) -> bool:
        """Whether something is asked for that only files of single images can give."""
        return self.image_size is not None or self.skip_bad

    @property
    def given(self) -> str:
        """What of that is asked for, as Python and the command line spell it."""
        asked = {"image_size": self.image_size is not None, "skip_bad": self.skip_bad}
        return " and ".join(
            f"`{name}` (`--{name.replace('_', '-')}`)" for name, is_on in asked.items() if is_on
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How rows are decoded whose pixels are not in memory."""

    decoder: Decoder
    image_shape: ImageShape
    image_size: int | None = None


def number_rows(splits: Sequence[str]) -> list[str]:
    """Name rows by their split and a number that starts anew in each."""
    counters = {split: count() for split in splits}
    return [f"{split}/{next(counters[split])}" for split in splits]


def assemble_pixels(
    parts: Sequence[NDArray[np.uint8]], obs: pd.DataFrame, *, image_shape: ImageShape, origin: str
) -> AnnData:
    """Put pixels and annotations together.

    Parameters
    ----------
    parts
        Pixels of some of the rows each, in their order. Shape: `(n, height, width, channels)`.
    obs
        Annotations, by the names of the rows. Columns without a value are left out.
    image_shape
        Of each image.
    origin
        What was read, as the log names it.
    """
    pixels = np.empty((len(obs), *image_shape), np.uint8)
    np.concatenate(parts, out=pixels)
    rows = pixels.reshape(len(obs), image_shape.n_pixels)
    return annotate(obs, image_shape, origin=origin, pixels=rows)


def assemble_places(
    places: Sequence[str], obs: pd.DataFrame, *, decoding: Decoding, origin: str
) -> AnnData:
    """Put annotations and the places of images together, to be decoded when asked for.

    Raises
    ------
    InputError
        If a place cannot be written as text and found again by it.
    """
    if odd := next((place for place in places if decoded(place) != place), None):
        msg = (
            f"The name {decoded(odd)!r} cannot be written in this locale. Set LC_ALL=C.UTF-8, or rename it."
        )
        raise InputError(msg)
    adata = annotate(obs.assign(**{IMAGE_KEY: list(places)}), decoding.image_shape, origin=origin)
    adata.uns[IMAGE_DECODING_KEY] = {
        "decoder": decoding.decoder,
        "image_size": decoding.image_size or 0,  # an .h5ad file cannot hold None
    }
    logger.info(
        "%s: pixels would take %.1f GiB. They are read when needed; `.X` is None.",
        *(origin, len(obs) * decoding.image_shape.n_pixels / 2**30),
    )
    return adata


def warn_of_size(n_bytes: int, options: ImageOptions, *, origin: str) -> None:
    """Say in the log that a file which can only be read whole takes more memory than was asked for."""
    if n_bytes > options.max_bytes:
        logger.warning(
            "%s: pixels take %.1f GiB, more than `max_bytes`, but such a file can only be read whole.",
            *(origin, n_bytes / 2**30),
        )


def annotate(
    obs: pd.DataFrame, shape: ImageShape, *, origin: str, pixels: NDArray[np.uint8] | None = None
) -> AnnData:
    """Make the AnnData of rows in memory, or of none."""
    check_pixels(shape, origin)
    obs = obs.set_axis(pd.Index(obs.index.astype(str), dtype=object)).dropna(axis=1, how="all")
    for name in obs.columns.difference([FILE, IMAGE_KEY]):
        obs[name] = pd.Categorical(obs[name])
    _log(obs, shape, origin)
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


def _log(obs: pd.DataFrame, shape: ImageShape, origin: str) -> None:
    """Say what was read."""
    kind = "grey" if shape.channels == 1 else "in color"
    counts = Counter(obs[SPLIT_KEY]) if SPLIT_KEY in obs else {}
    logger.info(
        "%s: %d images of %d x %d pixels, %s%s%s.",
        *(origin, len(obs), shape.height, shape.width, kind),
        "".join(f", {split} {number}" for split, number in counts.items()),
        f", {obs[LABEL_KEY].cat.categories.size} classes" if LABEL_KEY in obs else ", without labels",
    )
