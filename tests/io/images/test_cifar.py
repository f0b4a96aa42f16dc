"""Reading CIFAR-10 and CIFAR-100 as they are downloaded, and refusing pickles that do more."""

from __future__ import annotations

import logging
import os
import pickle
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NAMES = [b"airplane", b"automobile", b"bird"]


def as_python_2(value: object) -> bytes:
    """Pickle as Python 2 did, whose strings are written by operations that no type of Python 3 has."""
    return b"\x80\x02" + operations(value) + b"."


def operations(value: object) -> bytes:
    match value:
        case dict():
            return (
                b"}(" + b"".join(operations(key) + operations(item) for key, item in value.items()) + b"u"
            )
        case list():
            return b"](" + b"".join(map(operations, value)) + b"e"
        case bytes():
            short = len(value) < 256
            return struct.pack("<cB" if short else "<ci", b"U" if short else b"T", len(value)) + value
        case str():
            return struct.pack("<ci", b"X", len(value)) + value.encode()
        case int():
            return b"J" + struct.pack("<i", value)
    assert isinstance(value, np.ndarray)
    by_columns = value.flags.f_contiguous and not value.flags.c_contiguous
    shape = b"(" + b"".join(map(operations, value.shape)) + b"t"
    kind = operations(value.dtype.str[1:].encode())
    return b"".join(
        [
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01",
            *(shape, b"cnumpy\ndtype\n", kind, b"K\x00K\x01\x87R(K\x03U\x01|NNNJ", b"\xff" * 4, b"J"),
            *(b"\xff" * 4, b"K\x00tb", b"\x88" if by_columns else b"\x89"),
            *(operations(value.tobytes("A")), b"tb"),
        ]
    )


def as_python_3(value: object) -> bytes:
    return pickle.dumps(value, protocol=2)


def make_batch(n_obs: int = 4, seed: int = 0, **others: object) -> dict[bytes, Any]:
    rng = np.random.default_rng(seed)
    return {
        b"batch_label": b"training batch 1 of 5",
        b"labels": [int(label) for label in rng.integers(0, 3, n_obs)],
        b"data": rng.integers(0, 256, (n_obs, 3072), dtype=np.uint8),
        b"filenames": [b"%d_%d.png" % (seed, number) for number in range(n_obs)],
        **{key.encode(): value for key, value in others.items()},
    }


def write_cifar10(
    folder: Path, dump: Callable[[object], bytes] = as_python_2, **batches: dict[bytes, Any]
) -> dict[str, dict[bytes, Any]]:
    """Write the seven files of CIFAR-10, some of them as given."""
    folder.mkdir(exist_ok=True)
    files = {f"data_batch_{number}": make_batch(seed=number) for number in range(1, 6)}
    files |= {"test_batch": make_batch(seed=9)} | batches
    for name, batch in files.items():
        (folder / name).write_bytes(dump(batch))
    meta = {b"num_cases_per_batch": 4, b"label_names": NAMES, b"num_vis": 3072}
    (folder / "batches.meta").write_bytes(dump(meta))
    return files


def write_cifar100(folder: Path, *, train: Sequence[int] = (0, 1, 2), test: Sequence[int] = (2, 0)) -> None:
    """Write the three files of CIFAR-100, with images of these fine labels."""
    folder.mkdir(exist_ok=True)
    fine, coarse = [b"apple", b"bear", b"chair"], [b"food", b"animals"]
    meta = {b"fine_label_names": fine, b"coarse_label_names": coarse}
    (folder / "meta").write_bytes(as_python_2(meta))
    for split, labels in (("train", train), ("test", test)):
        coarse_labels = [number % 2 for number in labels]
        batch = make_batch(len(labels), fine_labels=list(labels), coarse_labels=coarse_labels)
        (folder / split).write_bytes(as_python_2(batch))


