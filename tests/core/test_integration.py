"""Batches in training: codes of batches, the shift penalty, partners, and rows generated in a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import BatchConfig, DiffAugConfig
from diffaug_bio.core.batches import DenseRows
from diffaug_bio.core.generated import generated_codes
from diffaug_bio.core.generation import code_rows, standardise_conditions, train_generator
from diffaug_bio.core.integration import Batches, batch_codes, shift_penalty
from diffaug_bio.core.phases import Fit
from diffaug_bio.core.trainer import train
from tests.core.conftest import (
    CPU,
    FEATURES,
    N_FEATURES,
    N_ROWS,
    changed,
    clustered_rows,
    fit_and_state,
    networks,
    same,
    trained,
    without_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from diffaug_bio.core.state import TrainState

NAMES = ("a", "b", "c")
EFFECT = 1.5


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def batched_config(tiny_config: DiffAugConfig) -> DiffAugConfig:
    """The tiny configuration, of rows of two batches."""
    return tiny_config.with_batches(("a", "b"))


def two_batches(config: BatchConfig | None = None, *, confidence: float = 1.0) -> tuple[Tensor, Batches]:
    """Rows of three clusters, half of them in a batch that moves them, and partners there."""
    number = torch.arange(N_ROWS) // 3 % 2
    moved = torch.zeros(N_FEATURES)
    moved[:4] = EFFECT
    rows = clustered_rows() + number[:, None] * moved
    cluster = torch.arange(N_ROWS) % 3
    partners = torch.stack(
        [
            torch.nonzero((cluster == cluster[row]) & (number != number[row])).squeeze(1)[:5]
            for row in range(N_ROWS)
        ]
    )
    shift = torch.where(number[:, None] == 0, moved, -moved)
    sure = torch.full((N_ROWS,), confidence)
    config = config or BatchConfig(names=("a", "b"))
    return rows, Batches(config, number, partners, sure, shift)


def fitted(
    config: DiffAugConfig,
    *,
    seed: int = 0,
    confidence: float = 1.0,
    settings: dict[str, float] | None = None,
) -> TrainState:
    given: dict[str, Any] = settings or {}
    rows, batches = two_batches(replace(config.batches, **given), confidence=confidence)
    return train(
        DenseRows(rows),
        config,
        FEATURES,
        neighbors=None,
        seed=seed,
        precision=torch.float32,
        batches=batches,
    )


def test_the_code_of_a_batch_is_a_column_of_its_own() -> None:
    config = BatchConfig(names=NAMES)
    codes = batch_codes(torch.tensor([2, -1, 0, 1]), config, 4, CPU)
    expected = [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert torch.equal(codes, 2.0 * torch.tensor(expected))


@pytest.mark.parametrize("number", [None, torch.full((3,), -1)], ids=["left out", "unknown"])
def test_no_batch_is_a_code_of_zeros(number: Tensor | None) -> None:
    assert torch.equal(batch_codes(number, BatchConfig(names=NAMES), 3, CPU), torch.zeros(3, 3))


def test_a_fit_without_batches_has_codes_without_columns() -> None:
    assert batch_codes(None, BatchConfig(), 5, CPU).shape == (5, 0)
    assert batch_codes(torch.zeros(5, dtype=torch.long), BatchConfig(), 5, CPU).shape == (5, 0)


def slow_penalty(encode: Callable[[Tensor], Tensor], x: Tensor, shift: Tensor, confidence: Tensor) -> float:
    """Row by row, and column by column."""
    here, there = encode(x), encode(x + shift)
    n_rows, n_latent = here.shape
    spread = 0.0
    for column in range(n_latent):
        mean = sum(float(here[row, column]) for row in range(n_rows)) / n_rows
        spread += sum((float(here[row, column]) - mean) ** 2 for row in range(n_rows)) / (n_rows - 1)
    total = 0.0
    for row in range(n_rows):
        away = sum(float(there[row, column] - here[row, column]) ** 2 for column in range(n_latent))
        total += float(confidence[row]) * away
    return total / n_rows / spread


def test_the_penalty_is_that_of_a_slow_loop(generator: torch.Generator) -> None:
    encoder = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).requires_grad_(requires_grad=False)
    x, shift = torch.randn((2, 7, 5), generator=generator)
    confidence = torch.rand(7, generator=generator)
    found = float(shift_penalty(encoder, x, shift, confidence))
    assert found == pytest.approx(slow_penalty(encoder, x, shift, confidence), rel=1e-5)
    assert found > 0


def test_the_penalty_does_not_depend_on_the_scale_of_the_embedding(generator: torch.Generator) -> None:
    x, shift = torch.randn((2, 9, 4), generator=generator)
    one, hundred = (
        shift_penalty(lambda rows, factor=factor: factor * rows, x, shift, torch.ones(9))  # type: ignore[arg-type]
        for factor in (1.0, 100.0)
    )
    torch.testing.assert_close(one, hundred)


def test_rows_without_shift_or_confidence_cost_nothing(generator: torch.Generator) -> None:
    encoder = nn.Linear(4, 3).requires_grad_(requires_grad=False)
    x, shift = torch.randn((2, 6, 4), generator=generator)
    assert float(shift_penalty(encoder, x, torch.zeros_like(x), torch.ones(6))) == 0
    assert float(shift_penalty(encoder, x, shift, torch.zeros(6))) == 0


def test_the_penalty_turns_the_encoder_away_from_the_shift_and_from_nothing_else(
    generator: torch.Generator,
) -> None:
    encoder = nn.Linear(4, 3, bias=False)
    x = torch.randn((50, 4), generator=generator)
    shift = torch.zeros(50, 4)
    shift[:, 0] = 1
    shift_penalty(encoder, x, shift, torch.ones(50)).backward()  # type: ignore[no-untyped-call]
    gradient = encoder.weight.grad
    assert gradient is not None
    # The spread is a scale and no goal: else the penalty were lowered by blowing up other directions.
    assert (gradient[:, 0] != 0).all()
    torch.testing.assert_close(gradient[:, 1:], torch.zeros(3, 3), atol=1e-6, rtol=0)
    with torch.no_grad():
        before = shift_penalty(encoder, x, shift, torch.ones(50))
        encoder.weight -= 0.1 * gradient
        assert shift_penalty(encoder, x, shift, torch.ones(50)) < before


def test_partners_are_drawn_from_those_of_the_row(generator: torch.Generator) -> None:
    _, batches = two_batches()
    indices = torch.arange(N_ROWS).flip(0)
    drawn = torch.stack([batches.draw(indices, generator) for _ in range(60)])
    for place, row in enumerate(indices):
        assert set(drawn[:, place].tolist()) == set(batches.partners[row].tolist())


def test_rows_are_to_be_generated_in_batches_of_their_partners(generator: torch.Generator) -> None:
    _, batches = two_batches()
    assert torch.equal(batches.targets(generator), 1 - batches.number)
    own = torch.arange(N_ROWS)[:, None].expand(N_ROWS, 5)
    alone = replace(batches, partners=own, confidence=torch.zeros(N_ROWS))
    assert torch.equal(alone.targets(generator), batches.number)


def test_training_with_batches_repeats_itself(batched_config: DiffAugConfig) -> None:
    first, again, other = (fitted(batched_config, seed=seed) for seed in (0, 0, 1))
    assert same(networks(first), networks(again))
    assert without_seconds(first.history) == without_seconds(again.history)
    assert not same(networks(first), networks(other))


def test_settings_of_batches_change_no_fit_without_them(tiny_config: DiffAugConfig) -> None:
    settings: dict[str, Any] = {
        "partner_fraction": 0.1,
        "counterfactual_fraction": 0.1,
        "shift_weight": 1e3,
    }
    plain, other = trained(tiny_config), trained(changed(tiny_config, batches=settings))
    assert same(networks(plain), networks(other))
    assert without_seconds(plain.history) == without_seconds(other.history)


@pytest.mark.parametrize(
    "setting",
    [{"partner_fraction": 0.0}, {"counterfactual_fraction": 0.0}, {"shift_weight": 0.0}],
    ids=lambda setting: next(iter(setting)),
)
def test_each_setting_has_its_part(batched_config: DiffAugConfig, setting: dict[str, float]) -> None:
    assert not same(networks(fitted(batched_config)), networks(fitted(batched_config, settings=setting)))


def test_only_the_encoder_of_the_rounds_sees_counterfactual_rows(batched_config: DiffAugConfig) -> None:
    usual, without = (
        fitted(batched_config),
        fitted(batched_config, settings={"counterfactual_fraction": 0.0}),
    )
    before = [event for event in without_seconds(usual.history) if event[0] == "warm_up"]
    assert before == [event for event in without_seconds(without.history) if event[0] == "warm_up"]


def test_of_rows_that_have_nothing_in_other_batches_neither_partners_nor_shift_count(
    batched_config: DiffAugConfig,
) -> None:
    usual = fitted(batched_config, confidence=0.0)
    settings = {"partner_fraction": 0.0, "counterfactual_fraction": 0.0, "shift_weight": 7.0}
    assert same(networks(usual), networks(fitted(batched_config, confidence=0.0, settings=settings)))


def long_enough(config: DiffAugConfig) -> DiffAugConfig:
    """Let the generator learn what a batch is."""
    return changed(
        config,
        generator={"width": 48, "n_sampling_steps": 8, "ema_decay": 0.99},
        train={"generator_epochs": 300, "patience": 0, "validation_fraction": 0.0},
    )


def test_rows_generated_in_a_batch_are_like_its_rows(batched_config: DiffAugConfig) -> None:
    config = long_enough(batched_config)
    rows, batches = two_batches()
    fit, state = fit_and_state(config, values=rows)
    fit = replace(fit, batches=batches)
    codes = code_rows(state, fit.rows)
    train_generator(fit, state, codes, standardise_conditions(fit, state), round_=1)
    means = {}
    for name, number in {"a": 0, "b": 1, "none": -1}.items():
        asked = torch.full((N_ROWS,), number)
        _, made = generated_codes(state, fit.rows, config, seed=0, batch=asked)
        means[name] = made.mean(0)
    moved = means["b"] - means["a"]
    # The condition of an untrained encoder tells some of the batch, so that the code need not.
    assert 0.4 * EFFECT < float(moved[:4].mean()) < 1.4 * EFFECT
    assert float(moved[4:].abs().mean()) < 0.25 * EFFECT
    assert float(means["a"][:4].mean()) < float(means["none"][:4].mean()) < float(means["b"][:4].mean())


def test_a_fit_without_batches_is_told_of_none(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    assert isinstance(fit, Fit)
    assert fit.batches is None
    codes, plain = generated_codes(state, fit.rows, tiny_config, seed=0)
    unknown = generated_codes(state, fit.rows, tiny_config, seed=0, batch=torch.full((N_ROWS,), -1))[1]
    assert torch.equal(plain, unknown)
    assert codes.shape == plain.shape
