"""Decoding single image files with Pillow: size and mode from the header, and pixels."""

from __future__ import annotations

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from diffaug_bio.errors import InputError
from diffaug_bio.io._installed import check_installed
from diffaug_bio.io.images._pixels import are_16_bits, are_fractions, from_16_bits, from_fractions
from diffaug_bio.io.images._stacks import is_stack, read_stack, stack_shape
from diffaug_bio.machine.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from diffaug_bio.config.kinds import ImagePages
    from diffaug_bio.io.images._rows import ImageShape

IMAGE_ENDINGS = (*(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"),)
# Without names, Pillow tries all formats, and gives some (EPS) to other programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_ORIENTATION = 0x0112
_ON_ITS_SIDE = {5, 6, 7, 8}
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_DAMAGE = (
    *(OSError, ValueError, TypeError, SyntaxError, EOFError, LookupError, AttributeError),
    *(struct.error, zlib.error, RuntimeError, ArithmeticError, MemoryError, AssertionError),
)  # errors of Pillow and tifffile on damaged files
_MAX_THREADS = 8
_FILES_AT_A_TIME = 1024


class BadImageError(InputError):
    """Error of an image file that cannot be read; the message names it."""


class Header(NamedTuple):
    """Header of an image file."""

    height: int
    width: int
    is_grey: bool
    is_deep: bool
    """True with more than 8 bits a pixel and channel."""
    n_pages: int = 1
    """Pages or slices of a TIFF."""
    n_frames: int = 1
    """Pictures of an animation."""
    n_smaller: int = 0
    """Smaller images of a TIFF that are left out, and not marked as previews."""


def is_image_file(path: Path) -> bool:
    """Return True for a file with the ending of an image."""
    return path.name.lower().endswith(IMAGE_ENDINGS) and path.is_file()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings of odd files; those of decompression bombs become errors."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_header(path: Path) -> Header:
    """Read the size, after rotation to upright, and the mode of an image file."""
    if _is_stack(path):
        with _naming(path):
            found = stack_shape(path)
        is_grey = found.n_channels == 1
        return Header(
            *(found.height, found.width, is_grey, found.is_deep),
            n_pages=found.n_pages,
            n_smaller=found.n_smaller,
        )
    with _opened(path) as image:
        width, height = image.size
        if _orientation(image) in _ON_ITS_SIDE:
            if image.format == "TIFF":  # some versions of Pillow have rotated the size here, some have not
                width, height = ImageOps.exif_transpose(image).size
            else:
                width, height = height, width
        is_deep = image.mode in {"I", "F"} or image.mode.startswith("I;16")
        is_grey = is_deep or image.mode in {"1", "L", "LA", "La"} or _has_grey_palette(image)
        return Header(height, width, is_grey, is_deep, n_frames=getattr(image, "n_frames", 1))


def decode(
    path: Path, *, channels: int, image_size: int | None, pages: ImagePages = "max"
) -> NDArray[np.uint8]:
    """Read pixels, `(height, width, channels)`: upright, on white, and of `image_size` if given."""
    if _is_stack(path):
        with _naming(path):
            return _finished(Image.fromarray(_stack_as_bytes(path, pages)), channels, image_size)
    with _opened(path) as image:
        image.load()
        return _finished(_with_8_bits(_upright(image), path), channels, image_size)


def _finished(image: Image.Image, channels: int, image_size: int | None) -> NDArray[np.uint8]:
    """Bring an image of bytes to its channels and size. Shape: `(height, width, channels)`."""
    plain = _with_channels(image, channels)
    if image_size is not None and plain.size != (image_size, image_size):
        plain = _center(plain, image_size)
    pixels = np.asarray(plain)
    return pixels.reshape(*pixels.shape[:2], channels)


def decode_rows(
    paths: Sequence[Path],
    rows: NDArray[np.uint8],
    *,
    shape: ImageShape,
    image_size: int | None,
    pages: ImagePages = "max",
) -> dict[int, BadImageError]:
    """Decode files into the rows of a matrix, several at a time; return an error for each bad row."""

    def fill(number: int) -> BadImageError | None:
        path = paths[number]
        try:
            pixels = decode(path, channels=shape.channels, image_size=image_size, pages=pages)
        except BadImageError as error:
            return error
        if pixels.shape != shape:
            height, width, _ = pixels.shape
            return BadImageError(
                f"{path} has {height} x {width} pixels, where {shape.height} x {shape.width} were "
                "expected. If the file was changed, read the folder again."
            )
        rows[number] = pixels.reshape(-1)
        return None

    bad: dict[int, BadImageError] = {}
    with ThreadPoolExecutor(min(_MAX_THREADS, available_cores())) as pool:
        for start in range(0, len(paths), _FILES_AT_A_TIME):
            numbers = range(start, min(start + _FILES_AT_A_TIME, len(paths)))
            errors = zip(numbers, pool.map(fill, numbers), strict=True)
            bad |= {number: error for number, error in errors if error is not None}
    return bad


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file, and turn all errors of Pillow in the block into a `BadImageError`."""
    # Not by name: some versions of Pillow then map TIFF into memory, and rotate it once too often.
    with _naming(path), path.open("rb") as stream, Image.open(stream, formats=_FORMATS) as image:
        yield image


def _is_stack(path: Path) -> bool:
    """Tell whether a file is a stack, for which tifffile has to be installed."""
    with _naming(path):
        if not is_stack(path):
            return False
    check_installed(path, "tifffile", "images")
    return True


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn all errors of Pillow and tifffile in the block into a `BadImageError` that names the file."""
    try:
        yield
    except BadImageError:
        raise
    except InputError as error:
        raise BadImageError(str(error)) from error
    except (*_BOMBS, *_DAMAGE) as error:
        msg = f"{path} {_problem(error)}"
        raise BadImageError(msg) from error


def _problem(error: BaseException) -> str:
    """Word an error of Pillow."""
    if isinstance(error, FileNotFoundError):
        return "is no longer there. Put it back, or read the folder again."
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied."
    if isinstance(error, _BOMBS):
        return "claims to have more pixels than are safe to decode. Make it smaller."
    if isinstance(error, UnidentifiedImageError):
        return "is not an image of a known format, or its start is damaged."
    return f"is damaged or cut off: {str(error).rstrip('.') or type(error).__name__}."


def _orientation(image: Image.Image) -> int:
    """Return the orientation that the camera saved, from the header alone."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # to look further, Pillow would decode the pixels
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:  # damaged metadata are no reason to refuse good pixels
        return 1


def _upright(image: Image.Image) -> Image.Image:
    """Rotate an image to upright, if its metadata can be read."""
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGE:
        return image


def _has_grey_palette(image: Image.Image) -> bool:
    """Return True for an image whose palette is all grey, as of every grey GIF."""
    if image.mode != "P" or image.palette is None or image.palette.mode != "RGB":
        return False
    if image.palette.rawmode not in {None, "RGB"}:  # TIFF stores one channel after the other
        return False
    colors = np.array(list(image.palette.colors))
    return colors.size > 0 and bool((colors[:, :1] == colors[:, :3]).all())


def _with_8_bits(image: Image.Image, path: Path) -> Image.Image:
    """Scale pixels of 16 bits, or from 0 to 1, to bytes."""
    if image.mode in {"F", "I"} or image.mode.startswith("I;16"):
        return Image.fromarray(_as_bytes(np.asarray(image), path))
    return image


def _stack_as_bytes(path: Path, pages: ImagePages) -> NDArray[np.uint8]:
    """Read a stack as bytes, `(height, width)` or `(height, width, 3)`."""
    values = read_stack(path, pages)
    values = values[:, :, 0] if values.shape[2] == 1 else values
    return np.ascontiguousarray(_as_bytes(values, path))


def _as_bytes(values: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Scale pixels of 16 bits, or from 0 to 1, to bytes."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "f":
        if not are_fractions(values):
            msg = f"{path} holds fractions that are not all from 0 to 1. Save it with 8 or 16 bits a pixel."
            raise BadImageError(msg)
        return from_fractions(values)
    if values.dtype.kind not in "iu" or not are_16_bits(values):
        msg = f"{path} holds numbers beyond 16 bits. Save it with 8 or 16 bits a pixel."
        raise BadImageError(msg)
    return from_16_bits(values)


def _with_channels(image: Image.Image, channels: int) -> Image.Image:
    """Convert an image to grey or RGB, with transparent parts on white."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("L" if channels == 1 else "RGB")


def _center(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side, and keep the square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)
