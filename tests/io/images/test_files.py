"""Reading image files of all modes, turned, resized, cut and damaged."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

GREY = np.random.default_rng(0).integers(0, 256, (4, 6), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def write_image(path: Path, pixels: NDArray[np.uint8] = COLOR) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_set(folder: Path, *names: str) -> Path:
    """Write images that differ, under the names given."""
    for number, name in enumerate(names):
        write_image(folder / name, COLOR + np.uint8(number))
    return folder


def images_of(adata: AnnData) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = adata.X.reshape(-1, *adata.uns["image_shape"])
    return pixels


def png_that_claims(width: int, height: int) -> bytes:
    """Write a PNG of a few bytes that says it has so many pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize(
    ("image", "name", "expected"),
    [
        (Image.fromarray(GREY), "a.png", GREY),
        (Image.fromarray(GREY), "a.gif", GREY),
        (Image.fromarray(GREY), "a.pgm", GREY),
        (Image.fromarray(GREY).convert("LA"), "a.png", GREY),
        (Image.fromarray(GREY > 99), "a.png", (GREY > 99) * np.uint8(255)),
        (Image.fromarray(GREY.astype(np.uint16) * 257), "a.png", GREY),
        (Image.fromarray(GREY.astype(np.uint16) * 257), "a.tif", GREY),
        (Image.fromarray(GREY.astype(np.int32) * 257), "a.tif", GREY),
        (Image.fromarray((GREY / 255).astype(np.float32)), "a.tif", GREY),
        (Image.fromarray(COLOR).convert("RGBA"), "a.png", COLOR),
        (Image.fromarray(COLOR).convert("CMYK"), "a.tif", COLOR),
        (Image.fromarray(COLOR).quantize(), "a.png", COLOR),
        (Image.fromarray(COLOR).quantize(), "a.gif", COLOR),
        (Image.fromarray(COLOR).quantize(), "a.tif", COLOR),
    ],
    ids=[
        *(
            "grey",
            "grey gif",
            "grey pgm",
            "grey with alpha",
            "1 bit",
            "16 bits",
            "16 bits in tif",
            "32 bits",
        ),
        *("fractions", "color with alpha", "cmyk", "palette", "palette of gif", "palette of tif"),
    ],
)
def test_images_of_every_mode_are_grey_or_in_color(
    tmp_path: Path, image: Image.Image, name: str, expected: NDArray[np.uint8]
) -> None:
    image.save(tmp_path / name)
    found = images_of(io.read(tmp_path))[0]
    assert found.shape[2] == (1 if expected.ndim == 2 else 3)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_one_image_in_color_makes_all_of_them_so(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", GREY)
    write_image(tmp_path / "b.png", COLOR)
    np.testing.assert_array_equal(images_of(io.read(tmp_path)), [np.stack([GREY] * 3, -1), COLOR])


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    layer = np.zeros((1, 3, 4), np.uint8)
    layer[0, :, 3] = [0, 255, 51]
    write_image(tmp_path / "a.png", layer)
    grey = Image.fromarray(layer[..., 0])
    grey.save(tmp_path / "b.png", transparency=0)
    adata = io.read(tmp_path)
    np.testing.assert_array_equal(images_of(adata)[0, 0, :, 0], [255, 0, 204])
    np.testing.assert_array_equal(images_of(adata)[1], 255)


TURNED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.T,
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", TURNED)
def test_what_a_camera_noted_turns_the_image(tmp_path: Path, ending: str, orientation: int) -> None:
    image = Image.fromarray(np.kron(GREY, np.ones((8, 8), np.uint8)))
    notes = image.getexif()
    notes[0x0112] = orientation
    image.save(tmp_path / f"a.{ending}", exif=notes, quality=100)
    with Image.open(tmp_path / f"a.{ending}") as plain:
        assert plain.getexif()[0x0112] == orientation
    found = images_of(io.read(tmp_path))[0, ..., 0]
    expected = TURNED[orientation](np.asarray(image))
    # JPEG is exact but for rounding at this quality, and blocks of 8 x 8 have one value.
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)


