"""The denoiser's error of each row: against a loop, and that it depends on no other row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from diffaug_bio.core.batches import DenseRows, HostRows
from diffaug_bio.core.generated import encode_with_errors
from diffaug_bio.core.generation import conditions_of
from diffaug_bio.core.runtime import seeded_generator
from diffaug_bio.core.state import encode
from tests.core.conftest import CPU, N_FEATURES, changed, clustered_rows, trained

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.state import TrainState

ROWS = DenseRows(clustered_rows())


def errors_of(state: TrainState, values: torch.Tensor, config: DiffAugConfig) -> torch.Tensor:
    return encode_with_errors(state, DenseRows(values), config)[1]


@pytest.mark.parametrize("prediction", ["noise", "velocity"])
@pytest.mark.parametrize(("condition", "whitening"), [("y", "none"), ("z", "full"), ("none", "half")])
def test_errors_are_those_of_a_slow_loop(
    tiny_config: DiffAugConfig, prediction: str, condition: str, whitening: str
) -> None:
    generator = {"prediction": prediction, "condition": condition, "whitening": whitening}
    config = changed(tiny_config, generator=generator)
    state = trained(config)
    assert bool((state.code_scale == 1).all()) == (whitening == "none")
    found = errors_of(state, ROWS.values, config)
    noises = torch.randn((2, 2, N_FEATURES), generator=seeded_generator(0, CPU, "novelty"))
    conditions = conditions_of(state, encode(state.encoder, ROWS), config)
    n_steps = config.generator.n_steps
    state.averaged_denoiser.eval()
    for row in (0, 7, 50):
        x0, total = ROWS.values[row : row + 1] / state.code_scale, 0.0
        for share, draws in zip((0.3, 0.5), noises, strict=True):
            t = torch.tensor([round(share * n_steps) - 1])
            for noise in draws:
                alpha_bar = state.diffusion.alphas_bar[t]
                x_t = alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
                with torch.no_grad():
                    answer = state.averaged_denoiser(x_t, t, conditions[row : row + 1])
                if prediction == "noise":
                    restored = (x_t - (1 - alpha_bar).sqrt() * answer) / alpha_bar.sqrt()
                else:
                    restored = alpha_bar.sqrt() * x_t - (1 - alpha_bar).sqrt() * answer
                total += float((restored - x0).square().mean()) / 4
        assert float(found[row]) == pytest.approx(total, rel=1e-4)


def test_an_error_depends_on_no_other_row(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config)
    every = errors_of(state, ROWS.values, tiny_config)
    alone = torch.cat([errors_of(state, ROWS.values[row : row + 1], tiny_config) for row in range(5)])
    torch.testing.assert_close(alone, every[:5], rtol=1e-4, atol=1e-5)
    assert torch.equal(errors_of(state, ROWS.values, tiny_config), every)


def test_rows_unlike_the_training_rows_are_restored_worse(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config)
    assert (
        errors_of(state, 5 + ROWS.values, tiny_config).median()
        > 2 * errors_of(state, ROWS.values, tiny_config).median()
    )


def test_modes_of_the_networks_are_left_as_they_were(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config)
    state.averaged_denoiser.train()
    errors_of(state, ROWS.values, tiny_config)
    assert state.averaged_denoiser.training


def test_rows_are_read_once_and_embedded_as_ever(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config)
    read: list[int] = []

    def rows_at(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        read.extend(indices.tolist())
        return ROWS.values.numpy()[indices]

    rows = HostRows(rows_at, ROWS.shape, CPU)
    embedding, errors = encode_with_errors(state, rows, tiny_config)
    assert sorted(read) == list(range(len(ROWS.values)))
    assert torch.equal(embedding, encode(state.encoder, ROWS))
    assert torch.equal(errors, errors_of(state, ROWS.values, tiny_config))


def test_more_rows_than_a_block_are_scored_in_order(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config)
    many = ROWS.values.repeat(100, 1)  # of 11,000 rows in blocks of 8192
    errors = errors_of(state, many, tiny_config).reshape(100, -1)
    torch.testing.assert_close(errors[-1], errors_of(state, ROWS.values, tiny_config), rtol=1e-4, atol=1e-5)
