"""Cases of images: idx, npz, the pickles of CIFAR, and folders of files."""

from __future__ import annotations

import gzip
import io as std_io
import pickle
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from diffaug_bio import io
from tests.robustness.harness import SilentlyWrongError
from tests.robustness.mutate import NASTY, gzipped, mutated, one_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

_ARRAYS: tuple[str, ...] = ("images", "labels", "train_images", "train_labels", "x_train", "y_test", "x")
_IMAGE_ENDINGS = (".png", ".jpg", ".bmp", ".tif", ".gif", ".webp", ".ppm")


def _check(adata: AnnData) -> None:
    """Refuse images whose bytes do not go with what is said of their shape."""
    n_pixels = int(np.prod(adata.uns["image_shape"]))
    if adata.X.dtype != np.uint8 or adata.X.shape != (adata.n_obs, n_pixels) or not adata.n_obs:
        msg = f"the matrix has the type {adata.X.dtype} and the shape {adata.X.shape}"
        raise SilentlyWrongError(msg)


def idx_case(rng: np.random.Generator, folder: Path) -> None:
    """Change headers and bytes of idx files."""
    images = rng.integers(0, 256, (4, 3, 3), dtype="u1")
    for name, values in (("images-idx3", images), ("labels-idx1", images[:, 0, 0])):
        sizes = list(values.shape)
        if rng.random() < 0.3:
            sizes[int(rng.integers(len(sizes)))] = one_of(rng, (0, 1, 3, 5, 2**16, 2**31, 2**32 - 1))
        kind = one_of(rng, (8,) * 8 + (9, 13, 0))
        content = struct.pack(f">BBBB{values.ndim}I", 0, 0, kind, values.ndim, *sizes) + values.tobytes()
        content = mutated(content, rng) if rng.random() < 0.4 else content
        packed = rng.random() < 0.4
        path = folder / f"train-{name}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzipped(content, rng) if packed else content)
    target = next(path for path in folder.iterdir() if "images" in path.name)
    _check(io.read(one_of(rng, (folder, target))))


