"""TIFF files of several pages, z-slices or channels, as microscopes write them, read as one image each."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
from PIL import Image, UnidentifiedImageError

from diffaug_bio.config.kinds import ImagePages
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import MOST_DEFLATED, check_unpacked_size
from diffaug_bio.io.images._ome import own_description

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

IMAGE_PAGES: tuple[str, ...] = get_args(ImagePages)
_MOST_CHANNELS = 3
_MAGIC = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})
_DESCRIPTION = 270  # tag of TIFF
# Micro-Manager's own descriptions, by which tifffile would open files beside the one that is read.
_ALONE: dict[str, Any] = {"is_mmstack": False, "is_ndtiff": False}
_ARE_CHANNELS = frozenset("CS")  # axes by tifffile's letters: channels, and samples of a pixel


class StackShape(NamedTuple):
    """Size of what a TIFF file holds."""

    height: int
    width: int
    n_pages: int
    """Pages or slices of each channel, in all dimensions but those of the image."""
    n_channels: int
    is_deep: bool
    """True with more than 8 bits a pixel and channel."""
    n_smaller: int
    """Images of at most half the height and width that are left out, and not marked as previews."""


def is_stack(path: Path) -> bool:
    """Tell whether a file is a TIFF of several pages, of which Pillow reads the first, or beyond Pillow.

    ImageJ writes stacks of more than 4 GiB as one page with a description.
    """
    with path.open("rb") as stream:
        if stream.read(4) not in _MAGIC:
            return False
        stream.seek(0)
        try:
            with Image.open(stream, formats=("TIFF",)) as image:
                said = str(image.tag_v2.get(_DESCRIPTION, ""))  # type: ignore[attr-defined]
                return image.n_frames > 1 or (said.startswith("ImageJ=") and "\nimages=" in said)  # type: ignore[attr-defined]
        except UnidentifiedImageError:  # more channels than four, or other types of numbers
            return True


def stack_shape(path: Path) -> StackShape:
    """Read the size of a stack; more than three channels raise an `InputError`."""
    with _opened(path) as file:
        return _shape_of(file, path)


def read_stack(path: Path, pages: ImagePages) -> NDArray[Any]:
    """Read a stack as one image `(height, width, channels)`, of 1 or 3 channels; values as they are.

    Two channels become red and green.
    """
    with _opened(path) as file:
        _shape_of(file, path)
        series, _ = _chosen(file, path)
        values, axes = _values(series, path), str(series.axes)
    order = [
        *(place for place, axis in enumerate(axes) if axis not in _ARE_CHANNELS and axis not in "YX"),
        *(axes.index("Y"), axes.index("X")),
        *(place for place, axis in enumerate(axes) if axis in _ARE_CHANNELS),
    ]
    values = values.transpose(order)
    n_apart = sum(axis in _ARE_CHANNELS for axis in axes)
    height, width = values.shape[values.ndim - n_apart - 2 : values.ndim - n_apart]
    flat = values.reshape(-1, height, width, int(np.prod(values.shape[values.ndim - n_apart :])))
    image = _projected(flat, pages)
    if image.shape[2] == 1:
        return image
    colored = np.zeros((height, width, _MOST_CHANNELS), image.dtype)
    colored[:, :, : image.shape[2]] = image
    return colored


def _values(series: Any, path: Path) -> NDArray[Any]:
    """Read all pages of a series; with Pillow where tifffile lacks the way to unpack them."""
    try:
        return np.asarray(series.asarray(maxworkers=1))
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    with path.open("rb") as stream, Image.open(stream, formats=("TIFF",)) as image:
        pages = []
        for page in series.pages:
            image.seek(int(page.index))
            pages.append(np.asarray(image).astype(series.dtype, copy=False))
    return np.stack(pages).reshape(series.shape)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a TIFF; what tifffile only logs, such as pages that are cut off, raises a `ValueError`."""
    import tifffile

    raising = _Raising(threading.get_ident())
    log = logging.getLogger("tifffile")
    log.addHandler(raising)
    try:
        with path.open("rb") as stream:
            with tifffile.TiffFile(stream, **_ALONE) as file:
                own = own_description(str(file.ome_metadata), path) if file.is_ome else None
                if own is None:
                    yield file
                    return
            stream.seek(0)  # tifffile takes the place of a stream for the start of the file
            with tifffile.TiffFile(stream, omexml=own, **_ALONE) as file:
                yield file
    finally:
        log.removeHandler(raising)


