"""Reading Tiny-ImageNet, with classes named by WordNet numbers."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import reading, visible_entries
from diffaug_bio.io.images._decode import is_image_file
from diffaug_bio.io.images._files import read_image_files
from diffaug_bio.io.images._rows import FILE, UNPACK_AGAIN, require_files

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.io.images._rows import ImageOptions

logger = logging.getLogger(__name__)

_WNID = "wnid"


class _Image(NamedTuple):
    """Image file with the WordNet number of its class."""

    path: Path
    split: str
    wnid: str


def is_tiny_imagenet(folder: Path) -> bool:
    """Return True if a folder has files of Tiny-ImageNet."""
    return (folder / "wnids.txt").is_file() or (folder / "val" / "val_annotations.txt").is_file()


def read_tiny_imagenet(folder: Path, options: ImageOptions) -> AnnData:
    """Read the folder `tiny-imagenet-200`; see :func:`diffaug_bio.io.read`."""
    needed = ("wnids.txt", "train/", "val/val_annotations.txt", "val/images/")
    require_files(folder, needed, of="Tiny-ImageNet")
    wnids = list(dict.fromkeys(_lines(folder / "wnids.txt")))
    labels = _labels(folder / "words.txt", wnids)
    images = [*_train_images(folder / "train", wnids), *_validation_images(folder / "val", set(wnids))]
    if (folder / "test").is_dir():
        logger.info(
            "%s: the folder 'test' has no labels and is left out; 'val' is split 'test'.", folder.name
        )
    names = [image.path.relative_to(folder).as_posix() for image in images]
    obs = pd.DataFrame(
        {
            LABEL_KEY: [labels[image.wnid] for image in images],
            SPLIT_KEY: [image.split for image in images],
            _WNID: [image.wnid for image in images],
            FILE: names,
        },
        index=names,
    )
    return read_image_files([image.path for image in images], obs, options, origin=folder.name)


def _lines(path: Path) -> list[str]:
    """Read the lines of a file that are not empty."""
    with reading(path):
        text = path.read_text(encoding="utf-8-sig")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _labels(path: Path, wnids: list[str]) -> dict[str, str]:
    """Name each class by its first word, or by its number if there is none or two classes share it."""
    words: dict[str, str] = {}
    for line in _lines(path) if path.is_file() else []:
        wnid, _, text = line.partition("\t")
        words[wnid] = text.split(",")[0].strip()
    counts = Counter(words.get(wnid, "") for wnid in wnids)
    unnamed = [wnid for wnid in wnids if not words.get(wnid) or counts[words[wnid]] > 1]
    if unnamed:
        logger.info(
            "%s has no name, or no unique one, for %d classes; their numbers are the labels: %s.",
            *(path.name, len(unnamed), shorten(unnamed)),
        )
    return {wnid: wnid if wnid in unnamed else words[wnid] for wnid in wnids}


def _train_images(folder: Path, wnids: list[str]) -> list[_Image]:
    """Find the training images, class by class."""
    images = []
    for wnid in wnids:
        place = folder / wnid / "images"
        files = [path for path in visible_entries(place) if is_image_file(path)] if place.is_dir() else []
        if not files:
            msg = f"{place} holds no images, but wnids.txt names the class {wnid!r}. {UNPACK_AGAIN}"
            raise InputError(msg)
        images += [_Image(path, "train", wnid) for path in files]
    return images


def _validation_images(folder: Path, wnids: set[str]) -> list[_Image]:
    """Find the images of `val`, and their classes in the table beside them."""
    table = folder / "val_annotations.txt"
    classes = {}
    for number, line in enumerate(_lines(table), start=1):
        name, wnid, *_ = (*line.split("\t"), "")
        if not wnid:
            msg = f"{table} line {number} is {line[:60]!r}; expected a file and a class. {UNPACK_AGAIN}"
            raise InputError(msg)
        classes[name] = wnid
    there = {path.name: path for path in visible_entries(folder / "images") if is_image_file(path)}
    if missing := [name for name in classes if name not in there]:
        msg = f"{folder / 'images'} lacks {len(missing)} images of {table.name}: {shorten(missing)}."
        raise InputError(msg)
    if unknown := [name for name in there if name not in classes]:
        msg = f"{table} has no class for {len(unknown)} images: {shorten(unknown)}. {UNPACK_AGAIN}"
        raise InputError(msg)
    if others := {wnid for wnid in classes.values() if wnid not in wnids}:
        logger.warning(
            "%s: images of %d classes that wnids.txt does not name are left out: %s.",
            *(table.name, len(others), shorten(sorted(others))),
        )
    return [_Image(path, "test", classes[name]) for name, path in there.items() if classes[name] in wnids]
