"""Training in turn on a hundred rows: phases, what is frozen, seeds, early stopping, errors."""

from __future__ import annotations

import copy
import math
import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import DiffAugConfig, Loss, LossConfig, WarmupView
from diffaug_bio.core import views
from diffaug_bio.core.batches import DenseRows, HostRows, iterate_batches, n_batches, split_rows
from diffaug_bio.core.diffusion import Prediction, Sampler
from diffaug_bio.core.losses import info_nce, soft_contrastive_loss
from diffaug_bio.core.phases import EpochEnd, Fit, planned_epochs
from diffaug_bio.core.runtime import eval_mode, seeded_generator
from diffaug_bio.core.trainer import (
    TrainState,
    build,
    contrastive_loss,
    encode,
    feature_limits,
    refresh_positives,
    standardise_conditions,
    train,
    train_encoder,
    train_generator,
    update_average,
)
from diffaug_bio.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from diffaug_bio.core.batches import Rows

N_ROWS, N_FEATURES = 110, 12
CPU = torch.device("cpu")
NEIGHBOR_VIEWS: list[WarmupView] = ["neighbor_noise", "neighbor_mix"]


@pytest.fixture
def tiny_config(tiny_config: DiffAugConfig) -> DiffAugConfig:
    """Take a view that needs no neighbors, so that most tests need none."""
    return changed(tiny_config, train={"warmup_view": "gaussian", "view_strength": 0.5})


