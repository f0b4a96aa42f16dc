"""Reading a folder of image files, with folders for classes, for splits and classes, or without."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import pandas as pd

from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import decoded, shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import visible_entries
from diffaug_bio.io.images._decode import is_image_file
from diffaug_bio.io.images._files import read_image_files
from diffaug_bio.io.images._rows import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.io.images._rows import ImageOptions

logger = logging.getLogger(__name__)

_SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


class _Found(NamedTuple):
    """Image file with the split and label that the folders above it name."""

    path: Path
    split: str | None
    label: str | None


def has_images(folder: Path) -> bool:
    """Return True if a folder has image files in one of the layouts; not beside splits without any."""
    first = next(_find(folder), None)
    return first is not None and (first.split is not None or not _split_folders(folder))


def read_image_folder(folder: Path, options: ImageOptions) -> AnnData:
    """Read a folder of image files; see :func:`diffaug_bio.io.read`."""
    found = list(_find(folder))
    _check_layout(folder, found)
    _check_depth(folder, found)
    files = [image.path for image in found]
    names = [decoded(path.relative_to(folder).as_posix()) for path in files]
    obs = pd.DataFrame(
        {
            LABEL_KEY: [image.label for image in found],
            SPLIT_KEY: [image.split for image in found],
            FILE: names,
        },
        index=names,
    )
    return read_image_files(files, obs, options, origin=folder.name)


def _split_folders(folder: Path) -> list[Path]:
    """List folders for splits, in the order of `_SPLITS`."""
    splits = [entry for entry in visible_entries(folder) if entry.name in _SPLITS and entry.is_dir()]
    return sorted(splits, key=lambda entry: list(_SPLITS).index(entry.name))


def _class_folders(folder: Path) -> list[Path]:
    """List folders for classes, inside and outside of folders for splits."""
    splits = _split_folders(folder)
    return [
        entry
        for place in (*splits, folder)
        for entry in visible_entries(place)
        if entry.is_dir() and entry not in splits
    ]


def _find(folder: Path) -> Iterator[_Found]:
    """Find image files, in folders for splits first."""
    splits = _split_folders(folder)
    for place in (*splits, folder):
        split = _SPLITS[place.name] if place in splits else None
        for entry in visible_entries(place):
            if is_image_file(entry):
                yield _Found(entry, split, None)
            elif entry.is_dir() and entry not in splits:
                yield from (
                    _Found(path, split, decoded(entry.name))
                    for path in visible_entries(entry)
                    if is_image_file(path)
                )


def _check_layout(folder: Path, found: Sequence[_Found]) -> None:
    """Refuse a mixture of layouts."""
    first: dict[str | None, _Found] = {}
    for image in found:
        usual = first.setdefault(image.split, image)
        if (usual.label is None) != (image.label is None):
            _refuse_mixture(folder, usual, image, "a class")
    if None in first and len(first) > 1:
        other = next(image for split, image in first.items() if split is not None)
        _refuse_mixture(folder, other, first[None], "a split")


def _refuse_mixture(folder: Path, one: _Found, other: _Found, kind: str) -> NoReturn:
    msg = (
        f"{folder} mixes layouts: of {one.path} and {other.path} one is in a folder for {kind}, the other "
        "is not. Use folders for classes (CLASS/), or for splits and classes (train/CLASS/, test/CLASS/), "
        "or one folder for all."
    )
    raise InputError(msg)


def _check_depth(folder: Path, found: Sequence[_Found]) -> None:
    """Refuse images deeper than in any layout, and log folders without images."""
    with_images = {image.path.parent for image in found}
    without = []
    for place in _class_folders(folder):
        for entry in visible_entries(place):
            if entry.is_dir() and any(map(is_image_file, visible_entries(entry))):
                msg = (
                    f"{folder} has images a folder deeper than one for each class, for example in {entry}. "
                    "Name a folder nearer to the images, or move them up."
                )
                raise InputError(msg)
        if place not in with_images:
            without.append(place.name)
    if without:
        logger.warning("%s: folders without images are left out: %s.", folder.name, shorten(without))
