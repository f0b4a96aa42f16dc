"""Reading idx files, the format of MNIST and similar sets."""

from __future__ import annotations

import logging
import math
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import open_bytes, reading, visible_entries
from diffaug_bio.io._names import number_rows
from diffaug_bio.io.images._rows import ImageOptions, ImageShape, assemble_pixels, warn_of_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_NAME = re.compile(r"(.*)(images|labels)[-.]idx([13])[-.]ubyte(\.gz)?", re.IGNORECASE)
_BYTES = 8  # code for values of type uint8, in the third byte


def is_idx(path: Path) -> bool:
    """Return True if a file is named like an idx file."""
    return _NAME.fullmatch(path.name) is not None


def has_idx(folder: Path) -> bool:
    """Return True if a folder has idx files of images."""
    return bool(_image_files(folder))


def read_idx(path: Path, options: ImageOptions) -> AnnData:
    """Read an idx file of images, with the labels beside it; see :func:`diffaug_bio.io.read`."""
    if (match := _NAME.fullmatch(path.name)) and match[2].lower() == "labels":
        msg = f"{path} holds labels. Name the file of images beside it; the labels are found."
        raise InputError(msg)
    return _read([(None, path)], options, origin=path.name)


def read_idx_folder(folder: Path, options: ImageOptions) -> AnnData:
    """Read a folder with idx files of training and test images; see :func:`diffaug_bio.io.read`."""
    splits: dict[str, list[Path]] = {"train": [], "test": [], "neither": []}
    for path in _image_files(folder):
        name = path.name.lower()
        split = "train" if "train" in name else "test" if "t10k" in name or "test" in name else "neither"
        splits[split].append(path)
    if splits["neither"] or any(len(files) > 1 for files in splits.values()):
        names = ", ".join(path.name for files in splits.values() for path in files)
        msg = (
            f"{folder} holds more than one file of training images and one of test images: {names}. Name "
            "one of the files, or keep one set in the folder (names with 'train', and 't10k' or 'test')."
        )
        raise InputError(msg)
    parts = [(split, path) for split, files in splits.items() for path in files]
    return _read(parts, options, origin=folder.name)


def _image_files(folder: Path) -> list[Path]:
    """List idx files of images; the plain one if a file is there plain and gzipped."""
    found: dict[str, Path] = {}
    for path in visible_entries(folder):  # plain comes before .gz
        if (match := _NAME.fullmatch(path.name)) and match[2].lower() == "images" and path.is_file():
            found.setdefault(match[1], path)
    return list(found.values())


def _read(parts: Sequence[tuple[str | None, Path]], options: ImageOptions, *, origin: str) -> AnnData:
    """Read one file of images for each split, and stack their rows."""
    images = [_read_array(path, n_dims=3) for _, path in parts]
    warn_of_size(sum(part.nbytes for part in images), options, origin=origin)
    _, height, width = images[0].shape
    for (_, path), part in zip(parts, images, strict=True):
        if part.shape[1:] != (height, width):
            msg = (
                f"{path} has images of {part.shape[1]} x {part.shape[2]} pixels, {parts[0][1]} of "
                f"{height} x {width}. Read the files one by one."
            )
            raise InputError(msg)
    labels = [
        label for (_, path), part in zip(parts, images, strict=True) for label in _labels(path, len(part))
    ]
    splits = [split for (split, _), part in zip(parts, images, strict=True) for _ in part]
    obs = pd.DataFrame({LABEL_KEY: labels, SPLIT_KEY: splits}, index=number_rows(splits))
    return assemble_pixels(
        [part[..., None] for part in images], obs, image_shape=ImageShape(height, width, 1), origin=origin
    )


def _labels(images: Path, n_obs: int) -> list[str] | list[None]:
    """Read the labels beside a file of images, or None for each without such a file."""
    match = _NAME.fullmatch(images.name)
    prefix = "" if match is None else match[1]
    beside = [
        path
        for path in visible_entries(images.parent)
        if (found := _NAME.fullmatch(path.name)) and found[1] == prefix and found[2].lower() == "labels"
    ]
    if match is None or not beside:
        logger.warning("%s: there are no labels beside it (%slabels-idx1-ubyte).", images.name, prefix)
        return [None] * n_obs
    labels = _read_array(beside[0], n_dims=1)
    if len(labels) != n_obs:
        msg = (
            f"{beside[0]} has {len(labels)} labels for the {n_obs} images of {images.name}. Download both "
            "again."
        )
        raise InputError(msg)
    return [str(label) for label in labels]


def _read_array(path: Path, *, n_dims: int) -> NDArray[np.uint8]:
    """Read an idx file of bytes after a check of its header."""
    with reading(path), open_bytes(path) as stream:
        content = stream.read()
    start = 4 + 4 * n_dims
    if len(content) < start or content[:2] != b"\0\0":
        msg = f"{path} is not an idx file, or is cut off in its header. Download it again."
        raise InputError(msg)
    if content[2] != _BYTES or content[3] != n_dims:
        msg = (
            f"{path} is an idx file of {content[3]} dimensions and type {content[2]:#04x}; expected "
            f"{n_dims} dimensions of bytes, type {_BYTES:#04x}. Name a file of grey images."
        )
        raise InputError(msg)
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", n_dims, offset=4))
    if len(content) - start != math.prod(shape) or 0 in shape:
        msg = (
            f"{path} has {len(content) - start} bytes after its header, which promises "
            f"{' x '.join(map(str, shape))}: it is empty, cut off or damaged. Download it again."
        )
        raise InputError(msg)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
