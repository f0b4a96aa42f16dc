"""Samples in the layouts as they are downloaded, where they lie beside the repository."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffaug_bio import io

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data"
FASHION = Path("/usr/share/datasets/fashion-mnist")  # the Debian package dataset-fashion-mnist


def find(folder: Path) -> Path:
    if not folder.exists():
        pytest.skip(f"{folder.name} is not there")
    return folder


def test_cifar10() -> None:
    adata = io.read(find(SAMPLES / "cifar-10-batches-py"))
    assert adata.shape == (2000, 3072)
    assert adata.obs["split"].value_counts().to_dict() == {"train": 1500, "test": 500}
    assert adata.obs["label"].value_counts().to_dict() == dict.fromkeys(
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"], 200
    )
    ships = adata[adata.obs["label"] == "ship"].X.reshape(-1, 32, 32, 3).mean((0, 1, 2))
    assert ships[2] > ships[0]  # ships lie on blue


@pytest.mark.parametrize("max_bytes", [0, 2**31])
def test_tiny_imagenet(max_bytes: int) -> None:
    folder = find(SAMPLES / "tiny-imagenet-200")
    adata = io.read(folder, max_bytes=max_bytes)
    assert adata.shape == (800, 64 * 64 * 3)
    assert set(adata.obs["label"]) >= {"Egyptian cat", "bullfrog", "rocking chair"}
    rows = io.open_images(adata)[:] if adata.X is None else adata.X
    for number in (0, 250, 799):
        with Image.open(folder / adata.obs["file"].iloc[number]) as image:
            np.testing.assert_array_equal(rows[number].reshape(64, 64, 3), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(("name", "n_obs", "n_labels"), [("coil20", 1440, 20), ("yale_faces", 165, 15)])
def test_npz(name: str, n_obs: int, n_labels: int) -> None:
    path = find(SAMPLES / f"{name}.npz")
    adata = io.read(path)
    assert adata.shape == (n_obs, 1024)
    assert adata.obs["label"].nunique() == n_labels
    with np.load(path) as arrays:
        np.testing.assert_array_equal(adata.X.reshape(-1, 32, 32), arrays["images"])


def test_fashion_mnist() -> None:
    adata = io.read(find(FASHION))
    assert adata.shape == (70000, 784)
    assert adata.obs["split"].value_counts().to_dict() == {"train": 60000, "test": 10000}
    assert adata.obs["label"].value_counts().to_dict() == {str(label): 7000 for label in range(10)}
    with gzip.open(FASHION / "t10k-images-idx3-ubyte.gz") as stream:
        assert adata.X[60000:].tobytes() == stream.read()[16:]
