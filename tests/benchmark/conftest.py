"""Small labelled data, a configuration that trains in a moment, and score tables made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
import pytest

from diffaug_bio.benchmark import BenchmarkData
from diffaug_bio.config import DiffAugConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# metric -> data set -> method -> one value a seed
Values: TypeAlias = "Mapping[str, Mapping[str, Mapping[str, list[float]]]]"


@pytest.fixture(scope="package")
def shared_config() -> DiffAugConfig:
    """`tiny_config`, for fixtures that outlive a test."""
    return DiffAugConfig().updated(
        {
            "features": {"n_components": 8},
            "encoder": {"n_latent": 6, "hidden": [16], "projector_hidden": [16], "n_projection": 8},
            "generator": {"width": 16, "n_blocks": 1, "n_steps": 50, "n_sampling_steps": 5},
            "train": {
                "warmup_epochs": 2,
                "generator_epochs": 2,
                "encoder_epochs": 2,
                "min_steps": 4,
                "batch_size": 32,
            },
        },
        source="shared_config",
    )


@pytest.fixture(scope="package")
def make_data() -> Callable[..., BenchmarkData]:
    """Counts of three clusters, with a sequence for each row; the labels are the clusters."""

    def make(name: str = "cells", *, n_obs: int = 60, seed: int = 0) -> BenchmarkData:
        rng = np.random.default_rng(seed)
        cluster = np.arange(n_obs) % 3
        rates = rng.gamma(1.0, 1.0, size=(3, 30))
        letters = np.array(list("ACGT"))
        shares = rng.dirichlet(np.ones(4), size=3)
        return BenchmarkData(
            name=name,
            matrix=rng.poisson(rates[cluster]).astype(np.float32),
            input_state="counts",
            labels=np.array([f"c{number}" for number in cluster]),
            scored=np.ones(n_obs, dtype=bool),
            sequences=np.array(
                ["".join(rng.choice(letters, size=20, p=shares[number])) for number in cluster]
            ),
        )

    return make


@pytest.fixture(scope="package")
def make_scores() -> Callable[[Values], pd.DataFrame]:
    """Write nested numbers as the table of a benchmark."""

    def make(values: Values) -> pd.DataFrame:
        rows = [
            (data, method, seed, metric, value, 1.0, 100.0)
            for metric, by_data in values.items()
            for data, by_method in by_data.items()
            for method, found in by_method.items()
            for seed, value in enumerate(found)
        ]
        columns = ["data", "method", "seed", "metric", "value", "seconds", "peak_memory_mb"]
        return pd.DataFrame(rows, columns=columns)

    return make
