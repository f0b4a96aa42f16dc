"""Reading CIFAR-10 and CIFAR-100: the pickles are parsed without running any of their code."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from diffaug_bio._keys import LABEL_KEY, SPLIT_KEY
from diffaug_bio._wording import shorten
from diffaug_bio.errors import InputError
from diffaug_bio.io._files import reading
from diffaug_bio.io._names import number_rows
from diffaug_bio.io.images._rows import (
    FILE,
    UNPACK_AGAIN,
    ImageOptions,
    ImageShape,
    assemble_pixels,
    require_files,
    warn_of_size,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    _Part = tuple[NDArray[np.uint8], pd.DataFrame]  # pixels (n_obs, height, width, channels) and `.obs`

SHAPE = ImageShape(32, 32, 3)
_LONGEST_NAME = 100
_COARSE_LABEL = "coarse_label"
_BATCH = re.compile(r"data_batch_([1-9]\d{0,3})")
_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"}
_BROKEN = (
    *(pickle.UnpicklingError, EOFError, AttributeError, ImportError, LookupError, TypeError, ValueError),
    *(OverflowError, MemoryError, RecursionError),
)  # errors of unpickling damaged files


class _Foreign:
    """Stand-in for any object but plain values: keeps its arguments and state, and does nothing."""

    arguments: tuple[object, ...] = ()
    state: object = None

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Unpickler for plain values, with stand-ins for the few names that arrays are made of."""

    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._path = path

    def find_class(self, module: str, name: str) -> type[_Foreign]:
        """Return a stand-in for the names in the genuine files, and refuse all others."""
        if (module, name) not in _ADMITTED:
            msg = (
                f"{self._path} wants to run {f'{module}.{name}'!r} when it is opened: it is not a file "
                "of CIFAR. Nothing was run. Get the data set from its own page."
            )
            raise InputError(msg)
        return _Foreign


def is_cifar10(folder: Path) -> bool:
    """Return True if a folder has files of CIFAR-10."""
    names = ("batches.meta", "test_batch", "data_batch_1")
    return any((folder / name).is_file() for name in names)


def is_cifar100(folder: Path) -> bool:
    """Return True if a folder has files of CIFAR-100."""
    return (folder / "meta").is_file() and any((folder / name).is_file() for name in ("train", "test"))


def read_cifar10(folder: Path, options: ImageOptions) -> AnnData:
    """Read the folder `cifar-10-batches-py`; see :func:`diffaug_bio.io.read`."""
    found = {int(match[1]) for path in folder.iterdir() if (match := _BATCH.fullmatch(path.name))}
    batches = [f"data_batch_{number}" for number in sorted({1, 2, 3, 4, 5} | found)]
    files = dict.fromkeys(batches, "train") | {"test_batch": "test"}
    require_files(folder, ["batches.meta", *files], of="CIFAR")
    names = _names(folder / "batches.meta", "label_names")
    parts = [
        _read_part(folder / file, split, {LABEL_KEY: ("labels", names)}) for file, split in files.items()
    ]
    return _joined(folder, parts, options)


def read_cifar100(folder: Path, options: ImageOptions) -> AnnData:
    """Read the folder `cifar-100-python`; see :func:`diffaug_bio.io.read`."""
    require_files(folder, ["meta", "train", "test"], of="CIFAR")
    columns = {
        LABEL_KEY: ("fine_labels", _names(folder / "meta", "fine_label_names")),
        _COARSE_LABEL: ("coarse_labels", _names(folder / "meta", "coarse_label_names")),
    }
    parts = [_read_part(folder / split, split, columns) for split in ("train", "test")]
    return _joined(folder, parts, options)


def _joined(folder: Path, parts: list[_Part], options: ImageOptions) -> AnnData:
    """Stack the rows of all files."""
    pixels = [part for part, _ in parts]
    warn_of_size(sum(part.nbytes for part in pixels), options, origin=folder.name)
    obs = pd.concat([annotations for _, annotations in parts], ignore_index=True)
    obs = obs.set_axis(number_rows(obs[SPLIT_KEY].tolist()))
    return assemble_pixels(pixels, obs, image_shape=SHAPE, origin=folder.name)


def _load(path: Path) -> dict[str, object]:
    """Read the dictionary in a file of CIFAR."""
    with reading(path):
        content = path.read_bytes()
    try:
        _check_memo(content)
        values = _Unpickler(content, path).load()
    except InputError:
        raise
    except _BROKEN as error:
        msg = f"{path} is not a file of CIFAR, or is cut off. {UNPACK_AGAIN}"
        raise InputError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path} is not a file of CIFAR: it holds no dictionary. Get the data set from its own page."
        raise InputError(msg)
    return {name: value for key, value in values.items() if (name := _text(key)) is not None}


