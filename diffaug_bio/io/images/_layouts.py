"""Layouts of images: recognising a file or folder, and calling the reader for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from diffaug_bio._checks import check_columns
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import is_sequence_file, visible_entries
from diffaug_bio.io.images._cifar import is_cifar10, is_cifar100, read_cifar10, read_cifar100
from diffaug_bio.io.images._decode import IMAGE_ENDINGS
from diffaug_bio.io.images._folder import has_images, read_image_folder
from diffaug_bio.io.images._idx import has_idx, is_idx, read_idx, read_idx_folder
from diffaug_bio.io.images._npz import read_npz
from diffaug_bio.io.images._stl10 import is_stl10, read_stl10
from diffaug_bio.io.images._tiny_imagenet import is_tiny_imagenet, read_tiny_imagenet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from diffaug_bio.io.images._rows import ImageOptions


class _Layout(NamedTuple):
    """Layout of folders."""

    has_it: Callable[[Path], bool]
    read: Callable[[Path, ImageOptions], AnnData]
    is_of_files: bool
    """True if each image is a separate file, which may be damaged or of another size."""


_LAYOUTS = (
    _Layout(is_cifar10, read_cifar10, is_of_files=False),
    _Layout(is_cifar100, read_cifar100, is_of_files=False),
    _Layout(is_stl10, read_stl10, is_of_files=False),
    _Layout(is_tiny_imagenet, read_tiny_imagenet, is_of_files=True),
    _Layout(has_idx, read_idx_folder, is_of_files=False),
    _Layout(has_images, read_image_folder, is_of_files=True),
)
IMAGE_LAYOUTS = (
    "cifar-10-batches-py, cifar-100-python, stl10_binary, tiny-imagenet-200, idx files as those of MNIST, "
    "or files of images in one folder for each class (CLASS/, or train/CLASS/ and test/CLASS/)"
)
_ARCHIVES = {
    ".zip": "unzip",
    ".tar": "tar -xf",
    ".tar.gz": "tar -xzf",
    ".tgz": "tar -xzf",
    ".tar.bz2": "tar -xjf",
    ".tar.xz": "tar -xJf",
}
_MEMBER = re.compile(r"data_batch_\d+|test_batch|batches\.meta|(train|test|unlabeled)_[Xy]\.bin|wnids\.txt")


def is_image_folder(folder: Path) -> bool:
    """Return True for a folder of images; image files beside files of sequences do not count."""
    layout = _find_layout(folder)
    return layout is not None and not (
        layout.read is read_image_folder and any(map(is_sequence_file, visible_entries(folder)))
    )


def is_image_name(path: Path) -> bool:
    """Return True for the name of a file of images, or of a part of a known image set."""
    name = path.name.lower()
    endings = (".npz", *IMAGE_ENDINGS, *_ARCHIVES)
    return name.endswith(endings) or is_idx(path) or _MEMBER.fullmatch(path.name) is not None


def read_images(path: Path, options: ImageOptions, *, obs_columns: Sequence[str]) -> AnnData:
    """Read a file or folder of images; see :func:`diffaug_bio.io.read`."""
    layout = _find_layout(path) if path.is_dir() else None
    if options.concern_files and not (layout and layout.is_of_files):
        msg = (
            f"{path} has no files of single images. Leave {options.given} out: that is for folders of such "
            "files."
        )
        raise InputError(msg)
    if layout is not None:
        adata = layout.read(path, options)
    elif path.is_dir():
        raise InputError(_why_not(path))
    else:
        adata = _read_file(path, options)
    check_columns(obs_columns, adata.obs, where=path)
    return adata


def _find_layout(folder: Path) -> _Layout | None:
    return next((layout for layout in _LAYOUTS if layout.has_it(folder)), None)


def _read_file(path: Path, options: ImageOptions) -> AnnData:
    """Read an .npz or idx file, or raise an `InputError` that says what to name instead."""
    name = path.name.lower()
    if name.endswith(".npz"):
        return read_npz(path, options)
    if is_idx(path):
        return read_idx(path, options)
    if archive := [ending for ending in _ARCHIVES if name.endswith(ending)]:
        msg = (
            f"{path} is an archive. Unpack it first (`{_ARCHIVES[archive[-1]]} {path.name}`), and name the "
            "folder that comes out."
        )
        raise InputError(msg)
    if name.endswith(IMAGE_ENDINGS):
        pages = " A TIFF of several pages is one image, too: save its pages apart to have a row for each."
        msg = (
            f"{path} is a single image. Name its folder of images: {str(path.parent)!r}."
            f"{pages if name.endswith(('.tif', '.tiff')) else ''}"
        )
        raise InputError(msg)
    if _MEMBER.fullmatch(path.name):
        msg = f"{path} is one of several files. Name their folder: {path.parent}."
        raise InputError(msg)
    msg = f"{path} is not a known file of images: .npz or idx. Folders may be {IMAGE_LAYOUTS}."
    raise InputError(msg)


def _why_not(folder: Path) -> str:
    """Word the error for a folder in no known layout: what it holds, and what to do."""
    start = f"{folder} has no images in a layout that is known: {IMAGE_LAYOUTS}."
    entries = visible_entries(folder)
    for entry in entries:
        if entry.is_dir() and _find_layout(entry):
            return f"{start} There are some in a folder of this one: name {entry}."
    if files := [entry for entry in entries if entry.is_file() and is_image_name(entry)]:
        return f"{start} This one holds {files[0].name}: name that file."
    names = shorten(entry.name for entry in entries)
    return f"{start} This one {f'holds {names}' if entries else 'is empty'}."
