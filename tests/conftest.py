"""Fixtures: small real data, configurations that train in a second, and a fitted model."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import settings
from scipy import sparse
from threadpoolctl import threadpool_limits

from diffaug_bio.config import DiffAugConfig
from diffaug_bio.model.estimator import DiffAug
from diffaug_bio.model.files import DIGEST_ENTRY, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

# Examples take many times longer on a busy machine.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# Files of few tests that take long. They come first, so that no process is left with one at the end.
LONG = (
    "tests/docs/test_blocks.py",
    "tests/robustness/",
    "tests/docs/test_site.py",
    "tests/test_packaging.py",
    "tests/report/",
    "tests/model/",
    "tests/cli/",
    "tests/benchmark/",
    "tests/output/",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run tests that train for long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((at for at, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG))

    items.sort(key=place)
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="trains for long: run with --slow"))
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread_of_blas() -> Iterator[None]:
    """Threads that wait for each other make small products many times slower where others compute too."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Bits depend on the number of threads, and small matrices are fastest on one.

    Set before every test, since pynndescent sets it to that of all cores.
    """
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_config() -> DiffAugConfig:
    """Every phase runs, in well under a second."""
    return DiffAugConfig().replace(
        # Forty genes stand for all of them, and not for a panel.
        features={"n_components": 8, "target_sum": 1e4},
        encoder={
            "n_latent": 6,
            "hidden": [16],
            "projector_hidden": [16],
            "n_projection": 8,
        },
        generator={"width": 16, "n_blocks": 1, "n_steps": 50, "n_sampling_steps": 5},
        train={
            "warmup_epochs": 2,
            "generator_epochs": 2,
            "encoder_epochs": 2,
            "min_steps": 4,
            "batch_size": 32,
        },
    )


@pytest.fixture
def letters_config(tiny_config: DiffAugConfig) -> DiffAugConfig:
    """Take the encoder of sequences, and every phase runs in well under a second."""
    return tiny_config.replace(encoder={"kind": "cnn"})


def clustered_dna(n_obs: int = 90, length: int = 40, *, unequal: bool = False, seed: int = 0) -> list[str]:
    """Sequences of three clusters, each with shares of bases of its own at every position, and some N."""
    rng = np.random.default_rng(seed)
    shares = np.random.default_rng(0).dirichlet([0.5] * 4, size=(3, length))  # of all seeds the same
    sequences = []
    for number in range(n_obs):
        letters = np.array([rng.choice(list("ACGT"), p=share) for share in shares[number % 3]])
        letters[rng.random(length) < 0.02] = "N"
        sequences.append("".join(letters[: length - number % 7] if unequal else letters))
    return sequences


@pytest.fixture
def images_config(tiny_config: DiffAugConfig) -> DiffAugConfig:
    """Few components, and every phase runs in well under a second."""
    return tiny_config


def shifted_textures(
    n_obs: int = 90, shape: tuple[int, int, int] = (16, 16, 1), *, seed: int = 0
) -> NDArray[np.uint8]:
    """Noisy images with a square of stripes down, stripes across or checks, each somewhere else."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    images = rng.normal(100, 30, (n_obs, height, width, channels))
    row, column = np.indices((8, 8))
    for number, image in enumerate(images):
        down, across = ((position + rng.integers(4)) // 2 % 2 for position in (row, column))
        texture = (down, across, down ^ across)[number % 3] - 0.5
        top, left = rng.integers(height - 7), rng.integers(width - 7)
        image[top : top + 8, left : left + 8] += texture[:, :, None] * rng.uniform(60, 140, channels)
    return images.clip(0, 255).round().astype(np.uint8)


def sign_model(folder: Path) -> None:
    """Bring the digest of a model folder up to date, as whoever forges one can, where its JSON is read."""
    try:
        description = json.loads((folder / "config.json").read_text())
        names = json.loads((folder / "features.json").read_text()).get("names")
        description[DIGEST_ENTRY] = digest_of(description, names)
    except (
        ValueError,
        AttributeError,
        TypeError,
        RecursionError,
    ):
        return
    (folder / "config.json").write_text(json.dumps(description))


def make_counts() -> AnnData:
    """Counts of 120 cells and 40 genes in CSR, three clusters of cells that differ in their genes."""
    rng = np.random.default_rng(0)
    cluster = np.repeat([0, 1, 2], 40)
    rates = rng.gamma(1.0, 1.0, size=(3, 40))
    matrix = rng.poisson(rates[cluster]).astype(np.float32)
    return anndata.AnnData(
        X=sparse.csr_matrix(matrix),
        obs=pd.DataFrame(
            {"cluster": pd.Categorical([f"c{i}" for i in cluster])},
            index=[f"cell{i}" for i in range(120)],
        ),
        var=pd.DataFrame(index=[f"gene{i}" for i in range(40)]),
    )


@pytest.fixture
def counts() -> AnnData:
    """Counts of 120 cells and 40 genes in three clusters."""
    return make_counts()


@pytest.fixture(scope="session")
def _fitted_once(tiny_config: DiffAugConfig) -> DiffAug:
    cells = make_counts()
    return DiffAug(tiny_config, device="cpu").fit(cells.X, feature_names=list(cells.var_names))


@pytest.fixture
def fitted(_fitted_once: DiffAug) -> DiffAug:
    """A copy of a model fitted to `counts`."""
    return copy.deepcopy(_fitted_once)
