"""Reading Tiny-ImageNet as it is downloaded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

WNIDS = ["n02", "n01", "n03"]
WORDS = "n00\tentity\nn01\tbullfrog, Rana catesbeiana\nn02\tespresso\nn03\tcardigan\n"


def write_jpeg(path: Path, seed: int, *, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, "JPEG")


def write_tiny_imagenet(folder: Path, words: str | None = WORDS) -> Path:
    """Write two images of each class to train and one to test with; the first is grey, as some are."""
    for number, wnid in enumerate(WNIDS):
        for image in range(2):
            path = folder / "train" / wnid / "images" / f"{wnid}_{image}.JPEG"
            write_jpeg(path, 10 * number + image, mode="L" if number + image == 0 else "RGB")
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t62\t62\n")
        write_jpeg(folder / "val" / "images" / f"val_{number}.JPEG", 100 + number)
    write_jpeg(folder / "test" / "images" / "test_0.JPEG", 200)
    lines = [f"val_{number}.JPEG\t{wnid}\t0\t32\t44\t62\n" for number, wnid in enumerate(WNIDS)]
    (folder / "val" / "val_annotations.txt").write_text("".join(reversed(lines)))
    (folder / "wnids.txt").write_text("\n".join(WNIDS))
    if words is not None:
        (folder / "words.txt").write_text(words)
    return folder


def test_images_labels_and_splits_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_tiny_imagenet(tmp_path / "tiny-imagenet-200")
    with caplog.at_level(logging.INFO):
        adata = io.read(folder)
    assert adata.shape == (9, 64 * 64 * 3)
    assert list(adata.obs["wnid"]) == ["n02", "n02", "n01", "n01", "n03", "n03", "n02", "n01", "n03"]
    kinds = {"n01": "bullfrog", "n02": "espresso", "n03": "cardigan"}
    assert list(adata.obs["label"]) == [kinds[wnid] for wnid in adata.obs["wnid"]]
    assert list(adata.obs["split"]) == ["train"] * 6 + ["test"] * 3
    assert adata.obs["file"].iloc[0] == "train/n02/images/n02_0.JPEG"
    for row, file in zip(adata.X, adata.obs["file"], strict=True):
        with Image.open(folder / file) as image:
            np.testing.assert_array_equal(row.reshape(64, 64, 3), np.asarray(image.convert("RGB")))
    assert "the folder 'test' has no labels and is left out; 'val' is split 'test'" in caplog.text


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (None, ["n02", "n01", "n03"]),
        ("n01\tbullfrog\nn02\tespresso, coffee\n", ["espresso", "bullfrog", "n03"]),
        ("n01\tcardigan, jacket\nn02\tespresso\nn03\tcardigan, corgi\n", ["espresso", "n01", "n03"]),
    ],
    ids=["no file", "one missing", "one twice"],
)
def test_classes_without_a_word_of_their_own_keep_their_number(
    tmp_path: Path, words: str | None, labels: list[str]
) -> None:
    adata = io.read(write_tiny_imagenet(tmp_path, words))
    assert list(adata.obs["label"].iloc[6:]) == labels


def test_images_are_resized_and_may_stay_on_the_disk(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path)
    adata = io.read(folder, image_size=16)
    assert list(adata.uns["image_shape"]) == [16, 16, 3]
    lazy = io.open_images(io.read(folder, image_size=16, max_bytes=100))
    np.testing.assert_array_equal(lazy[:], adata.X)


@pytest.mark.parametrize("name", ["wnids.txt", "val/val_annotations.txt"])
def test_missing_tables_are_named(tmp_path: Path, name: str) -> None:
    (write_tiny_imagenet(tmp_path) / name).unlink()
    with pytest.raises(InputError, match=rf"lacks .{name}. of Tiny-ImageNet"):
        io.read(tmp_path)


def test_a_file_is_no_folder_of_images(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path)
    (folder / "train").rename(folder / "elsewhere")
    (folder / "train").touch()
    with pytest.raises(InputError, match=r"lacks 'train/' of Tiny-ImageNet"):
        io.read(folder)


def test_missing_and_unknown_images_are_named(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path)
    write_jpeg(folder / "val" / "images" / "val_7.JPEG", 0)
    with pytest.raises(InputError, match=r"val_annotations\.txt has no class for 1 images: 'val_7\.JPEG'"):
        io.read(folder)
    (folder / "val" / "images" / "val_1.JPEG").unlink()
    with pytest.raises(InputError, match=r"images lacks 1 images of val_annotations\.txt: 'val_1\.JPEG'"):
        io.read(folder)
    (folder / "wnids.txt").write_text("n01\nn09\n")
    with pytest.raises(
        InputError, match=r"n09/images holds no images, but wnids\.txt names the class 'n09'"
    ):
        io.read(folder)


def test_line_without_a_class_is_named(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path)
    (folder / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\nval_1.JPEG\n")
    with pytest.raises(
        InputError, match=r"val_annotations\.txt line 2 is 'val_1\.JPEG'; expected a file and"
    ):
        io.read(folder)


def test_a_choice_of_classes_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_tiny_imagenet(tmp_path)
    (folder / "wnids.txt").write_text("n01\nn03\n")
    assert io.read(folder).n_obs == 6
    assert "images of 1 classes that wnids.txt does not name are left out: 'n02'" in caplog.text


def test_cut_image_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_tiny_imagenet(tmp_path)
    path = folder / "train" / "n01" / "images" / "n01_1.JPEG"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(
        InputError, match=r"1 of the 9 images .* The first: .*n01_1\.JPEG is damaged or cut"
    ):
        io.read(folder)
    adata = io.read(folder, skip_bad=True)
    assert adata.n_obs == 8
    assert "train/n01/images/n01_1.JPEG" not in adata.obs_names
    assert "1 images that cannot be read are left out: " in caplog.text