def test_images_are_resized_to_a_square_of_their_middle(tmp_path: Path) -> None:
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = [255, 0, 0]  # the middle, which is kept
    write_image(tmp_path / "a.png", wide)
    write_image(tmp_path / "b.png", wide.transpose(1, 0, 2))
    write_image(tmp_path / "c.png", np.full((8, 8, 3), 7, np.uint8))
    found = images_of(io.read(tmp_path, image_size=8))
    assert found.shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(found[0, :, 2:6], np.broadcast_to([255, 0, 0], (8, 4, 3)))
    np.testing.assert_array_equal(found[1], found[0].transpose(1, 0, 2))
    np.testing.assert_array_equal(found[2], 7)


def test_resizing_takes_all_pixels_into_account(tmp_path: Path) -> None:
    checks = np.indices((64, 64)).sum(0) % 2 * np.uint8(255)
    write_image(tmp_path / "a.png", checks.astype(np.uint8))
    found = images_of(io.read(tmp_path, image_size=8))
    assert abs(found.astype(float) - 127.5).max() < 8  # without smoothing all would be 0 or 255


BAD = {
    "empty": b"",
    "text": b"no image",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "many pixels": png_that_claims(20000, 5000),
    "far too many pixels": png_that_claims(2**30, 2**30),
    "no pixels inside": png_that_claims(6, 4),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("max_bytes", [0, 2**31])
def test_bad_images_are_named_or_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, max_bytes: int
) -> None:
    write_set(tmp_path, "a/1.png", "a/3.png", "b/1.png")
    (tmp_path / "a" / "2.png").write_bytes(content)
    (tmp_path / "b" / "2.png").write_bytes(content)
    if max_bytes:
        with pytest.raises(
            InputError, match=r"2 of the 5 images .* cannot be read\. The first: .*a/2\.png (is|claims)"
        ):
            io.read(tmp_path)
    adata = io.read(tmp_path, skip_bad=True, max_bytes=max_bytes)
    assert list(adata.obs_names) == ["a/1.png", "a/3.png", "b/1.png"]
    assert list(adata.obs["label"]) == ["a", "a", "b"]
    rows = adata.X if max_bytes else io.open_images(adata)[:]
    np.testing.assert_array_equal(rows.reshape(3, 4, 6, 3), [COLOR, COLOR + 1, COLOR + 2])
    assert "2 images that cannot be read are left out: " in caplog.text
    assert "a/2.png'" in caplog.text


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"])
def test_cut_images_are_errors_wherever_they_are_cut(tmp_path: Path, ending: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = write_image(tmp_path / f"a.{ending}", pixels)
    whole = path.read_bytes()
    for share in (0.02, 0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=rf"1 of the 1 images of .* The first: .*a\.{ending} is "):
            io.read(tmp_path)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"])
def test_damaged_images_are_read_or_errors(tmp_path: Path, ending: str) -> None:
    path = write_image(tmp_path / f"a.{ending}")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[int(rng.integers(min(400, len(whole))))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            adata = io.read(tmp_path, image_size=5)
        except InputError as error:
            assert f"a.{ending}" in str(error)  # noqa: PT017 - a readable file is fine too
        else:
            assert adata.n_obs == 1


def test_nothing_but_bad_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"None of the 1 images of .* can be read\. The first: .*a\.png is no"
    ):
        io.read(tmp_path, skip_bad=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (GREY.astype(np.int32) * 2**20, r"a\.tif holds numbers beyond 16 bits\. Save it with 8 or 16"),
        (GREY.astype(np.float32), r"a\.tif holds fractions that are not all from 0 to 1\. Save it"),
    ],
    ids=["32 bits", "large fractions"],
)
def test_deep_images_without_a_known_range_are_errors(
    tmp_path: Path, values: NDArray[np.generic], message: str
) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=message):
        io.read(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_image_without_permission_is_an_error(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png").chmod(0)
    with pytest.raises(InputError, match=r"a\.png.*permission"):
        io.read(tmp_path)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_broken_notes_of_a_camera_do_not_matter(tmp_path: Path, ending: str) -> None:
    pixels = np.full((4, 6, 3), 80, np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}", exif=b"Exif\0\0no notes at all")
    np.testing.assert_array_equal(images_of(io.read(tmp_path))[0], pixels)
