"""The generator: conditions, training, the bank of generated rows, and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
import torch

from diffaug_bio.config.kinds import decided
from diffaug_bio.core import generation
from diffaug_bio.core.batches import DenseRows
from diffaug_bio.core.diffusion import Prediction, Sampler
from diffaug_bio.core.generation import (
    conditions_of,
    feature_limits,
    feature_scale,
    generate,
    generate_bank,
    standardise_conditions,
    train_generator,
)
from diffaug_bio.core.runtime import eval_mode, seeded_generator
from diffaug_bio.core.state import encode
from tests.core.conftest import (
    CPU,
    N_FEATURES,
    N_ROWS,
    changed,
    clustered_rows,
    fit_and_state,
    same,
    snapshot,
    values_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Fit
    from diffaug_bio.core.state import TrainState


def test_loss_of_the_generator_falls(tiny_config: DiffAugConfig) -> None:
    config = changed(tiny_config, train={"generator_epochs": 40, "learning_rate": 1e-2})
    fit, state = fit_and_state(config)
    train_generator(fit, state, fit.rows, standardise_conditions(fit, state), round_=1)
    assert state.history[-1].loss < 0.8 * state.history[0].loss


@pytest.mark.parametrize(
    ("dropout", "low", "high"), [(0.1, 0.3, 0.7), (0.999, 0.9, 1.1)], ids=["shown", "hidden"]
)
def test_generated_rows_resemble_their_own_row_where_training_shows_conditions(
    tiny_config: DiffAugConfig, monkeypatch: pytest.MonkeyPatch, dropout: float, low: float, high: float
) -> None:
    monkeypatch.setattr(generation, "CONDITION_DROPOUT", dropout)
    config = changed(
        tiny_config,
        generator={"width": 32},
        train={"generator_epochs": 80, "learning_rate": 1e-2},
    )
    fit, state = fit_and_state(config)
    conditions = standardise_conditions(fit, state)
    train_generator(fit, state, fit.rows, conditions, round_=1)
    distances = torch.cdist(
        values_of(generate_bank(fit, state, fit.rows, conditions, round_=1)), clustered_rows()
    )
    assert low < float(distances.diagonal().mean() / distances.mean()) < high


def test_encoder_is_frozen_while_the_generator_trains(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    conditions = standardise_conditions(fit, state)
    before, denoiser = snapshot(state.encoder, state.projector), snapshot(state.denoiser)
    train_generator(fit, state, fit.rows, conditions, round_=1)
    assert same(snapshot(state.encoder, state.projector), before)
    assert not same(snapshot(state.denoiser), denoiser)


def test_averaged_denoiser_follows_the_trained_one(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    before = snapshot(state.averaged_denoiser)
    train_generator(fit, state, fit.rows, standardise_conditions(fit, state), round_=1)
    assert not same(snapshot(state.averaged_denoiser), before)
    assert not same(snapshot(state.averaged_denoiser), snapshot(state.denoiser))
    assert all(not parameter.requires_grad for parameter in state.averaged_denoiser.parameters())


@pytest.mark.parametrize(("linear_path", "n_kept"), [("kept", 3), ("learned", 0), ("none", 0)])
def test_conditions_are_what_was_learned_with_mean_zero_and_unit_variance(
    tiny_config: DiffAugConfig, linear_path: str, n_kept: int
) -> None:
    fit, state = fit_and_state(changed(tiny_config, encoder={"linear_path": linear_path}))
    conditions = standardise_conditions(fit, state)
    width = decided(tiny_config.encoder.n_latent) - n_kept
    torch.testing.assert_close(conditions.mean(0), torch.zeros(width), rtol=0, atol=1e-5)
    torch.testing.assert_close(conditions.std(0), torch.ones(width))
    learned = encode(state.encoder, fit.rows)[:, n_kept:]
    torch.testing.assert_close(conditions, (learned - state.condition_mean) / state.condition_std)


@pytest.mark.parametrize("condition", ["y", "z", "none"])
def test_kept_components_tell_the_generator_nothing(tiny_config: DiffAugConfig, condition: str) -> None:
    fit, state = fit_and_state(changed(tiny_config, generator={"condition": condition}))
    standardise_conditions(fit, state)
    y = encode(state.encoder, fit.rows)
    other_kept, other_learned = y.clone(), y.clone()
    other_kept[:, :3] += 1.0
    other_learned[:, 3:] += 1.0
    expected, kept_moved, learned_moved = (
        conditions_of(state, embedding, fit.config) for embedding in (y, other_kept, other_learned)
    )
    assert torch.equal(kept_moved, expected)
    assert torch.equal(learned_moved, expected) == (condition == "none")
    assert expected.shape == (N_ROWS, 8 if condition == "z" else 3)


@pytest.mark.parametrize("linear_path", ["kept", "none"])
def test_a_dead_column_of_the_embedding_becomes_a_condition_of_zeros(
    tiny_config: DiffAugConfig, linear_path: str
) -> None:
    fit, state = fit_and_state(changed(tiny_config, encoder={"hidden": [], "linear_path": linear_path}))
    with torch.no_grad():
        for parameter in state.encoder.parameters():
            parameter[0] = 0.0
    conditions = standardise_conditions(fit, state)
    assert conditions.isfinite().all()
    assert not conditions[:, 0].any()


@pytest.mark.parametrize("condition", ["y", "z", "none"])
def test_conditions_of_the_training_rows_are_those_of_the_training(
    tiny_config: DiffAugConfig, condition: str
) -> None:
    fit, state = fit_and_state(changed(tiny_config, generator={"condition": condition}))
    expected = standardise_conditions(fit, state)
    torch.testing.assert_close(conditions_of(state, encode(state.encoder, fit.rows), fit.config), expected)
    # A later row is treated alike, whatever rows stand beside it.
    some_rows = DenseRows(clustered_rows()[:3])
    few = conditions_of(state, encode(state.encoder, some_rows), fit.config)
    torch.testing.assert_close(few, expected[:3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sampler", get_args(Sampler))
@pytest.mark.parametrize("prediction", get_args(Prediction))
@pytest.mark.parametrize("guidance", [1.0, 2.0], ids="guidance-{}".format)
def test_bank_is_one_new_row_for_each_row(
    tiny_config: DiffAugConfig, sampler: Sampler, prediction: Prediction, guidance: float
) -> None:
    generator = {"sampler": sampler, "prediction": prediction, "guidance": guidance, "schedule": "linear"}
    fit, state = fit_and_state(changed(tiny_config, generator=generator))
    conditions = standardise_conditions(fit, state)
    first, second = (
        values_of(generate_bank(fit, state, fit.rows, conditions, round_=round_)) for round_ in (1, 2)
    )
    assert first.shape == (N_ROWS, N_FEATURES)
    assert first.isfinite().all()
    assert not torch.isclose(first, second).all(1).any()


def test_more_rows_than_a_block_are_generated_in_order(tiny_config: DiffAugConfig) -> None:
    values = clustered_rows(8200)
    settings = {"n_sampling_steps": 1, "noising": 1 / 50}
    fit, state = fit_and_state(changed(tiny_config, generator=settings), values=values)
    bank = values_of(generate_bank(fit, state, fit.rows, standardise_conditions(fit, state), round_=1))
    assert bank.shape == values.shape
    # Step 0 hardly noises a row, so what is generated lies near it.
    assert float((bank - values).abs().mean()) < 0.1 * float((bank - values.flip(0)).abs().mean())


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("prediction", get_args(Prediction))
def test_nothing_is_generated_beyond_the_range_of_the_rows(
    tiny_config: DiffAugConfig, schedule: str, prediction: Prediction
) -> None:
    generator = {"schedule": schedule, "prediction": prediction, "n_steps": 1000}
    fit, state = fit_and_state(changed(tiny_config, generator=generator))
    conditions = standardise_conditions(fit, state)
    train_generator(fit, state, fit.rows, conditions, round_=1)
    bank = values_of(generate_bank(fit, state, fit.rows, conditions, round_=1))
    assert torch.isfinite(bank).all()
    assert (bank.abs() <= feature_limits(fit.rows)).all()


@pytest.mark.parametrize(
    ("whitening", "power"), [("full", 1.0), ("half", 0.5), ("none", 0.0), ("auto", 0.0)]
)
def test_codes_are_scaled_by_a_power_of_their_deviations(whitening: Any, power: float) -> None:
    values = clustered_rows(9000) * torch.logspace(-3, 3, N_FEATURES) + 1e4
    values[:, 2] = 7.0
    found = feature_scale(DenseRows(values), whitening)
    expected = values.double().std(0, correction=0) ** power
    expected[2] = 1.0
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("noising", [0.5, 1.0], ids="noising-{}".format)
def test_of_whitened_codes_the_unit_does_not_count(tiny_config: DiffAugConfig, noising: float) -> None:
    units = 2.0 ** torch.arange(N_FEATURES)  # powers of two round alike
    config = changed(tiny_config, generator={"whitening": "full", "noising": noising})
    conditions = torch.randn(N_ROWS, 3, generator=seeded_generator(0, CPU, "conditions"))
    banks = []
    for values in (clustered_rows(), clustered_rows() * units):
        fit, state = fit_and_state(config, values=values)
        train_generator(fit, state, fit.rows, conditions, round_=1)
        banks.append(values_of(generate_bank(fit, state, fit.rows, conditions, round_=1)))
    assert not torch.allclose(banks[0], clustered_rows(), atol=1e-2)
    torch.testing.assert_close(banks[1] / units, banks[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampler", get_args(Sampler))
@pytest.mark.parametrize("condition_noise", [0.0, 0.5], ids="condition-noise-{}".format)
def test_a_larger_bank_begins_with_the_smaller_one(
    tiny_config: DiffAugConfig, sampler: Sampler, condition_noise: float
) -> None:
    settings = {"sampler": sampler, "condition_noise": condition_noise}
    banks = []
    for size in (1, 2):
        config = changed(tiny_config, generator=settings, train={"bank_size": size})
        fit, state = trained_generator(config)
        conditions = conditions_of(state, encode(state.encoder, fit.rows), config)
        banks.append(values_of(generate_bank(fit, state, fit.rows, conditions, round_=1)))
    assert banks[0].shape == (N_ROWS, N_FEATURES)
    assert banks[1].shape == (2 * N_ROWS, N_FEATURES)
    assert torch.equal(banks[1][:N_ROWS], banks[0])
    assert not torch.isclose(banks[1][N_ROWS:], banks[0]).all(1).any()


def test_without_a_condition_rows_of_any_source_are_generated_alike(tiny_config: DiffAugConfig) -> None:
    for condition in ("y", "z", "none"):
        fit, state = trained_generator(changed(tiny_config, generator={"condition": condition}))
        first, second = (
            generated_from(state, values, fit.config) for values in (fit_values(fit), -fit_values(fit))
        )
        assert torch.equal(first, second) == (condition == "none")


def test_a_condition_of_the_projection_is_the_standardised_projection(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(changed(tiny_config, generator={"condition": "z"}))
    conditions = standardise_conditions(fit, state)
    with eval_mode(state.projector):
        z = state.projector(encode(state.encoder, fit.rows))
    torch.testing.assert_close(conditions, (z - z.mean(0)) / z.std(0), rtol=1e-4, atol=1e-5)
    assert state.projector.training


def test_less_noising_generates_rows_nearer_to_their_source(tiny_config: DiffAugConfig) -> None:
    fit, state = trained_generator(tiny_config)
    distances = []
    for noising in (0.02, 0.2, 0.5, 1.0):
        config = changed(tiny_config, generator={"noising": noising})
        found = generated_from(state, fit_values(fit), config)
        distances.append(float((found - fit_values(fit)).square().mean()))
    assert distances == sorted(distances)
    assert distances[0] < 0.02 * distances[-1]


def test_noise_on_conditions_changes_what_is_generated_and_no_noise_nothing(
    tiny_config: DiffAugConfig,
) -> None:
    fit, state = trained_generator(changed(tiny_config, train={"generator_epochs": 40}))
    none, little, much = (
        generated_from(
            state, fit_values(fit), changed(tiny_config, generator={"condition_noise": strength})
        )
        for strength in (0.0, 1e-6, 3.0)
    )
    assert torch.equal(none, generated_from(state, fit_values(fit), tiny_config))
    assert not torch.equal(none, little)
    assert not torch.equal(little, much)


def trained_generator(config: DiffAugConfig) -> tuple[Fit, TrainState]:
    """A fit whose generator alone was trained."""
    fit, state = fit_and_state(changed(config, train={"learning_rate": 1e-2}))
    train_generator(fit, state, fit.rows, standardise_conditions(fit, state), round_=1)
    return fit, state


def fit_values(fit: Fit) -> Tensor:
    return fit.rows.take(torch.arange(fit.rows.shape[0]))


def generated_from(state: TrainState, values: Tensor, config: DiffAugConfig) -> Tensor:
    """Generate from rows, from the same noise every time."""
    rows = DenseRows(values)
    generator, condition_stream = (seeded_generator(0, CPU, use) for use in ("noise", "conditions"))
    conditions = conditions_of(state, encode(state.encoder, rows), config)
    return generate(state, rows, conditions, config, generator=generator, condition_stream=condition_stream)