def _check_memo(content: bytes) -> None:
    """Refuse pickles that fill the memory (far cells) or hash for ever (nested tuples, each used twice)."""
    tuples: set[object] = set()
    n_cells, before = 0, ""
    for number, (operation, argument, _) in enumerate(pickletools.genops(content)):
        cell = n_cells if operation.name == "MEMOIZE" else argument
        if operation.name.endswith("PUT") and isinstance(argument, int) and argument > number:
            msg = f"cell {argument} after {number} operations"
            raise pickle.UnpicklingError(msg)
        if operation.name.endswith("PUT") or operation.name == "MEMOIZE":
            n_cells += 1
            if before in _TUPLES:
                tuples.add(cell)
        elif operation.name == "DUP" or (operation.name.endswith("GET") and argument in tuples):
            msg = "a tuple is used twice"
            raise pickle.UnpicklingError(msg)
        before = operation.name


def _text(value: object) -> str | None:
    """Return a string of Python 2 or 3, cut to the length of a name, or None for other values."""
    match value:
        case str(letters) | _Foreign(arguments=(str(letters), *_)):  # bytes of Python 3 by protocol 2
            return letters[:_LONGEST_NAME]
        case bytes(letters):
            return letters[:_LONGEST_NAME].decode("latin-1")
    return None


def _get(values: dict[str, object], key: str, path: Path) -> object:
    """Return an entry of a file."""
    if key not in values:
        msg = (
            f"{path} has no {key!r}, but {shorten(values) or 'nothing'}: it is another file than expected. "
            f"{UNPACK_AGAIN}"
        )
        raise InputError(msg)
    return values[key]


def _names(path: Path, key: str) -> list[str]:
    """Read the names of labels."""
    found = _get(_load(path), key, path)
    names = [_text(name) for name in found] if isinstance(found, list) else []
    if not names or None in names:
        msg = f"{path} holds no list of names as {key!r}. {UNPACK_AGAIN}"
        raise InputError(msg)
    return [str(name) for name in names]


def _read_part(path: Path, split: str, columns: dict[str, tuple[str, list[str]]]) -> _Part:
    """Read one file of images; `columns` gives the entry and the names of each column of labels."""
    values = _load(path)
    pixels = _pixels(_get(values, "data", path), path)
    obs = pd.DataFrame(index=range(len(pixels)))
    for column, (key, names) in columns.items():
        numbers = _get(values, key, path)
        if not isinstance(numbers, list) or len(numbers) != len(pixels):
            found = len(numbers) if isinstance(numbers, list) else "no"
            msg = f"{path} has {found} {key} for {len(pixels)} images. {UNPACK_AGAIN}"
            raise InputError(msg)
        if unfit := [n for n in numbers if type(n) is not int or not 0 <= n < len(names)]:
            msg = (
                f"{path} has the label {_shown(unfit[0])} among its {key}; there are names for 0 to "
                f"{len(names) - 1}. {UNPACK_AGAIN}"
            )
            raise InputError(msg)
        obs[column] = [names[number] for number in numbers]
    obs[SPLIT_KEY] = split
    files = values.get("filenames")
    if isinstance(files, list) and len(files) == len(pixels):
        obs[FILE] = [_text(file) for file in files]
    return pixels, obs


def _shown(label: object) -> str:
    """Return a label for a message, or its type: a pickle can hold lists and endless numbers."""
    return str(label) if type(label) is int and abs(label) < 2**63 else f"of type {type(label).__name__!r}"


def _pixels(array: object, path: Path) -> NDArray[np.uint8]:
    """Make an array from the parts that a pickle holds of it, after a check of each."""
    match array:
        case _Foreign(
            state=(_, (int(n_obs), int(n_values)), _Foreign(arguments=(kind, *_)), bool(by_columns), raw)
        ) if n_values == SHAPE.n_pixels and kind in (b"u1", "u1"):
            match raw:
                case _Foreign(arguments=(str(letters), b"latin1" | "latin1")):  # as Python 3 writes bytes
                    raw = letters.encode("latin-1", "ignore")  # too short then, and refused
            if isinstance(raw, bytes) and len(raw) == n_obs * n_values:
                flat: NDArray[np.uint8] = np.frombuffer(raw, np.uint8)
                rows = flat.reshape(n_values, n_obs).T if by_columns else flat
                planes = rows.reshape(n_obs, SHAPE.channels, SHAPE.height, SHAPE.width)
                return planes.transpose(0, 2, 3, 1)
    msg = (
        f"{path} holds no images of {SHAPE.n_pixels} bytes each as 'data': it is another file than "
        f"expected. {UNPACK_AGAIN}"
    )
    raise InputError(msg)