def as_images(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images of rows that hold all of red, then green, then blue; one value at a time."""
    images = np.empty((len(rows), 32, 32, 3), np.uint8)
    for number, row in enumerate(rows):
        for channel in range(3):
            for y in range(32):
                images[number, y, :, channel] = row[channel * 1024 + y * 32 :][:32]
    return images


@pytest.mark.parametrize("dump", [as_python_2, as_python_3], ids=["Python 2", "Python 3"])
def test_cifar10_has_pixels_names_of_labels_and_splits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, dump: Callable[[object], bytes]
) -> None:
    files = write_cifar10(tmp_path / "cifar-10-batches-py", dump)
    with caplog.at_level(logging.INFO):
        adata = io.read(tmp_path / "cifar-10-batches-py")
    assert adata.X.dtype == np.uint8
    assert list(adata.uns["image_shape"]) == [32, 32, 3]
    rows = np.concatenate([batch[b"data"] for batch in files.values()])
    np.testing.assert_array_equal(adata.X.reshape(-1, 32, 32, 3), as_images(rows))
    labels = [NAMES[label].decode() for batch in files.values() for label in batch[b"labels"]]
    assert list(adata.obs["label"]) == labels
    assert list(adata.obs["split"]) == ["train"] * 20 + ["test"] * 4
    assert list(adata.obs["file"][:2]) == ["1_0.png", "1_1.png"]
    assert list(adata.obs_names[[0, 19, 20]]) == ["train/0", "train/19", "test/0"]
    assert list(adata.var_names[[0, 1, 3, 96]]) == ["0-0-0", "0-0-1", "0-1-0", "1-0-0"]
    assert "24 images of 32 x 32 pixels, in color, train 20, test 4, 3 classes" in caplog.text
    adata.write_h5ad(tmp_path / "images.h5ad")
    np.testing.assert_array_equal(io.read(tmp_path / "images.h5ad").X, adata.X)


def test_arrays_stored_by_columns_are_the_same(tmp_path: Path) -> None:
    batch = make_batch(seed=1)
    write_cifar10(tmp_path, data_batch_1=batch | {b"data": np.asfortranarray(batch[b"data"])})
    np.testing.assert_array_equal(io.read(tmp_path).X[:4].reshape(-1, 32, 32, 3), as_images(batch[b"data"]))


def test_cifar100_has_labels_of_both_kinds(tmp_path: Path) -> None:
    write_cifar100(tmp_path)
    adata = io.read(tmp_path)
    assert adata.shape == (5, 3072)
    assert list(adata.obs["label"]) == ["apple", "bear", "chair", "chair", "apple"]
    assert list(adata.obs["coarse_label"]) == ["food", "animals", "food", "food", "food"]
    assert list(adata.obs["split"]) == ["train"] * 3 + ["test"] * 2


def test_more_than_memory_may_take_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_cifar10(tmp_path)
    assert io.read(tmp_path, max_bytes=1000).X is not None
    assert "more than `max_bytes`, but such a file can only be read whole" in caplog.text


class Harmful:
    """What a pickle of it does when it is opened."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    ("function", "name"), [(os.system, r"(posix|nt)\.system"), (eval, r"(__builtin__|builtins)\.eval")]
)
def test_a_pickle_that_wants_to_run_something_is_refused_and_nothing_is_run(
    tmp_path: Path, protocol: int, function: Callable[..., object], name: str
) -> None:
    write_cifar10(tmp_path)
    trace = tmp_path / "trace"
    command = f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w')"
    content = {b"more": Harmful(function, command), **make_batch()}
    (tmp_path / "data_batch_2").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(InputError, match=rf"data_batch_2 wants to run '{name}' .* Nothing was run"):
        io.read(tmp_path)
    assert not trace.exists()