def npz_case(rng: np.random.Generator, folder: Path) -> None:
    """Change arrays, headers and the zip of .npz files."""
    arrays: dict[str, np.ndarray] = {"images": rng.integers(0, 256, (4, 3, 3, 1), dtype="u1")}
    arrays["labels"] = np.arange(4)
    for _ in range(int(rng.integers(0, 3))):
        arrays[one_of(rng, _ARRAYS)] = _odd_array(rng)
    path = folder / "x.npz"
    if rng.random() < 0.4:
        with zipfile.ZipFile(path, "w", one_of(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name, values in arrays.items():
                written = std_io.BytesIO()
                np.lib.format.write_array(written, values, allow_pickle=True)
                archive.writestr(f"{name}.npy", _odd_header(written.getvalue(), rng))
    else:
        np.savez(path, allow_pickle=True, **arrays)
    if rng.random() < 0.4:
        path.write_bytes(mutated(path.read_bytes(), rng))
    _check(io.read(path))


def _odd_array(rng: np.random.Generator) -> np.ndarray:
    """Make an array of some shape and type."""
    shape = one_of(rng, ((), (0,), (4,), (4, 1), (4, 3), (4, 3, 3), (4, 3, 3, 3), (4, 3, 0, 1), (1,) * 32))
    kinds = ("u1", "i8", "f4", "f8", "c8", "?", "U3", "S3", "O", "M8[s]", "u2", "V4", "f2", "i1")
    values = np.asarray(rng.random(shape) * one_of(rng, (1, 1, 255, 1e9)))
    with np.errstate(all="ignore"):
        return values.astype(one_of(rng, kinds))


def _odd_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the header of an array, which is written as a Python expression."""
    length = int.from_bytes(content[8:10], "little")
    header, rest = content[10 : 10 + length].decode("latin-1"), content[10 + length :]
    changes = (
        *(
            (header, header),
            ("'descr'", "'desc'"),
            ("False", "True"),
            ("(4", "(-4"),
            ("(4", "(" * 500 + "4"),
        ),
        *(
            ("(4", f"({2**40}"),
            ("|u1", "|O"),
            ("|u1", "<f8"),
            ("|u1", "x" * 3000),
            ("(4", "(4.5"),
            ("{", "{{"),
        ),
        *(("(4", "(10**9*4"), ("(4", "(True"), ("(4", "((4"), ("4", "9" * 5000), ("{", "__import__('os')")),
    )
    header = header.replace(*one_of(rng, changes)).rstrip() + "\n"
    return content[:8] + (len(header) % 65536).to_bytes(2, "little") + header.encode("latin-1") + rest


def cifar_case(rng: np.random.Generator, folder: Path) -> None:
    """Change what the pickles of CIFAR hold, and their bytes."""
    names = [b"cat", b"dog"]
    files: dict[str, Any] = {f"data_batch_{number}": _batch(rng) for number in range(1, 6)}
    files |= {"test_batch": _batch(rng), "batches.meta": {b"label_names": names}}
    changed = one_of(rng, sorted(files))
    if rng.random() < 0.5:
        table = files[changed]
        key = one_of(rng, sorted(table))
        table[key] = one_of(
            rng, (*NASTY, table[key], [table[key]], _Runs(), table[key][:1], np.arange(3.0))
        )
        if rng.random() < 0.2:
            files[changed] = one_of(rng, (table[key], [table], _Runs(), {}))
    for name, table in files.items():
        content = pickle.dumps(table, protocol=one_of(rng, (2, 2, 2, 0, 1, 4)))
        if name == changed and rng.random() < 0.6:
            content = mutated(content, rng)
        (folder / name).write_bytes(content)
    _check(io.read(folder))
    if (folder.parent / "was_run").exists():
        msg = "code of a pickle was run"
        raise SilentlyWrongError(msg)


class _Runs:
    """Would write a file if it were unpickled as pickle does."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return exec, ("open('was_run', 'w')",)


def _batch(rng: np.random.Generator) -> dict[bytes, Any]:
    pixels = rng.integers(0, 256, (2, 3072), dtype="u1")
    return {b"data": pixels, b"labels": [0, 1], b"filenames": [b"a.png", b"b.png"], b"batch_label": b"x"}


def images_case(rng: np.random.Generator, folder: Path) -> None:
    """Change files of images, their modes and sizes, and what lies beside them."""
    for number in range(6):
        mode = one_of(rng, ("L", "RGB", "RGB", "RGBA", "P", "1", "I;16", "LA", "CMYK", "F"))
        size = (8, 8) if rng.random() < 0.9 else one_of(rng, ((1, 1), (8, 9), (300, 8)))
        ending = one_of(rng, _IMAGE_ENDINGS)
        image = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype="u1"))
        content = _as_file(image, mode, ending)
        if rng.random() < 0.3:
            content = mutated(content, rng)
        if rng.random() < 0.05:
            content = one_of(rng, (b"", b"text", _huge_png(), gzip.compress(content)))
        place = folder / ("a", "b")[number % 2]
        place.mkdir(exist_ok=True)
        (place / f"{number}{ending}").write_bytes(content)
    if rng.random() < 0.2:
        odd = folder / one_of(rng, ("a/x.png", "c/y.txt", "d"))
        odd.parent.mkdir(exist_ok=True)
        odd.symlink_to(one_of(rng, (folder, folder / "nowhere", folder / "a", "/dev/zero")))
    size = one_of(rng, (None, 8, 5))
    _check(io.read(folder, image_size=size, skip_bad=bool(rng.random() < 0.3)))


def stack_case(rng: np.random.Generator, folder: Path) -> None:
    """Change TIFF files of several pages, as several programs write them."""
    import tifffile

    for name in "ab":
        shape = (*one_of(rng, ((4,), (2, 3), (3, 1, 2), (1,))), 8, 8)
        values = rng.integers(0, 256, shape).astype(one_of(rng, ("u1", "u1", "u2", "f4", "i4", "u4", "c8")))
        options = one_of(
            rng, ({}, {"bigtiff": True}, {"ome": True}, {"compression": "zlib"}, {"tile": (16, 16)})
        )
        written = std_io.BytesIO()
        tifffile.imwrite(written, values, photometric="minisblack", **options)
        content = written.getvalue()
        (folder / f"{name}.tif").write_bytes(mutated(content, rng) if rng.random() < 0.5 else content)
    pages = one_of(rng, ("max", "mean", "first"))
    size = one_of(rng, (None, 8))
    _check(
        io.read(folder, modality="image", image_size=size, image_pages=pages, skip_bad=rng.random() < 0.3)
    )


def _as_file(image: Image.Image, mode: str, ending: str) -> bytes:
    """Write an image as a file; where a format does not know a mode, in RGB."""
    written = std_io.BytesIO()
    kind = Image.registered_extensions()[ending]
    try:
        image.convert("L" if mode == "I;16" else mode).convert(mode).save(written, kind)
    except (OSError, ValueError):
        written = std_io.BytesIO()
        image.save(written, kind)
    return written.getvalue()


def _huge_png() -> bytes:
    """Write the header of a PNG of 10^10 pixels."""
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 10**5, 10**5, 8, 2, 0, 0, 0)
    return start + struct.pack(">I4s", 0, b"IEND")
