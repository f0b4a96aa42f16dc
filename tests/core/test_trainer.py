"""Training in turn on a hundred rows: phases, views, what is frozen, seeds, errors."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import DiffAugConfig, FeatureView, Loss, WarmupView
from diffaug_bio.core.batches import DenseRows, HostRows
from diffaug_bio.core.generation import generate_bank, standardise_conditions, train_generator
from diffaug_bio.core.objectives import Objective
from diffaug_bio.core.state import encode
from diffaug_bio.core.trainer import train_encoder
from diffaug_bio.errors import TrainingError
from tests.core.conftest import (
    CPU,
    N_FEATURES,
    N_ROWS,
    changed,
    clustered_rows,
    fit_and_state,
    nearest,
    networks,
    objective_of,
    same,
    snapshot,
    trained,
    values_of,
    without_seconds,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diffaug_bio.core.phases import EpochEnd

NEIGHBOR_VIEWS: list[WarmupView] = ["neighbor_noise", "neighbor_mix"]


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


def test_held_out_loss_of_the_warm_up_falls(tiny_config: DiffAugConfig) -> None:
    config = changed(tiny_config, train={"warmup_epochs": 30, "rounds": 0, "learning_rate": 1e-2})
    losses = [event.held_out_loss for event in trained(config).history]
    assert len(losses) > 20
    assert min(losses) < 0.8 * losses[0]


@pytest.mark.parametrize("name", get_args(Loss))
def test_every_loss_trains(tiny_config: DiffAugConfig, name: Loss) -> None:
    state = trained(changed(tiny_config, loss={"name": name}))
    assert encode(state.encoder, DenseRows(clustered_rows())).isfinite().all()


@pytest.mark.parametrize("view", get_args(FeatureView))
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
    with pytest.raises(ValueError, match=f"'{view}'.*neighbours"):
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


@pytest.mark.parametrize("value", [math.nan, math.inf], ids=["nan", "inf"])
def test_rows_that_are_not_finite_raise(tiny_config: DiffAugConfig, value: float) -> None:
    rows = clustered_rows()
    rows[:, 0] = value
    with pytest.raises(TrainingError, match=r"nan.*epoch 1 .*learning_rate"):
        trained(tiny_config, rows=DenseRows(rows))


@pytest.mark.parametrize("generated", [False, True], ids=["warm-up", "with-positives"])
def test_denoiser_is_frozen_while_the_encoder_trains(
    tiny_config: DiffAugConfig, *, generated: bool
) -> None:
    fit, state = fit_and_state(tiny_config)
    before = snapshot(state.denoiser, state.averaged_denoiser)
    encoder, projector = snapshot(state.encoder), snapshot(state.projector)
    bank = DenseRows(clustered_rows().flip(0)) if generated else None
    train_encoder(fit, state, objective_of(fit, state), bank=bank, round_=int(generated))
    assert same(snapshot(state.denoiser, state.averaged_denoiser), before)
    assert not same(snapshot(state.encoder), encoder)
    assert not same(snapshot(state.projector), projector)


def test_generated_rows_change_the_encoder_and_none_are_taken_at_fraction_zero(
    tiny_config: DiffAugConfig,
) -> None:
    found = []
    for fraction, generated in [
        (0.0, clustered_rows().flip(0)),
        (0.0, clustered_rows()),
        (1.0, clustered_rows().flip(0)),
    ]:
        fit, state = fit_and_state(changed(tiny_config, train={"generated_fraction": fraction}))
        train_encoder(fit, state, objective_of(fit, state), bank=DenseRows(generated), round_=1)
        found.append(snapshot(state.encoder))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def shown_pairs(
    config: DiffAugConfig, *, bank: Tensor | None, values: Tensor, view_strength: float = 1e-30
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, first and other views that an objective is shown in the training batches of one phase."""
    fit, state = fit_and_state(changed(config, train={"view_strength": view_strength}), values=values)
    network = nn.Linear(N_FEATURES, 1)
    seen: list[tuple[Tensor, ...]] = []

    def loss(x: Tensor, pair: Tensor) -> Tensor:
        if network.training:
            seen.append((x, *pair.chunk(2)))
        value: Tensor = network(pair).square().mean()
        return value

    objective = Objective(loss=loss, trained=[network], after_step=lambda _: None)
    train_encoder(
        fit, state, objective, bank=None if bank is None else DenseRows(bank), round_=int(bank is not None)
    )
    x, first, other = (torch.cat(parts) for parts in zip(*seen, strict=True))
    return x, first, other


