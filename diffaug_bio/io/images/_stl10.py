"""Reading STL-10, with all images of a split in one binary file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import reading
from diffaug_bio.io._names import number_rows
from diffaug_bio.io.images._rows import (
    UNPACK_AGAIN,
    Decoding,
    ImageOptions,
    ImageShape,
    assemble_pixels,
    assemble_places,
    require_files,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

SHAPE = ImageShape(96, 96, 3)
_SPLITS = ("train", "test", "unlabeled")


def is_stl10(folder: Path) -> bool:
    """Return True if a folder has files of STL-10."""
    return any(_images(folder, split).is_file() for split in _SPLITS)


def read_stl10(folder: Path, options: ImageOptions) -> AnnData:
    """Read the folder `stl10_binary`; see :func:`diffaug_bio.io.read`."""
    needed = [f"{split}_{letter}.bin" for split in _SPLITS[:2] for letter in "Xy"]
    require_files(folder, [*needed, "class_names.txt"], of="STL-10")
    with reading(folder / "class_names.txt"):
        names = (folder / "class_names.txt").read_text(encoding="utf-8").split()
    records = {
        split: open_records(_images(folder, split)) for split in _SPLITS if _images(folder, split).is_file()
    }
    if "unlabeled" not in records:
        logger.info("%s: there is no unlabeled_X.bin; only images with labels are read.", folder.name)
    splits = [split for split, part in records.items() for _ in part]
    labels: list[str | None] = []
    for split, part in records.items():
        labels += [None] * len(part) if split == "unlabeled" else _labels(folder, split, names, len(part))
    obs = pd.DataFrame({LABEL_KEY: labels, SPLIT_KEY: splits}, index=number_rows(splits))
    if len(obs) * SHAPE.n_pixels <= options.max_bytes:
        return assemble_pixels(list(records.values()), obs, image_shape=SHAPE, origin=folder.name)
    places = [
        f"{_images(folder, split).absolute()}#{number}"
        for split, part in records.items()
        for number in range(len(part))
    ]
    decoding = Decoding(decoder="stl10", image_shape=SHAPE)
    return assemble_places(places, obs, decoding=decoding, origin=folder.name)


def open_records(path: Path) -> NDArray[np.uint8]:
    """Map the images of a binary file into memory. Shape: `(n_obs, height, width, channels)`."""
    with reading(path):
        size = path.stat().st_size
        if size == 0 or size % SHAPE.n_pixels:
            msg = (
                f"{path} has {size} bytes, which are not whole images of {SHAPE.n_pixels}: it is cut off "
                f"or not of STL-10. {UNPACK_AGAIN}"
            )
            raise InputError(msg)
        planes = np.memmap(path, np.uint8, "r", shape=(size // SHAPE.n_pixels, 3, 96, 96))
    return planes.transpose(0, 3, 2, 1)  # stored by channel, column, row


def _images(folder: Path, split: str) -> Path:
    return folder / f"{split}_X.bin"


def _labels(folder: Path, split: str, names: list[str], n_obs: int) -> list[str]:
    """Read labels; their numbers start at 1."""
    path = folder / f"{split}_y.bin"
    with reading(path):
        numbers = np.fromfile(path, np.uint8)
    if len(numbers) != n_obs:
        msg = f"{path} has {len(numbers)} labels for the {n_obs} images of {split}_X.bin. {UNPACK_AGAIN}"
        raise InputError(msg)
    if not 1 <= numbers.min() <= numbers.max() <= len(names):
        msg = (
            f"{path} has labels from {numbers.min()} to {numbers.max()}, but class_names.txt names 1 to "
            f"{len(names)}. {UNPACK_AGAIN}"
        )
        raise InputError(msg)
    return [names[number - 1] for number in numbers]
