"""Reading folders of image files."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
from PIL import Image

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.pp import KmerEncoding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

GREY = np.random.default_rng(0).integers(0, 256, (4, 6), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
LOSSLESS = (".png", ".bmp", ".tif", ".TIFF", ".PNG", ".ppm")


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


def test_folders_for_classes_give_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_set(tmp_path / "set", "dog/b.png", "dog/a.PNG", "cat/1.bmp", "cat/.hidden.png")
    (folder / "cat" / "notes.txt").write_text("no image")
    (folder / "README.md").write_text("no image")
    (folder / "empty").mkdir()
    with caplog.at_level(logging.INFO):
        adata = io.read(folder)
    assert list(adata.obs["file"]) == ["cat/1.bmp", "dog/a.PNG", "dog/b.png"]
    assert list(adata.obs["label"]) == ["cat", "dog", "dog"]
    assert list(adata.obs.columns) == ["label", "file"]
    assert list(adata.obs_names) == list(adata.obs["file"])
    np.testing.assert_array_equal(images_of(adata), [COLOR + 2, COLOR + 1, COLOR])
    assert "set: folders without images are left out: 'empty'" in caplog.text
    assert "set: 3 images of 4 x 6 pixels, in color, 2 classes" in caplog.text
    adata.write_h5ad(tmp_path / "set.h5ad")


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_folders_for_splits_and_classes_give_both(tmp_path: Path, name: str) -> None:
    write_set(tmp_path, "test/a/1.png", f"{name}/b/1.png", "train/b/1.png", "train/a/1.png")
    adata = io.read(tmp_path, obs_columns=["label", "split"])
    assert list(adata.obs["split"]) == ["train", "train", "validation", "test"]
    assert list(adata.obs["label"]) == ["a", "b", "b", "a"]
    np.testing.assert_array_equal(images_of(adata), [COLOR + 3, COLOR + 2, COLOR + 1, COLOR])


def test_images_of_a_split_may_have_no_classes(tmp_path: Path) -> None:
    adata = io.read(write_set(tmp_path, "train/a/1.png", "train/b/1.png", "test/1.png"))
    assert list(adata.obs["split"]) == ["train", "train", "test"]
    assert list(adata.obs["label"].isna()) == [False, False, True]


def test_images_without_folders_have_no_labels(tmp_path: Path) -> None:
    adata = io.read(write_set(tmp_path, *(f"image{ending}" for ending in LOSSLESS)), modality="image")
    assert list(adata.obs.columns) == ["file"]
    np.testing.assert_array_equal(
        images_of(adata)[[sorted(LOSSLESS).index(ending) for ending in LOSSLESS]],
        [COLOR + np.uint8(number) for number in range(len(LOSSLESS))],
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


def test_two_sizes_are_an_error_that_names_the_remedy(tmp_path: Path) -> None:
    write_set(tmp_path, "a/1.png", "a/2.png", "b/1.png")
    write_image(tmp_path / "a" / "0.png", COLOR[:2])
    write_image(tmp_path / "b" / "9.png", COLOR[:3])
    with pytest.raises(
        InputError,
        match=r"differ in size: .*a/1\.png has 4 x 6 pixels, .*a/0\.png has 2 x 6, and 2 of 5 have another "
        r"size than the first of these\. Give `image_size`",
    ):
        io.read(tmp_path)


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


@pytest.mark.parametrize("image_size", [0, -3])
def test_size_has_to_be_positive(tmp_path: Path, image_size: int) -> None:
    write_image(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"`image_size` has to be at least 1, got"):
        io.read(tmp_path, image_size=image_size)
    with pytest.raises(InputError, match=r"`max_bytes` cannot be negative"):
        io.read(tmp_path, max_bytes=-1)


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


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/1.png", "1.png"], r"mixes layouts: of .*1\.png and .* one lies in a folder for a class, the"),
        (
            ["train/a/1.png", "train/1.png"],
            r"mixes layouts: .* one lies in a folder for a class, the other",
        ),
        (
            ["train/a/1.png", "car/1.png"],
            r"mixes layouts: of .*train/a/1\.png and .*car/1\.png .* for a split",
        ),
        (
            ["a/1.png", "a/more/1.png"],
            r"has images a folder deeper than one for each class, .* a/more\. Name",
        ),
        (
            ["a/1.png", "b/more/1.png"],
            r"has images a folder deeper than one for each class, .*b/more\. Name",
        ),
    ],
    ids=["beside a class", "beside a class of a split", "beside a split", "deeper", "deeper in another"],
)
def test_mixed_layouts_are_errors(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace(" a/more", ".*a/more")):
        io.read(write_set(tmp_path, *names))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"has no images in a layout that is known: cifar-10-batches-py, .* This one is empty\.$"),
        (["notes.md"], r"has no images in a layout that is known: .* This one holds 'notes\.md'\.$"),
        (["data.npz"], r"In this one there is data\.npz: name that file\.$"),
        (["deep/cat/1.png"], r"In this one there are some a folder deeper: name .*deep\.$"),
        (["deep/data_batch_1"], r"In this one there are some a folder deeper: name .*deep\.$"),
    ],
    ids=["empty", "other files", "npz", "deeper", "cifar deeper"],
)
def test_folder_without_images_says_what_it_holds(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=message):
        io.read(tmp_path, modality="image")


def test_unknown_folder_mentions_images_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a folder\. .* or a folder of images .*CLASS/.* is empty\.$"):
        io.read(tmp_path)
    write_image(tmp_path / "deep" / "set" / "a.png")
    with pytest.raises(InputError, match=r"In this one there are images a folder deeper: name .*deep\.$"):
        io.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("set.zip", "unzip set.zip"),
        ("set.tar", "tar -xf set.tar"),
        ("set.tar.gz", "tar -xzf set.tar.gz"),
        ("set.tgz", "tar -xzf set.tgz"),
    ],
)
def test_archives_are_to_be_unpacked(tmp_path: Path, name: str, command: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=rf"is an archive\. Unpack it first \(`{command}`\), and name the"):
        io.read(tmp_path / name)


def test_a_single_image_is_not_a_set(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.JPG")
    with pytest.raises(
        InputError, match=r"a\.JPG is a single image\. Name the folder of images that it lies"
    ):
        io.read(path)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"table\.csv is no file of images that is known: \.npz or idx"):
        io.read(tmp_path / "table.csv", modality="image")


def test_folders_of_sequences_stay_such(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "splits" / split / "a").mkdir(parents=True)
        (tmp_path / "splits" / split / "a" / "0.txt").write_text("ACGTA")
    write_image(tmp_path / "splits" / "plot.png")
    assert "sequence" in io.read(tmp_path / "splits").obs
    write_image(tmp_path / "files" / "plot.png")
    for name in ("a.fa", "b.fa"):
        (tmp_path / "files" / name).write_text(f">{name}\nACGTA\n")
    assert "sequence" in io.read(tmp_path / "files").obs
    assert list(io.read(tmp_path / "files", modality="image").obs["file"]) == ["plot.png"]


def test_arguments_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path / "set", "a/1.png")
    with pytest.raises(InputError, match=r"holds images, which cannot be transposed"):
        io.read(tmp_path / "set", transpose=True)
    with pytest.raises(InputError, match=r"is not read as sequences\. Leave `kmers` out"):
        io.read(tmp_path / "set", kmers=KmerEncoding())
    with pytest.raises(InputError, match=r"has no column 'kind'; it has 'label', 'file'"):
        io.read(tmp_path / "set", obs_columns=["kind"])
    (tmp_path / "table.csv").write_text("id,a,b\nx,1,2\n")
    anndata.AnnData(X=np.ones((2, 2), np.float32)).write_h5ad(tmp_path / "cells.h5ad")
    for name in ("table.csv", "cells.h5ad"):
        with pytest.raises(InputError, match=r"is not read as images\. Leave `image_size` and `skip_bad`"):
            io.read(tmp_path / name, image_size=8)
        with pytest.raises(InputError, match=r"is not read as images\. Leave `image_size` and `skip_bad`"):
            io.read(tmp_path / name, skip_bad=True)
    with pytest.raises(InputError, match=r"is a folder\. Name a file, or leave `modality` out"):
        io.read(tmp_path / "set", modality="table")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_image_without_permission_is_an_error(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png").chmod(0)
    with pytest.raises(InputError, match=r"a\.png cannot be read: permission denied"):
        io.read(tmp_path)
