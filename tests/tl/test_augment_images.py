"""`tl.augment` of rare kinds of images, in memory and on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from diffaug_bio import io, tl
from tests.conftest import shifted_textures

if TYPE_CHECKING:
    from pathlib import Path

    from diffaug_bio import DiffAugConfig

KINDS = ("across", "checks", "down")


@pytest.mark.parametrize("max_bytes", [None, 0], ids=["in-memory", "on-the-disk"])
def test_rare_kinds_of_images_grow_wherever_their_pixels_are(
    tmp_path: Path, images_config: DiffAugConfig, max_bytes: int | None
) -> None:
    for number, image in enumerate(shifted_textures(62)):
        kind = KINDS[number % 3 if number < 32 else number % 2]  # 25, 25 and 10 or so
        (tmp_path / "set" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(tmp_path / "set" / kind / f"{number:02}.png")
    folder = tmp_path / "set"
    adata = io.read(folder) if max_bytes is None else io.read(folder, max_bytes=max_bytes)
    model = tl.fit(adata, config=images_config, device="cpu")
    rare = np.asarray(adata.obs["label"] == KINDS[2])
    more = tl.augment(adata, model, groupby="label", target=25)
    assert list(more.obs["label"]) == [KINDS[2]] * (25 - rare.sum())
    assert set(more.obs["source"]) == set(adata.obs_names[rare])
    assert len(np.unique(more.X, axis=0)) == more.n_obs
    assert more.X.dtype == np.uint8