class _Raising(logging.Handler):
    """Handler that raises the first error that a thread logs: a damaged file may have millions of them."""

    def __init__(self, thread: int) -> None:
        super().__init__(logging.ERROR)
        self._thread = thread

    def emit(self, record: logging.LogRecord) -> None:
        """Raise a `ValueError` with the message, if it is of this thread."""
        if record.thread == self._thread:
            raise ValueError(record.getMessage())


def _projected(values: NDArray[Any], pages: ImagePages) -> NDArray[Any]:
    """Bring pages `(n, height, width, channels)` to one; a mean of whole numbers is rounded."""
    if pages == "first":
        return np.asarray(values[0])
    if pages == "max":
        return np.asarray(values.max(0))
    mean = values.mean(0, dtype=np.float64)
    return np.asarray((np.rint(mean) if values.dtype.kind in "biu" else mean).astype(values.dtype))


def _shape_of(file: Any, path: Path) -> StackShape:
    """Describe the pages that are read, which have one size."""
    series, n_smaller = _chosen(file, path)
    axes, shape = str(series.axes), tuple(int(size) for size in series.shape)
    if "Y" not in axes or "X" not in axes:
        msg = f"{path} holds no images of height and width, but values with the axes {axes!r}."
        raise InputError(msg)
    check_unpacked_size(path, int(series.nbytes), most_compressed=MOST_DEFLATED)
    sizes = dict(zip(axes, shape, strict=True))
    n_channels = int(np.prod([sizes[axis] for axis in axes if axis in _ARE_CHANNELS], dtype=np.int64))
    if n_channels > _MOST_CHANNELS:
        msg = (
            f"{path} has {n_channels} channels, and images are read with 1 or 3. Save the channels that "
            "matter, up to three, as red, green and blue, or one alone."
        )
        raise InputError(msg)
    return StackShape(
        height=sizes["Y"],
        width=sizes["X"],
        n_pages=int(np.prod(shape, dtype=np.int64)) // (sizes["Y"] * sizes["X"] * n_channels),
        n_channels=n_channels,
        is_deep=series.dtype.itemsize > 1,
        n_smaller=n_smaller,
    )


def _chosen(file: Any, path: Path) -> tuple[Any, int]:
    """Choose the largest image of a file; return it with the number of those left out.

    Marked previews and masks are not counted. Others of more than half the size raise an `InputError`: they
    could be positions, or images of equal right.
    """
    series = [one for one in file.series if not (one.keyframe.is_reduced or one.keyframe.is_mask)]
    series = series or list(file.series)
    sizes = [_height_and_width(one) for one in series]
    largest = max(range(len(series)), key=lambda place: sizes[place][0] * sizes[place][1])
    height, width = sizes[largest]
    if others := [
        size
        for place, size in enumerate(sizes)
        if place != largest and (2 * size[0] > height + 1 or 2 * size[1] > width + 1)
    ]:
        listed = ", ".join(f"{size[0]} x {size[1]}" for size in [(height, width), *others][:5])
        msg = (
            f"{path} holds {len(others) + 1} images (positions, or pages of different kinds) of {listed} "
            "pixels, and a file is read as one image. Save each as a file of its own (in Fiji: open it, "
            "File > Save As > Tiff)."
        )
        raise InputError(msg)
    return series[largest], len(series) - 1


def _height_and_width(series: Any) -> tuple[int, int]:
    """Return the height and width of a series of pages, 0 without them."""
    sizes = dict(zip(str(series.axes), series.shape, strict=True))
    return int(sizes.get("Y", 0)), int(sizes.get("X", 0))