def clustered_rows(n_rows: int = N_ROWS) -> Tensor:
    """Rows of three clusters, with columns of about unit variance."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn((3, N_FEATURES), generator=generator)
    return centers[torch.arange(n_rows) % 3] + 0.5 * torch.randn((n_rows, N_FEATURES), generator=generator)


def nearest(values: Tensor) -> Tensor:
    """Row numbers of the three nearest other rows."""
    return torch.cdist(values, values).topk(4, largest=False).indices[:, 1:]


def changed(config: DiffAugConfig, **sections: dict[str, Any]) -> DiffAugConfig:
    return config.updated(sections, source="test")


def trained(
    config: DiffAugConfig,
    *,
    rows: Rows | None = None,
    neighbors: Tensor | None = None,
    seed: int = 0,
    precision: torch.dtype = torch.float32,
    callbacks: tuple[Callable[[EpochEnd], None], ...] = (),
) -> TrainState:
    """Run `train` with the defaults of these tests."""
    return train(
        DenseRows(clustered_rows()) if rows is None else rows,
        config,
        neighbors=neighbors,
        seed=seed,
        precision=precision,
        callbacks=callbacks,
    )


def fit_and_state(
    config: DiffAugConfig, *, values: Tensor | None = None, seed: int = 0
) -> tuple[Fit, TrainState]:
    """Prepare single phases as `train` does."""
    values = clustered_rows() if values is None else values
    train_rows, held_out_rows = split_rows(len(values), config.train.validation_fraction, seed=seed)
    fit = Fit(
        config=config,
        rows=DenseRows(values),
        neighbors=None,
        train_rows=train_rows,
        held_out_rows=held_out_rows,
        generator=seeded_generator(seed, CPU),
        seed=seed,
        precision=torch.float32,
        callbacks=(),
    )
    state = build(config, n_features=values.shape[1], seed=seed, device=CPU)
    state.limits = feature_limits(fit.rows)
    return fit, state


def snapshot(*modules: nn.Module) -> list[dict[str, Tensor]]:
    return [copy.deepcopy(module.state_dict()) for module in modules]


def same(first: list[dict[str, Tensor]], second: list[dict[str, Tensor]]) -> bool:
    return all(torch.equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a | b)


def networks(state: TrainState) -> list[dict[str, Tensor]]:
    return snapshot(state.encoder, state.projector, state.denoiser, state.averaged_denoiser)


def without_seconds(history: list[EpochEnd]) -> list[tuple[object, ...]]:
    return [(event.phase, event.round, event.epoch, event.loss, event.held_out_loss) for event in history]


# Phases, history and callbacks


@pytest.mark.parametrize("rounds", [0, 1, 2], ids="rounds-{}".format)
def test_phases_follow_each_other_and_progress_ends_at_one(tiny_config: DiffAugConfig, rounds: int) -> None:
    history = trained(changed(tiny_config, train={"rounds": rounds})).history
    expected = [("warm_up", 0, 1), ("warm_up", 0, 2)]
    for round_ in range(1, rounds + 1):
        expected += [("generator", round_, 1), ("generator", round_, 2)]
        expected += [("encoder", round_, 1), ("encoder", round_, 2)]
    assert [(event.phase, event.round, event.epoch) for event in history] == expected
    assert all(event.ends_phase == (event.epoch == event.n_epochs == 2) for event in history)
    assert all(before.progress < after.progress for before, after in pairwise(history))
    assert history[-1].progress == pytest.approx(1.0)
    assert all(math.isfinite(event.loss) and math.isfinite(event.held_out_loss) for event in history)


def test_callbacks_are_told_of_every_epoch(tiny_config: DiffAugConfig) -> None:
    first: list[EpochEnd] = []
    second: list[EpochEnd] = []
    state = trained(tiny_config, callbacks=(first.append, second.append))
    assert first == second == state.history


def test_without_held_out_rows_the_held_out_loss_is_nan(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config, rows=DenseRows(clustered_rows(60)))
    assert all(math.isnan(event.held_out_loss) for event in state.history)
    assert state.history[-1].ends_phase


def test_small_data_get_more_epochs_to_reach_the_least_number_of_steps() -> None:
    config = changed(DiffAugConfig(), train={"warmup_epochs": 30, "min_steps": 200, "batch_size": 512})
    assert planned_epochs("warm_up", 100, config) == 200
    assert planned_epochs("warm_up", 51_200, config) == 30
    steps = planned_epochs("warm_up", 1500, config) * n_batches(1500, 512)
    assert 200 <= steps < 203


# What training achieves


def test_held_out_loss_of_the_warm_up_falls(tiny_config: DiffAugConfig) -> None:
    config = changed(tiny_config, train={"warmup_epochs": 30, "rounds": 0, "learning_rate": 1e-2})
    losses = [event.held_out_loss for event in trained(config).history]
    assert len(losses) > 20
    assert min(losses) < 0.8 * losses[0]


def test_loss_of_the_generator_falls(tiny_config: DiffAugConfig) -> None:
    config = changed(tiny_config, train={"generator_epochs": 40, "learning_rate": 1e-2})
    fit, state = fit_and_state(config)
    train_generator(fit, state, standardise_conditions(fit, state), round_=1)
    assert state.history[-1].loss < 0.8 * state.history[0].loss


@pytest.mark.parametrize(
    ("dropout", "low", "high"), [(0.1, 0.3, 0.7), (0.999, 0.9, 1.1)], ids=["shown", "hidden"]
)
def test_generated_rows_resemble_their_own_row_where_training_shows_conditions(
    tiny_config: DiffAugConfig, dropout: float, low: float, high: float
) -> None:
    config = changed(
        tiny_config,
        generator={"width": 32, "condition_dropout": dropout},
        train={"generator_epochs": 80, "learning_rate": 1e-2},
    )
    fit, state = fit_and_state(config)
    conditions = standardise_conditions(fit, state)
    train_generator(fit, state, conditions, round_=1)
    distances = torch.cdist(refresh_positives(fit, state, conditions).values, clustered_rows())
    assert low < float(distances.diagonal().mean() / distances.mean()) < high


@pytest.mark.parametrize("name", get_args(Loss))
def test_every_loss_trains(tiny_config: DiffAugConfig, name: Loss) -> None:
    state = trained(changed(tiny_config, loss={"name": name}))
    assert encode(state.encoder, DenseRows(clustered_rows())).isfinite().all()


@pytest.mark.parametrize("view", get_args(WarmupView))
def test_every_view_trains(tiny_config: DiffAugConfig, view: WarmupView) -> None:
    state = trained(changed(tiny_config, train={"warmup_view": view}), neighbors=nearest(clustered_rows()))
    assert encode(state.encoder, DenseRows(clustered_rows())).isfinite().all()


@pytest.mark.parametrize("view", NEIGHBOR_VIEWS)
def test_neighbor_views_take_the_neighbors_of_each_row(
    tiny_config: DiffAugConfig, view: WarmupView
) -> None:
    itself = torch.arange(N_ROWS)[:, None]
    first, second, other = (
        networks(
            trained(
                changed(tiny_config, train={"warmup_view": view, "view_strength": strength, "rounds": 0}),
                neighbors=neighbors,
            )
        )
        for strength, neighbors in [(0.1, itself), (1.0, itself), (1.0, nearest(clustered_rows()))]
    )
    assert same(first, second)  # a row that is its own neighbor stays where it is
    assert not same(first, other)


@pytest.mark.parametrize("view", NEIGHBOR_VIEWS)
def test_neighbor_views_without_neighbors_raise(tiny_config: DiffAugConfig, view: WarmupView) -> None:
    with pytest.raises(ValueError, match=f"The view '{view}' needs the neighbors of every row"):
        trained(changed(tiny_config, train={"warmup_view": view}))


@pytest.mark.parametrize("schedule", ["one_cycle", "step"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_every_learning_rate_schedule_and_precision_trains(
    tiny_config: DiffAugConfig, schedule: str, precision: torch.dtype
) -> None:
    config = changed(tiny_config, train={"learning_rate_schedule": schedule})
    state = trained(config, precision=precision)
    assert encode(state.encoder, DenseRows(clustered_rows())).isfinite().all()
    assert all(tensor.dtype == torch.float32 for tensor in state.encoder.parameters())


def test_bfloat16_is_used_where_asked_for(tiny_config: DiffAugConfig) -> None:
    exact, rough = (
        trained(tiny_config, precision=precision) for precision in (torch.float32, torch.bfloat16)
    )
    # Three significant digits, over the few steps of the first epoch.
    assert rough.history[0].loss == pytest.approx(exact.history[0].loss, rel=0.05)
    assert rough.history[0].loss != exact.history[0].loss


def test_each_name_of_a_loss_is_its_function() -> None:
    y, z, z_positive = (clustered_rows(8), clustered_rows(8)[:, :4], clustered_rows(8)[:, 4:8])
    config = LossConfig(degrees_y=50.0, degrees_z=5.0, temperature=0.3)
    expected = {
        "soft_contrastive": soft_contrastive_loss(y, z, z_positive, degrees_y=50.0, degrees_z=5.0),
        "hard_contrastive": soft_contrastive_loss(y, z, z_positive, degrees_y=math.inf, degrees_z=5.0),
        "info_nce": info_nce(z, z_positive, temperature=0.3),
    }
    assert len({float(value) for value in expected.values()}) == 3
    for name in get_args(Loss):
        assert torch.equal(contrastive_loss(y, z, z_positive, replace(config, name=name)), expected[name])


@pytest.mark.parametrize("value", [math.nan, math.inf], ids=["nan", "inf"])
def test_rows_that_are_not_finite_raise(tiny_config: DiffAugConfig, value: float) -> None:
    rows = clustered_rows()
    rows[:, 0] = value
    with pytest.raises(
        TrainingError, match=r"loss became nan in epoch 1 of the warm_up phase.*learning_rate"
    ):
        trained(tiny_config, rows=DenseRows(rows))


# Which networks a phase changes


def test_encoder_is_frozen_while_the_generator_trains(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    conditions = standardise_conditions(fit, state)
    before, denoiser = snapshot(state.encoder, state.projector), snapshot(state.denoiser)
    train_generator(fit, state, conditions, round_=1)
    assert same(snapshot(state.encoder, state.projector), before)
    assert not same(snapshot(state.denoiser), denoiser)


@pytest.mark.parametrize("generated", [False, True], ids=["warm-up", "with-positives"])
def test_denoiser_is_frozen_while_the_encoder_trains(
    tiny_config: DiffAugConfig, *, generated: bool
) -> None:
    fit, state = fit_and_state(tiny_config)
    before = snapshot(state.denoiser, state.averaged_denoiser)
    encoder, projector = snapshot(state.encoder), snapshot(state.projector)
    positives = DenseRows(clustered_rows().flip(0)) if generated else None
    train_encoder(fit, state, positives=positives, round_=int(generated))
    assert same(snapshot(state.denoiser, state.averaged_denoiser), before)
    assert not same(snapshot(state.encoder), encoder)
    assert not same(snapshot(state.projector), projector)


def test_averaged_denoiser_follows_the_trained_one(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    before = snapshot(state.averaged_denoiser)
    train_generator(fit, state, standardise_conditions(fit, state), round_=1)
    assert not same(snapshot(state.averaged_denoiser), before)
    assert not same(snapshot(state.averaged_denoiser), snapshot(state.denoiser))
    assert all(not parameter.requires_grad for parameter in state.averaged_denoiser.parameters())


def test_average_of_weights_moves_by_its_decay() -> None:
    average, module = nn.Linear(2, 2), nn.Linear(2, 2)
    expected = 0.9 * average.weight.detach() + 0.1 * module.weight.detach()
    update_average(average, module, decay=0.9)
    torch.testing.assert_close(average.weight.detach(), expected)


def test_positives_change_the_encoder_and_none_are_taken_at_fraction_zero(
    tiny_config: DiffAugConfig,
) -> None:
    found = []
    for fraction, positives in [
        (0.0, clustered_rows().flip(0)),
        (0.0, clustered_rows()),
        (1.0, clustered_rows().flip(0)),
    ]:
        fit, state = fit_and_state(changed(tiny_config, train={"generated_fraction": fraction}))
        train_encoder(fit, state, positives=DenseRows(positives), round_=1)
        found.append(snapshot(state.encoder))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


# Conditions and positives


def test_conditions_have_mean_zero_and_unit_variance(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    conditions = standardise_conditions(fit, state)
    n_latent = tiny_config.encoder.n_latent
    torch.testing.assert_close(conditions.mean(0), torch.zeros(n_latent), rtol=0, atol=1e-5)
    torch.testing.assert_close(conditions.std(0), torch.ones(n_latent))
    embedded = encode(state.encoder, fit.rows)
    torch.testing.assert_close(conditions, (embedded - state.condition_mean) / state.condition_std)


def test_a_dead_column_of_the_embedding_becomes_a_condition_of_zeros(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(changed(tiny_config, encoder={"hidden": [], "linear_path": False}))
    with torch.no_grad():
        for parameter in state.encoder.parameters():
            parameter[0] = 0.0
    conditions = standardise_conditions(fit, state)
    assert conditions.isfinite().all()
    assert not conditions[:, 0].any()


@pytest.mark.parametrize("sampler", get_args(Sampler))
@pytest.mark.parametrize("prediction", get_args(Prediction))
@pytest.mark.parametrize("guidance", [1.0, 2.0], ids="guidance-{}".format)
def test_positives_are_one_new_row_for_each_row(
    tiny_config: DiffAugConfig, sampler: Sampler, prediction: Prediction, guidance: float
) -> None:
    generator = {"sampler": sampler, "prediction": prediction, "guidance": guidance, "schedule": "linear"}
    fit, state = fit_and_state(changed(tiny_config, generator=generator))
    conditions = standardise_conditions(fit, state)
    first, second = (refresh_positives(fit, state, conditions).values for _ in range(2))
    assert first.shape == (N_ROWS, N_FEATURES)
    assert first.isfinite().all()
    assert not torch.isclose(first, second).all(1).any()


def test_positives_are_generated_anew_in_every_round(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    train_encoder(fit, state, positives=None, round_=0)
    rounds = []
    for round_ in (1, 2):
        conditions = standardise_conditions(fit, state)
        train_generator(fit, state, conditions, round_=round_)
        positives = refresh_positives(fit, state, conditions)
        train_encoder(fit, state, positives=positives, round_=round_)
        rounds.append((conditions, positives.values))
    (first_conditions, first), (second_conditions, second) = rounds
    assert not torch.allclose(first_conditions, second_conditions)
    assert not torch.isclose(first, second).all(1).any()
    # The same calls in the same order are what `train` does.
    assert same(networks(state), networks(trained(changed(tiny_config, train={"rounds": 2}))))


def test_more_rows_than_a_block_are_embedded_and_generated_in_order(tiny_config: DiffAugConfig) -> None:
    values = clustered_rows(8200)
    fit, state = fit_and_state(changed(tiny_config, generator={"n_sampling_steps": 1}), values=values)
    embedded = encode(state.encoder, fit.rows)
    with eval_mode(state.encoder):
        torch.testing.assert_close(embedded, state.encoder(values))
    positives = refresh_positives(fit, state, standardise_conditions(fit, state)).values
    assert positives.shape == values.shape
    assert positives.any(1).all()


# Seeds and random states


def test_a_seed_fixes_every_weight_and_loss(tiny_config: DiffAugConfig) -> None:
    first, again = trained(tiny_config, seed=3), trained(tiny_config, seed=3)
    assert same(networks(first), networks(again))
    assert without_seconds(first.history) == without_seconds(again.history)


def test_another_seed_gives_another_encoder(tiny_config: DiffAugConfig) -> None:
    first, other = trained(tiny_config, seed=3), trained(tiny_config, seed=4)
    assert not same(snapshot(first.encoder), snapshot(other.encoder))


def test_rows_from_the_host_train_the_same_networks(tiny_config: DiffAugConfig) -> None:
    values = clustered_rows().numpy()

    def read(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = values[indices]
        return rows

    host = HostRows(read, shape=(N_ROWS, N_FEATURES), device=CPU)
    assert same(networks(trained(tiny_config, rows=host)), networks(trained(tiny_config)))


def test_training_leaves_global_random_states_and_rows_alone(tiny_config: DiffAugConfig) -> None:
    rows = clustered_rows()
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    trained(tiny_config, rows=DenseRows(rows))
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_equal(np.random.get_state(), states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
    assert torch.equal(rows, clustered_rows())


# Early stopping


def held_out_loss(fit: Fit, state: TrainState) -> float:
    """Compute the held-out loss of the warm-up as its documentation says: the same noise every time."""
    settings = fit.config.train
    generator = seeded_generator(fit.seed, CPU)
    losses = []
    with eval_mode(state.encoder, state.projector):
        for indices in iterate_batches(fit.held_out_rows, settings.batch_size, generator=generator):
            x = fit.rows.take(indices)
            first, other = (
                views.gaussian(x, strength=settings.view_strength, generator=generator) for _ in range(2)
            )
            y = state.encoder(first)
            loss = contrastive_loss(
                y, state.projector(y), state.projector(state.encoder(other)), fit.config.loss
            )
            losses.append(float(loss))
    return sum(losses) / len(losses)


def test_patience_ends_a_phase_early_and_restores_the_best_weights(tiny_config: DiffAugConfig) -> None:
    # So large a learning rate makes the held-out loss jump up and down.
    settings = {"warmup_epochs": 60, "patience": 4, "learning_rate": 0.05, "validation_fraction": 0.3}
    fit, state = fit_and_state(changed(tiny_config, train=settings))
    train_encoder(fit, state, positives=None, round_=0)
    losses = [event.held_out_loss for event in state.history]
    assert len(losses) < 60
    assert [event.ends_phase for event in state.history] == [False] * (len(losses) - 1) + [True]
    assert losses.index(min(losses)) == len(losses) - 1 - 4
    # Matrix products of one and of two views at once may round differently.
    assert held_out_loss(fit, state) == pytest.approx(min(losses), rel=1e-4)
    assert min(losses) < losses[-1]


def test_patience_of_zero_never_ends_a_phase_early(tiny_config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 40, "patience": 0, "learning_rate": 0.05, "rounds": 0}
    history = trained(changed(tiny_config, train=settings)).history
    assert len(history) == 40


def test_progress_counts_phases_that_ended_early_whole(tiny_config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 60, "patience": 2, "learning_rate": 0.05, "validation_fraction": 0.3}
    history = trained(changed(tiny_config, train=settings)).history
    warm_up = [event for event in history if event.phase == "warm_up"]
    generator = [event for event in history if event.phase == "generator"]
    assert len(warm_up) < 60
    assert generator[0].progress == pytest.approx(61 / 64)
    assert all(before.progress < after.progress for before, after in pairwise(history))


# Accelerators


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_training_on_cuda_gives_finite_embeddings(
    tiny_config: DiffAugConfig, precision: torch.dtype
) -> None:
    rows = DenseRows(clustered_rows().cuda())
    for view in get_args(WarmupView):
        config = changed(tiny_config, train={"warmup_view": view})
        state = trained(config, rows=rows, neighbors=nearest(rows.values), precision=precision)
        embedded = encode(state.encoder, rows)
        assert embedded.device.type == "cuda"
        assert embedded.isfinite().all()
        assert all(math.isfinite(event.held_out_loss) for event in state.history)


@pytest.mark.gpu
def test_cuda_and_cpu_compute_the_same_with_the_same_weights(tiny_config: DiffAugConfig) -> None:
    on_cpu = build(tiny_config, n_features=N_FEATURES, seed=0, device=CPU)
    on_cuda = build(tiny_config, n_features=N_FEATURES, seed=0, device=torch.device("cuda"))
    x = clustered_rows()
    t = torch.arange(N_ROWS) % tiny_config.generator.n_steps
    y = encode(on_cpu.encoder, DenseRows(x))
    y_cuda = encode(on_cuda.encoder, DenseRows(x.cuda()))
    # Matrix products add in another order on each device.
    torch.testing.assert_close(y_cuda.cpu(), y, rtol=1e-4, atol=1e-4)
    with eval_mode(on_cpu.projector, on_cuda.projector, on_cpu.denoiser, on_cuda.denoiser):
        torch.testing.assert_close(
            on_cuda.projector(y.cuda()).cpu(), on_cpu.projector(y), rtol=1e-4, atol=1e-4
        )
        torch.testing.assert_close(
            on_cuda.denoiser(x.cuda(), t.cuda(), y.cuda()).cpu(),
            on_cpu.denoiser(x, t, y),
            rtol=1e-4,
            atol=1e-4,
        )


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("prediction", get_args(Prediction))
def test_nothing_is_generated_beyond_the_range_of_the_rows(
    tiny_config: DiffAugConfig, schedule: str, prediction: Prediction
) -> None:
    generator = {"schedule": schedule, "prediction": prediction, "n_steps": 1000}
    fit, state = fit_and_state(changed(tiny_config, generator=generator))
    conditions = standardise_conditions(fit, state)
    train_generator(fit, state, conditions, round_=1)
    positives = refresh_positives(fit, state, conditions).values
    assert torch.isfinite(positives).all()
    assert (positives.abs() <= feature_limits(fit.rows)).all()


@pytest.mark.parametrize("n_steps", range(1, 13))
def test_a_phase_may_have_any_number_of_steps(tiny_config: DiffAugConfig, n_steps: int) -> None:
    epochs = {"warmup_epochs": 1, "generator_epochs": 1, "encoder_epochs": 1, "min_steps": n_steps}
    rows = DenseRows(clustered_rows()[:20])
    state = trained(changed(tiny_config, train={**epochs, "batch_size": 20}), rows=rows)
    assert len(state.history) == 3 * n_steps


@pytest.mark.parametrize("n_rows", [3, 5, 7, N_ROWS])
def test_batches_of_two_leave_no_row_alone(tiny_config: DiffAugConfig, n_rows: int) -> None:
    rows = DenseRows(clustered_rows()[:n_rows])
    state = trained(changed(tiny_config, train={"batch_size": 2, "min_steps": 0}), rows=rows)
    assert math.isfinite(state.history[-1].loss)


def test_progress_is_whole_when_the_last_phase_ends_early(tiny_config: DiffAugConfig) -> None:
    train_settings = {"encoder_epochs": 60, "patience": 2, "learning_rate": 0.02}
    history = trained(changed(tiny_config, train=train_settings)).history
    assert history[-1].epoch < 60
    assert history[-1].progress == pytest.approx(1.0)
