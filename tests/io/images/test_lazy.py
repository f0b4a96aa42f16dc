"""Images left on the disk, against the same images in memory."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from diffaug_bio import io
from diffaug_bio.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

N_OBS = 12


def write_folder(folder: Path, *, side: int = 10) -> Path:
    """Write images of two classes and many kinds."""
    rng = np.random.default_rng(0)
    for number in range(N_OBS):
        pixels = rng.integers(0, 256, (side, side, 4), dtype=np.uint8)
        path = folder / "ab"[number % 2] / f"{number}.{('png', 'jpg', 'gif')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).convert(("RGBA", "RGB", "P", "L")[number % 4 * (number % 3 == 0)]).convert(
            "RGB" if number % 3 == 1 else None
        ).save(path)
    return folder


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield write_folder(Path(name) / "set")


@pytest.mark.parametrize("image_size", [None, 4, 16])
def test_rows_are_those_that_memory_would_hold(folder: Path, image_size: int | None) -> None:
    eager = io.read(folder, image_size=image_size)
    adata = io.read(folder, image_size=image_size, max_bytes=eager.X.nbytes - 1)
    assert adata.X is None
    assert list(adata.var_names) == list(eager.var_names)
    assert list(adata.obs["image"]) == [str(folder / file) for file in adata.obs["file"]]
    assert list(adata.obs["label"]) == list(eager.obs["label"])
    images = io.open_images(adata)
    assert images.shape == eager.shape
    assert len(images) == N_OBS
    assert images.dtype == np.uint8
    assert tuple(images.image_shape) == tuple(eager.uns["image_shape"])
    np.testing.assert_array_equal(images[:], eager.X)


@given(
    st.one_of(
        st.slices(N_OBS),
        st.lists(st.integers(-N_OBS, N_OBS - 1), max_size=20).map(lambda rows: np.array(rows, np.int64)),
        st.lists(st.booleans(), min_size=N_OBS, max_size=N_OBS).map(np.array),
    )
)
def test_any_rows_come_in_the_order_asked_for(folder: Path, rows: slice | np.ndarray) -> None:
    eager = io.read(folder).X
    np.testing.assert_array_equal(io.open_images(io.read(folder, max_bytes=0))[rows], eager[rows])


def test_rows_outside_are_an_error(folder: Path) -> None:
    images = io.open_images(io.read(folder, max_bytes=0))
    with pytest.raises(IndexError, match="out of bounds"):
        images[np.array([N_OBS])]
    with pytest.raises(InputError, match=r"slice or an array of numbers, got 3"):
        images[3]  # type: ignore[index]


def test_subsets_and_files_keep_their_images(folder: Path, tmp_path: Path) -> None:
    eager = io.read(folder).X
    adata = io.read(folder, max_bytes=0)
    chosen = adata[adata.obs["label"] == "b"][::-1]
    np.testing.assert_array_equal(io.open_images(chosen)[:], eager[adata.obs["label"] == "b"][::-1])
    chosen.copy().write_h5ad(tmp_path / "chosen.h5ad")
    again = io.read(tmp_path / "chosen.h5ad")
    np.testing.assert_array_equal(io.open_images(again)[:], io.open_images(chosen)[:])
    io.write_images(tmp_path / "chosen.npz", again)
    np.testing.assert_array_equal(io.read(tmp_path / "chosen.npz").X, io.open_images(chosen)[:])


def test_several_threads_may_ask(folder: Path) -> None:
    eager = io.read(folder).X
    images = io.open_images(io.read(folder, max_bytes=0))
    orders = [np.random.default_rng(seed).permutation(N_OBS) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for rows, found in zip(orders, pool.map(images.__getitem__, orders), strict=True):
            np.testing.assert_array_equal(found, eager[rows])


def test_paths_do_not_depend_on_the_folder_one_is_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    adata = io.read(folder.name, max_bytes=0)
    monkeypatch.chdir("/")
    assert io.open_images(adata)[:2].shape == (2, 300)


def test_files_that_changed_since_are_named(tmp_path: Path) -> None:
    adata = io.read(write_folder(tmp_path / "set"), max_bytes=0)
    images = io.open_images(adata)
    changed, gone, cut = (Path(adata.obs["image"].iloc[row]) for row in (2, 4, 6))
    Image.new("RGB", (10, 11)).save(changed)
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:60])
    assert images[np.array([0, 1, 3, 5])].shape == (4, 300)
    with pytest.raises(
        InputError, match=rf"{changed.name} has 11 x 10 pixels, where 10 x 10 were expected"
    ):
        images[:4]
    with pytest.raises(InputError, match=rf"{gone.name} is no longer there"):
        images[4:6]
    with pytest.raises(InputError, match=rf"{cut.name} is (damaged|no image)"):
        images[6:]


def test_data_without_images_says_so(folder: Path) -> None:
    with pytest.raises(InputError, match=r"names no images to decode in .*; its pixels are in `\.X`"):
        io.open_images(io.read(folder))
    adata = io.read(folder, max_bytes=0)
    adata.uns["image_decoding"]["decoder"] = "video"
    with pytest.raises(InputError, match=r"has images of an unknown kind 'video'"):
        io.open_images(adata)
    with pytest.raises(InputError, match=r"names no images to decode in .*; read the images again"):
        io.open_images(anndata.AnnData(obs=adata.obs))
