"""TIFF files of several pages, z-slices and channels, as the writers of microscopes' software make them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diffaug_bio import io
from diffaug_bio.errors import InputError
from diffaug_bio.io.images._stacks import read_stack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

tifffile = pytest.importorskip("tifffile")

STACK = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)


def read_one(folder: Path, **options: Any) -> NDArray[np.uint8]:
    """Read the only image of a folder."""
    adata = io.read(folder, modality="image", **options)
    assert adata.n_obs == 1
    return np.asarray(adata.X).reshape(adata.uns["image_shape"])


def by_tifffile(path: Path, values: NDArray[Any], **options: Any) -> None:
    tifffile.imwrite(path, values, **options)


def by_pillow(path: Path, values: NDArray[Any], **options: Any) -> None:
    first, *others = (Image.fromarray(page) for page in values)
    first.save(path, save_all=True, append_images=others, **options)


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (by_tifffile, {"photometric": "minisblack"}),
        (by_tifffile, {"imagej": True, "metadata": {"axes": "ZYX"}}),
        (by_tifffile, {"ome": True, "metadata": {"axes": "ZYX"}}),
        (by_tifffile, {"photometric": "minisblack", "compression": "zlib", "bigtiff": True}),
        (by_pillow, {}),
        (by_pillow, {"compression": "tiff_lzw"}),  # which tifffile alone cannot unpack
    ],
    ids=["pages", "ImageJ", "OME", "packed, big", "Pillow", "LZW"],
)
def test_all_pages_are_read_and_a_warning_says_how(
    tmp_path: Path, write: Any, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "cell.tif", STACK, **options)
    pixels = read_one(tmp_path)
    np.testing.assert_array_equal(pixels[:, :, 0], STACK.max(0))
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "1 images are stacks of 5 pages" in record.getMessage()
    assert "--image-pages" in record.getMessage()


@pytest.mark.parametrize(
    ("pages", "expected"),
    [("max", STACK.max(0)), ("first", STACK[0]), ("mean", np.rint(STACK.mean(0)))],
)
@pytest.mark.parametrize("max_bytes", [2**31, 0], ids=["memory", "disk"])
def test_what_is_taken_can_be_chosen_also_for_images_on_the_disk(
    tmp_path: Path, pages: Any, expected: Any, max_bytes: int, caplog: pytest.LogCaptureFixture
) -> None:
    by_tifffile(tmp_path / "cell.tif", STACK, photometric="minisblack")
    adata = io.read(tmp_path, modality="image", image_pages=pages, max_bytes=max_bytes)
    pixels = adata.X if max_bytes else io.open_images(adata)[:]
    np.testing.assert_array_equal(np.asarray(pixels).reshape(6, 7), expected)
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_channels_become_colours_each_over_its_slices(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, (4, 2, 6, 7), dtype=np.uint8)
    for name, options in {"ImageJ": {"imagej": True}, "OME": {"ome": True}}.items():
        (folder := tmp_path / name).mkdir()
        by_tifffile(folder / "cell.tif", values, metadata={"axes": "ZCYX"}, **options)
        pixels = read_one(folder)
        np.testing.assert_array_equal(pixels[:, :, 0], values.max(0)[0])
        np.testing.assert_array_equal(pixels[:, :, 1], values.max(0)[1])
        assert (pixels[:, :, 2] == 0).all()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5, 6, 7), {"imagej": True, "metadata": {"axes": "CYX"}}),
        ((6, 7, 5), {"photometric": "minisblack", "planarconfig": "contig"}),
        ((5, 6, 7), {"photometric": "minisblack", "planarconfig": "separate"}),
    ],
    ids=["pages", "samples", "planes"],
)
def test_more_than_three_channels_are_refused_with_their_number(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    by_tifffile(tmp_path / "cell.tif", np.zeros(shape, np.uint8), **options)
    with pytest.raises(InputError, match=r"cell\.tif has 5 channels.*1 or 3"):
        io.read(tmp_path, modality="image")


def test_slices_of_16_bits_are_scaled_and_it_is_said_how(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    by_tifffile(tmp_path / "cell.tif", STACK.astype(np.uint16) * 257, photometric="minisblack")
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(read_one(tmp_path)[:, :, 0], STACK.max(0))
    assert "65535" in caplog.text


def test_colour_pages_stay_in_colour_and_are_resized(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    by_tifffile(tmp_path / "cell.tif", values, photometric="rgb")
    np.testing.assert_array_equal(read_one(tmp_path), values.max(0))
    assert read_one(tmp_path, image_size=4).shape == (4, 4, 3)


def test_smaller_previews_in_a_file_are_no_pages(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with tifffile.TiffWriter(tmp_path / "slide.tif") as file:
        file.write(STACK[0], photometric="minisblack", subfiletype=0)
        file.write(STACK[0, ::2, ::2], photometric="minisblack", subfiletype=1)
    np.testing.assert_array_equal(read_one(tmp_path)[:, :, 0], STACK[0])
    assert "stacks" not in caplog.text


def test_a_larger_image_after_another_is_read_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tifffile.TiffWriter(tmp_path / "cell.tif") as file:
        file.write(STACK[0, ::2, ::2], photometric="minisblack")
        file.write(STACK[0], photometric="minisblack")
    np.testing.assert_array_equal(read_one(tmp_path)[:, :, 0], STACK[0])
    assert "1 files hold 1 smaller images beside the largest" in caplog.text


@pytest.mark.parametrize("size", [6, 5])
def test_several_images_in_a_file_are_refused_with_their_sizes(size: int, tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "cell.ome.tif", ome=True) as file:
        for values in (STACK[:2], STACK[2:4, :size]):
            file.write(values, photometric="minisblack", metadata={"axes": "ZYX"})
    with pytest.raises(InputError, match=rf"cell\.ome\.tif holds 2 images.*6 x 7, {size} x 7 pixels"):
        io.read(tmp_path, modality="image")


def write_positions(
    folder: Path, names: Sequence[str], *, is_named: bool = True, is_one_image: bool = False
) -> None:
    """Write an OME-TIFF of two channels and two slices for each name, whose descriptions list all."""
    numbers = range(len(names))
    pages = [
        "".join(
            f'<TiffData FirstZ="{page % 2 + 2 * number * is_one_image}" FirstC="{page // 2}" FirstT="0" '
            f'IFD="{page}" PlaneCount="1"><UUID FileName="{names[number]}">urn:uuid:{number}</UUID>'
            "</TiffData>"
            for page in range(4)
        )
        for number in numbers
    ]
    kind = 'DimensionOrder="XYZCT" Type="uint8" SizeX="7" SizeY="6" SizeC="2" SizeT="1"'
    images = "".join(
        f'<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" {kind} SizeZ="{2 + 2 * is_one_image}">'
        f'<Channel ID="Channel:{number}:0"/><Channel ID="Channel:{number}:1"/>{found}</Pixels></Image>'
        for number, found in enumerate(["".join(pages)] if is_one_image else pages)
    )
    for number in numbers:
        declared = f' UUID="urn:uuid:{number}"' if is_named else ""
        said = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{declared}>{images}</OME>'
        with tifffile.TiffWriter(folder / names[number]) as file:
            for page in range(4):
                file.write(
                    STACK[page] // 4 + 64 * number,
                    photometric="minisblack",
                    description=said if page == 0 else None,
                    metadata=None,
                    contiguous=False,
                )


@pytest.mark.parametrize("is_named", [True, False])
def test_files_whose_descriptions_name_all_of_a_data_set_are_read_each_for_itself(
    *, is_named: bool, tmp_path: Path
) -> None:
    write_positions(tmp_path, ["pos0.ome.tif", "pos1.ome.tif"], is_named=is_named)
    found = io.read(tmp_path, modality="image")
    assert list(found.obs["file"]) == ["pos0.ome.tif", "pos1.ome.tif"]
    images = np.asarray(found.X).reshape(2, *found.uns["image_shape"])
    for number in range(2):
        for channel in range(2):
            expected = STACK[2 * channel : 2 * channel + 2].max(0) // 4 + 64 * number
            np.testing.assert_array_equal(images[number, :, :, channel], expected)
    (tmp_path / "pos0.ome.tif").unlink()
    np.testing.assert_array_equal(read_one(tmp_path), images[1])


def test_an_image_in_several_files_is_refused(tmp_path: Path) -> None:
    write_positions(tmp_path, ["a.ome.tif", "b.ome.tif"], is_one_image=True)
    with pytest.raises(InputError, match=r"a\.ome\.tif is one of 2 files that hold one image together"):
        io.read(tmp_path, modality="image")
    (folder := tmp_path / "other").mkdir()
    write_positions(folder, ["a.ome.tif", "b.ome.tif", "c.ome.tif"], is_named=False)
    for name in ("b", "c"):
        (folder / f"{name}.ome.tif").unlink()
    (folder / "a.ome.tif").rename(folder / "renamed.tif")
    with pytest.raises(InputError, match=r"renamed\.tif describes the images of other files"):
        io.read(folder, modality="image")


def test_one_page_and_an_animation_are_read_as_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "one").mkdir()
    by_tifffile(tmp_path / "one" / "cell.tif", STACK[0], photometric="minisblack")
    np.testing.assert_array_equal(read_one(tmp_path / "one")[:, :, 0], STACK[0])
    assert caplog.text == ""
    (tmp_path / "moving").mkdir()
    by_pillow(tmp_path / "moving" / "cell.gif", STACK)
    assert read_one(tmp_path / "moving").shape == (6, 7, 1)
    assert "animations of 5 pictures" in caplog.text


def test_a_damaged_stack_is_an_error_that_names_it_or_is_left_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        by_tifffile(tmp_path / f"{name}.tif", STACK, photometric="minisblack", compression="zlib")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"a\.tif"):
        io.read(tmp_path, modality="image")
    adata = io.read(tmp_path, modality="image", skip_bad=True)
    assert list(adata.obs["file"]) == ["b.tif"]


def test_a_stack_that_declares_more_than_it_can_hold_is_refused(tmp_path: Path) -> None:
    from diffaug_bio.io import _files

    by_tifffile(tmp_path / "cell.tif", np.zeros((60, 500, 500), np.uint8), compression="zlib")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_files, "_ALWAYS_UNPACKED", 2**10)
        patch.setattr("diffaug_bio.io.images._stacks.MOST_DEFLATED", 2)
        with pytest.raises(InputError, match=r"cell\.tif declares"):
            io.read(tmp_path, modality="image")


def test_without_tifffile_the_command_to_install_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_pillow(tmp_path / "cell.tif", STACK)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(InputError, match=r'tifffile.*pip install "diffaug-bio\[images\]"'):
        io.read(tmp_path, modality="image", skip_bad=True)


def test_an_unknown_choice_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"image_pages.*'last'.*max, mean, first"):
        io.read(tmp_path, image_pages="last")  # type: ignore[arg-type]
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(InputError, match="--image-pages"):
        io.read(tmp_path / "table.csv", image_pages="max")


@given(
    sizes=st.lists(st.integers(1, 3), min_size=0, max_size=3),
    n_channels=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=15, deadline=None)
def test_axes_of_every_order_give_the_maximum_of_each_channel(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], n_channels: int, seed: int
) -> None:
    axes = "TZR"[: len(sizes)]
    shape = (*sizes, n_channels, 4, 5)
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path_factory.mktemp("stack") / "cell.tif"
    by_tifffile(path, values, photometric="minisblack", ome=True, metadata={"axes": f"{axes}CYX"})
    expected = values.reshape(-1, n_channels, 4, 5).max(0)
    found = read_stack(path, "max")
    for channel in range(n_channels):
        np.testing.assert_array_equal(found[:, :, channel], expected[channel])
