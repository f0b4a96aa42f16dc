"""Reading images and labels from .npz files with the usual names of arrays."""

from __future__ import annotations

import logging
import struct
import tokenize
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import cut, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import check_unpacked_size, reading
from diffaug_bio.io._names import number_rows
from diffaug_bio.io.images._pixels import are_16_bits, are_fractions, from_16_bits, from_fractions
from diffaug_bio.io.images._rows import ImageOptions, ImageShape, assemble_pixels, warn_of_size

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from anndata import AnnData
    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


_START_OF_ZIP = b"PK"
_START_OF_ARRAY = b"\x93NUMPY"
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, TypeError, LookupError),
    *(RuntimeError, OverflowError, MemoryError, SystemError, SyntaxError, tokenize.TokenError),
)  # errors of reading damaged files: numpy reads the header of an array as Python


class _Names(NamedTuple):
    """Names of the arrays of one split."""

    split: str | None
    images: str
    labels: str


_LAYOUTS = (
    (_Names(None, "images", "labels"),),
    (
        _Names("train", "train_images", "train_labels"),
        _Names("validation", "val_images", "val_labels"),
        _Names("test", "test_images", "test_labels"),
    ),
    (_Names("train", "x_train", "y_train"), _Names("test", "x_test", "y_test")),
)


def read_npz(path: Path, options: ImageOptions) -> AnnData:
    """Read images and labels from an .npz file; see :func:`diffaug_bio.io.read`."""
    with reading(path), path.open("rb") as stream:
        if (start := stream.read(6)) == _START_OF_ARRAY:
            msg = f"{path} holds a single array. Save it with `numpy.savez` as 'images'."
            raise InputError(msg)
        if not start.startswith(_START_OF_ZIP):
            msg = f"{path} is not an .npz file, or its start is damaged. Copy or download it again."
            raise InputError(msg)
        stream.seek(0)
        try:
            with np.load(stream, allow_pickle=False) as arrays:
                members = [] if arrays.zip is None else arrays.zip.infolist()
                check_unpacked_size(path, sum(member.file_size for member in members))
                return _read(path, arrays, options)
        except InputError:
            raise
        except _BROKEN as error:
            reason = str(error).rstrip(".") or type(error).__name__
            msg = f"{path} is cut off or damaged: {cut(reason)}. Copy or download it again."
            raise InputError(msg) from error


def _read(path: Path, arrays: NpzFile, options: ImageOptions) -> AnnData:
    """Read the arrays of all splits, and stack their rows."""
    present = _find_names(path, arrays.files)
    parts: list[NDArray[np.uint8]] = []
    labels: list[str | None] = []
    splits: list[str | None] = []
    for names in present:
        where = f"{path} array {names.images!r}"
        values = _array(arrays, names.images, where)
        warn_of_size(values.size, options, origin=where)
        images = _as_bytes(_channels_last(values, where), where)
        if parts and images.shape[1:] != parts[0].shape[1:]:
            msg = f"{where} has images of another shape than {present[0].images!r}. Save them apart."
            raise InputError(msg)
        parts.append(images)
        splits += [names.split] * len(images)
        labels += _labels(arrays, names, f"{path} array {names.labels!r}", len(images))
    obs = pd.DataFrame({LABEL_KEY: labels, SPLIT_KEY: splits}, index=number_rows(splits))
    shape = ImageShape(*parts[0].shape[1:])
    return assemble_pixels(parts, obs, image_shape=shape, origin=path.name)


def _find_names(path: Path, keys: Collection[str]) -> list[_Names]:
    """Find the arrays of images with a usual name."""
    for layout in _LAYOUTS:
        if present := [names for names in layout if names.images in keys]:
            return present
    known = "; ".join(", ".join(name for names in layout for name in names[1:]) for layout in _LAYOUTS)
    msg = (
        f"{path} has no images under a name that is known; it holds {shorten(keys) or 'nothing'}. Known "
        f"are {known} (not all have to be there)."
    )
    raise InputError(msg)


def _array(arrays: NpzFile, name: str, where: str) -> NDArray[Any]:
    try:
        values: object = arrays[name]
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        msg = f"{where} holds Python objects, which are not read. Save it as numbers or text."
        raise InputError(msg) from error
    if not isinstance(values, np.ndarray):
        msg = f"{where} is not an array. Save the file with `numpy.savez`."
        raise InputError(msg)
    return values


def _channels_last(values: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    """Return images in the shape `(n_obs, height, width, channels)`."""
    if values.size and values.ndim == 3:
        return values[..., None]
    if values.size and values.ndim == 4:
        if values.shape[3] in {1, 3}:
            return values
        if values.shape[1] in {1, 3}:
            return values.transpose(0, 2, 3, 1)
    remedies = {2: " Give each row its height and width.", 5: " Volumes are not read: take slices of them."}
    remedy = " Drop the fourth channel." if 4 in values.shape[1::2] else remedies.get(values.ndim, "")
    msg = (
        f"{where} has the shape {values.shape}; expected (n, height, width), or with 1 or 3 channels at "
        f"the end or after n.{remedy}"
    )
    raise InputError(msg)


def _as_bytes(values: NDArray[np.generic], where: str) -> NDArray[np.uint8]:
    """Scale fractions and values of 16 bits to bytes, and refuse others."""
    if values.dtype == np.uint8:
        return values.view(np.uint8)
    if np.issubdtype(values.dtype, np.floating) and are_fractions(values):
        logger.info("%s: values from 0 to 1 are scaled to bytes.", where)
        return from_fractions(values)
    if values.dtype in (np.uint16, np.int16) and are_16_bits(values) and values.max() > 255:
        logger.info("%s: values of 16 bits are scaled to bytes.", where)
        return from_16_bits(values)
    is_number = np.issubdtype(values.dtype, np.number) and not np.iscomplexobj(values)
    found = f" from {values.min()} to {values.max()}" if is_number else ""
    msg = (
        f"{where} has values of type {values.dtype}{found}; expected bytes (uint8), fractions from 0 to 1, "
        "or whole numbers of 16 bits, some above 255. If they are from 0 to 255, save them with "
        "`.astype(numpy.uint8)`."
    )
    raise InputError(msg)


def _labels(arrays: NpzFile, names: _Names, where: str, n_obs: int) -> list[str | None]:
    """Read labels as text; an empty text is missing."""
    if names.labels not in arrays.files:
        return [None] * n_obs
    labels = _array(arrays, names.labels, where)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2:
        msg = (
            f"{where} has {labels.shape[1]} labels for each image; expected one. Save the one that is "
            "meant (of one-hot rows, `labels.argmax(1)`)."
        )
        raise InputError(msg)
    if labels.shape != (n_obs,):
        msg = f"{where} has the shape {labels.shape} for {n_obs} images. Give one label for each."
        raise InputError(msg)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if labels.dtype.kind == "f" and np.all(labels == np.rint(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubU":
        msg = f"{where} has values of type {labels.dtype}; expected whole numbers or text. Save them so."
        raise InputError(msg)
    return [str(label) or None for label in labels.tolist()]
