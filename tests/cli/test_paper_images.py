"""The preset `paper-images` on files in the layouts of the published data sets.

What is cut on the CPU: images (a handful), epochs (1), denoiser calls for each image (2) and channels of
the U-Net (8). The networks are those of the preset, ResNet-18 and U-Net. On CUDA, only images and epochs
are cut.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pytest

from diffaug_bio import DiffAug, io, tl
from diffaug_bio.config import DiffAugConfig
from diffaug_bio.core.image_encoders import ResNet18
from diffaug_bio.core.unet import UNetDenoiser
from tests.conftest import shifted_textures
from tests.io.images.test_cifar import write_cifar10, write_cifar100
from tests.io.images.test_stl10 import write_stl10
from tests.io.images.test_tiny_imagenet import write_tiny_imagenet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

CUT = """
preset = "paper-images"
[generator]
n_sampling_steps = 2
width = 8
[train]
warmup_epochs = 1
generator_epochs = 1
encoder_epochs = 1
"""
LAYOUTS: dict[str, tuple[Callable[[Path], object], int, int, int]] = {
    "cifar-10-batches-py": (write_cifar10, 32, 20, 24),
    "cifar-100-python": (lambda folder: write_cifar100(folder, train=[0, 1, 2] * 4), 32, 12, 14),
    "stl10_binary": (write_stl10, 96, 8, 10),
    "tiny-imagenet-200": (write_tiny_imagenet, 64, 6, 9),
}
"""How each is written, the side of its images, how many of them are fitted, and how many there are."""


@pytest.mark.parametrize(("write", "side", "n_fitted", "n_obs"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_published_networks_train_on_the_published_layouts(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    call: Callable[..., Result],
    write: Callable[[Path], object],
    side: int,
    n_fitted: int,
    n_obs: int,
) -> None:
    folder = tmp_path / request.node.callspec.id
    write(folder)
    (tmp_path / "cut.toml").write_text(CUT)

    def command(*arguments: object) -> str:
        result = call(*arguments, "--threads", 1, "--device", "cpu")
        assert result.code == 0, result.err
        return result.err

    config = ["--config", tmp_path / "cut.toml"]
    log = command("fit", folder, "-o", tmp_path / "run", "--no-report", *config)
    assert "(column 'split') is used: " in log
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["config"]["features"]["image_shape"] == [side, side, 3]
    embedded = anndata.read_h5ad(tmp_path / "run" / "embedded.h5ad")
    assert (embedded.obs["split"] != "test").sum() == n_fitted
    assert embedded.obsm["X_diffaug"].shape == (n_obs, 512)
    assert np.isfinite(embedded.obsm["X_diffaug"]).all()
    command("augment", folder, "--model", tmp_path / "run", "-o", tmp_path / "more.npz")
    generated = io.read(tmp_path / "more.npz")
    assert generated.shape == (n_obs, side * side * 3)
    assert generated.X.dtype == np.uint8
    model = DiffAug.load(tmp_path / "run", device="cpu")
    assert [event.phase for event in model.history_] == ["warm_up", "generator", "encoder"]
    assert np.isfinite([event.loss for event in model.history_]).all()
    assert isinstance(model.state_.encoder, ResNet18)
    assert isinstance(model.state_.denoiser, UNetDenoiser)


@pytest.mark.gpu
def test_the_uncut_networks_train_on_cuda(tmp_path: Path) -> None:
    images = shifted_textures(90, (32, 32, 3))
    splits = np.arange(90) % 3 == 2
    np.savez(
        tmp_path / "images.npz",
        x_train=images[~splits],
        y_train=(np.arange(90) % 3)[~splits],
        x_test=images[splits],
        y_test=(np.arange(90) % 3)[splits],
    )
    adata = io.read(tmp_path / "images.npz")
    epochs = {"warmup_epochs": 3, "generator_epochs": 3, "encoder_epochs": 3}
    config = DiffAugConfig.preset("paper-images").replace(train=epochs)
    model = tl.fit(adata, config=config, split_key="split", device="cuda")
    assert np.isfinite([event.loss for event in model.history_]).all()
    assert len(model.history_) == 9
    assert np.isfinite(adata.obsm["X_diffaug"]).all()
    generated = tl.augment(adata[:4], model)
    assert generated.X.dtype == np.uint8
    assert (generated.X != adata[:4].X).any()
