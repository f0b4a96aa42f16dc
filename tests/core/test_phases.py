"""The loop of all phases: planned epochs, early stopping, progress."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import torch

from diffaug_bio.config import DiffAugConfig
from diffaug_bio.config.kinds import decided
from diffaug_bio.core import views
from diffaug_bio.core.batches import DenseRows, iterate_batches, n_batches
from diffaug_bio.core.objectives import pair_loss
from diffaug_bio.core.phases import planned_epochs
from diffaug_bio.core.runtime import eval_mode
from diffaug_bio.core.trainer import train_encoder
from tests.core.conftest import (
    N_ROWS,
    changed,
    clustered_rows,
    fit_and_state,
    objective_of,
    same,
    snapshot,
    trained,
)

if TYPE_CHECKING:
    from torch import Tensor

    from diffaug_bio.core.phases import EpochEnd, Fit
    from diffaug_bio.core.state import TrainState


def test_small_data_get_more_epochs_to_reach_the_least_number_of_steps() -> None:
    config = changed(DiffAugConfig(), train={"warmup_epochs": 30, "min_steps": 200, "batch_size": 512})
    assert planned_epochs("warm_up", 100, config) == 200
    assert planned_epochs("warm_up", 51_200, config) == 30
    steps = planned_epochs("warm_up", 1500, config) * n_batches(1500, 512)
    assert 200 <= steps < 203


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


def test_without_held_out_rows_the_held_out_loss_is_nan(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config, rows=DenseRows(clustered_rows(60)))
    assert all(math.isnan(event.held_out_loss) for event in state.history)
    assert state.history[-1].ends_phase


def held_out_loss(fit: Fit, state: TrainState) -> float:
    """Compute the held-out loss of the warm-up as its documentation says: the same noise every time."""
    settings = fit.config.train
    generator = fit.stream("held_out")
    losses = []
    with eval_mode(state.encoder, state.projector):
        for indices in iterate_batches(fit.held_out_rows, settings.batch_size, generator=generator):
            x = fit.rows.take(indices)
            torch.rand((len(x), 4), generator=generator)  # chances of generated rows
            strength = decided(settings.view_strength)
            first, other = (views.gaussian(x, strength=strength, generator=generator) for _ in range(2))
            y = state.encoder(first)
            loss = pair_loss(y, state.projector(y), state.projector(state.encoder(other)), fit.config.loss)
            losses.append(float(loss))
    return sum(losses) / len(losses)


# With seed 0 the lowest loss falls in the first half of the phase, with the others in the second.
@pytest.mark.parametrize("seed", [0, 4, 7], ids="seed-{}".format)
def test_patience_ends_a_phase_early_and_restores_the_best_weights(
    tiny_config: DiffAugConfig, seed: int
) -> None:
    # So large a learning rate makes the held-out loss jump up and down.
    settings = {"warmup_epochs": 60, "patience": 4, "learning_rate": 0.05, "validation_fraction": 0.3}
    fit, state = fit_and_state(changed(tiny_config, train=settings), seed=seed)
    train_encoder(fit, state, objective_of(fit, state), bank=None, round_=0)
    losses = [event.held_out_loss for event in state.history]
    assert len(losses) < 60
    assert [event.ends_phase for event in state.history] == [False] * (len(losses) - 1) + [True]
    # Only epochs of the second half are waited for.
    best = 1 + losses.index(min(losses))
    assert len(losses) == max(best, 30) + 4
    # Matrix products of one and of two views at once may round differently.
    assert held_out_loss(fit, state) == pytest.approx(min(losses), rel=1e-4)
    assert min(losses) < losses[-1]


def test_patience_of_zero_never_ends_a_phase_early(tiny_config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 40, "patience": 0, "learning_rate": 0.05, "rounds": 0}
    history = trained(changed(tiny_config, train=settings)).history
    assert len(history) == 40


def test_an_objective_may_ask_for_all_epochs_and_the_last_weights(tiny_config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 40, "patience": 2, "learning_rate": 0.05, "validation_fraction": 0.3}
    n_epochs = []
    for keeps_best in (True, False):
        fit, state = fit_and_state(changed(tiny_config, train=settings))
        objective = replace(objective_of(fit, state), keeps_best=keeps_best)
        after: list[list[dict[str, Tensor]]] = []

        def keep(
            _: EpochEnd, state: TrainState = state, after: list[list[dict[str, Tensor]]] = after
        ) -> None:
            after.append(snapshot(state.encoder))

        train_encoder(replace(fit, callbacks=(keep,)), state, objective, bank=None, round_=0)
        losses = [event.held_out_loss for event in state.history]
        best = losses.index(min(losses))
        assert same(snapshot(state.encoder), after[best if keeps_best else -1])
        assert not same(after[best], after[-1])
        n_epochs.append(len(losses))
    assert n_epochs[0] < n_epochs[1] == 40


def test_byol_runs_all_epochs(tiny_config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 30, "patience": 1, "learning_rate": 0.5, "rounds": 0}
    state = trained(changed(tiny_config, train=settings, loss={"name": "byol"}))
    assert len(state.history) == 30


def test_progress_counts_phases_that_ended_early_whole(tiny_config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 60, "patience": 2, "learning_rate": 0.05, "validation_fraction": 0.3}
    history = trained(changed(tiny_config, train=settings)).history
    warm_up = [event for event in history if event.phase == "warm_up"]
    generator = [event for event in history if event.phase == "generator"]
    assert len(warm_up) < 60
    assert generator[0].progress == pytest.approx(61 / 64)
    assert all(before.progress < after.progress for before, after in pairwise(history))


def test_progress_is_whole_when_the_last_phase_ends_early(tiny_config: DiffAugConfig) -> None:
    train_settings = {"encoder_epochs": 60, "patience": 2, "learning_rate": 0.02}
    history = trained(changed(tiny_config, train=train_settings)).history
    assert history[-1].epoch < 60
    assert history[-1].progress == pytest.approx(1.0)


@pytest.mark.parametrize("generated_views", ["one", "none"])
def test_progress_rises_evenly_to_one_with_and_without_a_generator(
    tiny_config: DiffAugConfig, generated_views: str
) -> None:
    history = trained(changed(tiny_config, train={"rounds": 2, "generated_views": generated_views})).history
    expected = [(index + 1) / len(history) for index in range(len(history))]
    assert [event.progress for event in history] == pytest.approx(expected)