def test_without_a_bank_both_views_are_made_of_the_row(tiny_config: DiffAugConfig) -> None:
    x, first, other = shown_pairs(tiny_config, bank=None, values=clustered_rows())
    assert torch.equal(first, x)
    assert torch.equal(other, x)


@pytest.mark.parametrize("generated_views", ["one", "both"])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0], ids="fraction-{}".format)
def test_generated_rows_are_taken_whole_and_as_often_as_asked_for(
    tiny_config: DiffAugConfig, generated_views: str, fraction: float
) -> None:
    values = clustered_rows(2000)
    settings = {"generated_views": generated_views, "generated_fraction": fraction}
    # A bank of rows that lie 100 above their source: what is generated is seen from the values alone.
    x, first, other = shown_pairs(changed(tiny_config, train=settings), bank=values + 100.0, values=values)
    for view, takes_part in [(first, generated_views == "both"), (other, True)]:
        is_generated = view[:, 0] > 50
        assert torch.equal(view, torch.where(is_generated[:, None], x + 100.0, x))
        # 3000 choices and more: a standard error below 0.01.
        expected = fraction if takes_part else 0.0
        assert float(is_generated.float().mean()) == pytest.approx(expected, abs=0.04 * (0 < fraction < 1))
    if generated_views == "both" and fraction == 0.3:
        together = (first[:, 0] > 50) & (other[:, 0] > 50)  # each view is chosen for by itself
        assert float(together.float().mean()) == pytest.approx(0.09, abs=0.03)


def test_the_hand_made_view_is_put_on_generated_rows_too(tiny_config: DiffAugConfig) -> None:
    values = clustered_rows(2000)
    config = changed(tiny_config, train={"generated_views": "both"})
    x, first, other = shown_pairs(config, bank=values + 100.0, values=values, view_strength=0.5)
    for view in (first, other):
        is_generated = view[:, 0] > 50
        noise = view - torch.where(is_generated[:, None], x + 100.0, x)
        for rows in (is_generated, ~is_generated):
            assert float(noise[rows].std()) == pytest.approx(0.5, rel=0.03)  # of some 20 000 draws


def test_every_entry_of_the_bank_is_drawn_and_belongs_to_its_row(tiny_config: DiffAugConfig) -> None:
    values = clustered_rows(2000)
    settings = {"bank_size": 3, "generated_fraction": 1.0, "generated_views": "both"}
    bank = torch.cat([values + 100.0 * entry for entry in range(3)])
    x, first, other = shown_pairs(changed(tiny_config, train=settings), bank=bank, values=values)
    entries = [((view - x) / 100.0).round() for view in (first, other)]
    for view, entry in zip((first, other), entries, strict=True):
        assert torch.equal(view, x + 100.0 * entry)
        for number in range(3):
            assert float((entry[:, 0] == number).float().mean()) == pytest.approx(1 / 3, abs=0.04)
    # The two views draw their entries apart.
    agree = (entries[0][:, 0] == entries[1][:, 0]).float().mean()
    assert float(agree) == pytest.approx(1 / 3, abs=0.04)


def test_the_bank_is_generated_anew_in_every_round(tiny_config: DiffAugConfig) -> None:
    fit, state = fit_and_state(tiny_config)
    objective = objective_of(fit, state)
    train_encoder(fit, state, objective, bank=None, round_=0)
    rounds = []
    for round_ in (1, 2):
        conditions = standardise_conditions(fit, state)
        train_generator(fit, state, fit.rows, conditions, round_=round_)
        bank = generate_bank(fit, state, fit.rows, conditions, round_=round_)
        train_encoder(fit, state, objective, bank=bank, round_=round_)
        rounds.append((conditions, values_of(bank)))
    (first_conditions, first), (second_conditions, second) = rounds
    assert not torch.allclose(first_conditions, second_conditions)
    assert not torch.isclose(first, second).all(1).any()
    # The same calls in the same order are what `train` does.
    assert same(networks(state), networks(trained(changed(tiny_config, train={"rounds": 2}))))


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


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_training_on_cuda_gives_finite_embeddings(
    tiny_config: DiffAugConfig, precision: torch.dtype
) -> None:
    rows = DenseRows(clustered_rows().cuda())
    for view in get_args(FeatureView):
        config = changed(tiny_config, train={"warmup_view": view})
        state = trained(config, rows=rows, neighbors=nearest(rows.values), precision=precision)
        embedded = encode(state.encoder, rows)
        assert embedded.device.type == "cuda"
        assert embedded.isfinite().all()
        assert all(math.isfinite(event.held_out_loss) for event in state.history)