def test_arrays_of_objects_are_not_made(tmp_path: Path) -> None:
    objects = np.empty((4, 3072), dtype=object)
    write_cifar10(tmp_path, as_python_3, data_batch_3=make_batch(data=objects))
    with pytest.raises(InputError, match=r"data_batch_3 holds no images of 3072 bytes each as 'data'"):
        io.read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02r\xff\xff\xff\xff.",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x02cnumpy\nndarray\n}b.",
        b"\x80\x02cnumpy\nndarray\n(lp0\n}U\x01aK\x01s\x86b.",
        b"\x80\x02" + b"]q\x01" + b"(h\x01" * 9 + b".",
        b"\x8a\xff" + b"\xff" * 20,
        b"I" + b"9" * 5000 + b"\n.",
        b"\x80\x02P5\n.",
    ],
    ids=["cell", "large cell", "state", "attributes", "nested", "long", "digits", "persistent"],
)
def test_pickles_made_to_do_harm_are_errors(tmp_path: Path, content: bytes) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match=r"test_batch is not a file of CIFAR"):
        io.read(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_cut_file_is_an_error(tmp_path: Path, share: float) -> None:
    write_cifar10(tmp_path)
    whole = (tmp_path / "data_batch_4").read_bytes()
    (tmp_path / "data_batch_4").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"data_batch_4 is not a file of CIFAR, or is cut off"):
        io.read(tmp_path)


def test_damaged_file_is_read_or_an_error(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    whole = (tmp_path / "data_batch_5").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(25):
        damaged = bytearray(whole)
        for place in rng.integers(0, 200, 2):  # what comes behind is pixels
            damaged[place] = int(rng.integers(256))
        (tmp_path / "data_batch_5").write_bytes(bytes(damaged))
        try:
            adata = io.read(tmp_path)
        except InputError as error:
            assert "data_batch_5" in str(error)  # noqa: PT017 - a readable file is fine too
        else:
            assert adata.shape == (24, 3072)


def test_missing_files_are_named(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_2").unlink()
    (tmp_path / "test_batch").unlink()
    (tmp_path / "data_batch_3").unlink()
    (tmp_path / "data_batch_3").mkdir()
    with pytest.raises(InputError, match=r"lacks 'data_batch_2', 'data_batch_3', 'test_batch' of CIFAR"):
        io.read(tmp_path)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (make_batch(labels=[0, 1]), r"has 2 labels for 4 images"),
        (make_batch(labels=b"0123"), r"has no labels for 4 images"),
        (make_batch(labels=[0, 1, 2, 3]), r"has the label 3 among its labels; there are names for 0 to 2"),
        (make_batch(labels=[0, 1, 2, -1]), r"has the label -1 among its labels"),
        (make_batch(labels=[0, 1, 2, "a"]), r"has the label of type 'str' among its labels"),
        (make_batch(data=np.zeros((4, 3000), np.uint8)), r"holds no images of 3072 bytes"),
        (make_batch(data=np.zeros((4, 3072), np.float32)), r"holds no images of 3072 bytes"),
        (make_batch(data=b"0" * 4 * 3072), r"holds no images of 3072 bytes"),
        ({b"labels": [1]}, r"has no 'data', but 'labels': it is another file than expected"),
    ],
    ids=[
        *(
            "few labels",
            "no list",
            "unknown label",
            "negative",
            "text",
            "small images",
            "floats",
            "no array",
        ),
        "no data",
    ],
)
def test_wrong_content_is_named(tmp_path: Path, batch: dict[bytes, Any], message: str) -> None:
    write_cifar10(tmp_path, data_batch_1=batch)
    with pytest.raises(InputError, match=rf"data_batch_1 {message}"):
        io.read(tmp_path)


def test_file_that_is_no_dictionary_is_an_error(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "batches.meta").write_bytes(as_python_2([1, 2]))
    with pytest.raises(InputError, match=r"batches\.meta is not a file of CIFAR: it holds no dictionary"):
        io.read(tmp_path)


def test_one_of_its_files_is_not_the_folder(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    with pytest.raises(InputError, match=r"one of several files"):
        io.read(tmp_path / "data_batch_1")
