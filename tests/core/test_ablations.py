"""A switch changes what it says and nothing else: the same weights, batches and noise otherwise."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import pytest

from diffaug_bio.config import DiffAugConfig, Loss
from diffaug_bio.core.state import build
from tests.core.conftest import (
    CPU,
    FEATURES,
    changed,
    clustered_rows,
    same,
    snapshot,
    trained,
    without_seconds,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from diffaug_bio.core.phases import EpochEnd
    from diffaug_bio.core.state import TrainState

GENERATOR_CHANGES: list[dict[str, object]] = [
    {"width": 24},
    {"n_blocks": 2},
    {"schedule": "linear"},
    {"prediction": "noise"},
    {"sampler": "ddpm"},
    {"guidance": 2.0},
    {"noising": 0.4},
    {"whitening": "full"},
    {"condition": "z"},
    {"condition": "none"},
    {"condition_noise": 0.3},
    {"n_sampling_steps": 3},
    {"n_steps": 20},
    {"ema_decay": 0.2},
]
TRAIN_CHANGES: list[dict[str, object]] = [
    {"generated_views": "none"},
    {"generated_views": "both"},
    {"generated_fraction": 0.9},
    {"bank_size": 3},
]


@dataclass
class RecordingRows:
    """Rows that note which of them were taken in each epoch, passes over all rows left out."""

    values: Tensor
    taken: list[list[int]] = field(default_factory=list)
    epochs: dict[tuple[str, int], list[list[int]]] = field(default_factory=lambda: defaultdict(list))
    """Batches, training ones and held-out ones, by phase and round."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    def device(self) -> torch.device:
        return self.values.device

    def take(self, indices: Tensor) -> Tensor:
        if len(indices) < len(self.values):
            self.taken.append(indices.tolist())
        return self.values[indices]

    def end_epoch(self, event: EpochEnd) -> None:
        """Keep the batches of an epoch; a callback."""
        self.epochs[event.phase, event.round] += self.taken
        self.taken = []


def recorded(config: DiffAugConfig) -> tuple[RecordingRows, TrainState]:
    """Fit, and note the batches."""
    rows = RecordingRows(clustered_rows())
    state = trained(config, rows=rows, callbacks=(rows.end_epoch,))
    return rows, state


def of_phase(state: TrainState, phase: str) -> list[tuple[object, ...]]:
    return [entry for entry in without_seconds(state.history) if entry[0] == phase]


def initial(config: DiffAugConfig) -> list[dict[str, Tensor]]:
    state = build(config, FEATURES, seed=0, device=CPU)
    return snapshot(state.encoder, state.projector)


def describe(changes: dict[str, object]) -> str:
    return "-".join(f"{name}-{value}" for name, value in changes.items())


def test_recorded_batches_are_those_of_the_fit(tiny_config: DiffAugConfig) -> None:
    rows, state = recorded(tiny_config)
    assert set(rows.epochs) == {("warm_up", 0), ("generator", 1), ("encoder", 1)}
    assert same(snapshot(state.encoder), snapshot(trained(tiny_config).encoder))
    # Two epochs of three training batches, each followed by the held-out one.
    for batches in rows.epochs.values():
        assert [len(batch) for batch in batches] == [32, 32, 32, 11] * 2
    orders = {str(batches[:3]) for batches in rows.epochs.values()}
    assert len(orders) == 3  # every phase has an order of its own


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        *(pytest.param("generator", changes, id=describe(changes)) for changes in GENERATOR_CHANGES),
        *(pytest.param("train", changes, id=describe(changes)) for changes in TRAIN_CHANGES),
    ],
)
def test_settings_of_the_generator_leave_weights_warm_up_and_batches_alone(
    tiny_config: DiffAugConfig, section: str, changes: dict[str, Any]
) -> None:
    other = changed(tiny_config, **{section: changes})
    assert other != tiny_config
    assert same(initial(tiny_config), initial(other))
    (rows, state), (other_rows, other_state) = recorded(tiny_config), recorded(other)
    assert of_phase(other_state, "warm_up") == of_phase(state, "warm_up")
    for phase in other_rows.epochs:
        assert other_rows.epochs[phase] == rows.epochs[phase]
    # It does change something: the losses of what follows.
    assert of_phase(other_state, "encoder") != of_phase(state, "encoder")


@pytest.mark.parametrize(
    "changes",
    [
        {"sampler": "ddpm"},
        {"guidance": 2.0},
        {"noising": 0.4},
        {"n_sampling_steps": 3},
    ],
    ids=describe,
)
def test_settings_of_sampling_leave_the_training_of_the_generator_alone(
    tiny_config: DiffAugConfig, changes: dict[str, Any]
) -> None:
    first, other = (trained(config) for config in (tiny_config, changed(tiny_config, generator=changes)))
    assert of_phase(other, "generator") == of_phase(first, "generator")
    assert same(
        snapshot(first.denoiser, first.averaged_denoiser), snapshot(other.denoiser, other.averaged_denoiser)
    )


@pytest.mark.parametrize("changes", TRAIN_CHANGES[1:], ids=describe)
def test_use_of_generated_rows_leaves_the_generator_alone(
    tiny_config: DiffAugConfig, changes: dict[str, Any]
) -> None:
    first, other = (trained(config) for config in (tiny_config, changed(tiny_config, train=changes)))
    assert same(snapshot(first.averaged_denoiser), snapshot(other.averaged_denoiser))


def test_without_generated_views_there_is_no_generator_phase(tiny_config: DiffAugConfig) -> None:
    config = changed(tiny_config, train={"generated_views": "none", "rounds": 2})
    rows, state = recorded(config)
    assert set(rows.epochs) == {("warm_up", 0), ("encoder", 1), ("encoder", 2)}
    untrained = build(config, FEATURES, seed=0, device=CPU)
    assert same(snapshot(state.denoiser), snapshot(untrained.denoiser))
    assert same(snapshot(state.averaged_denoiser), snapshot(untrained.denoiser))


@pytest.mark.parametrize("rounds", [1, 2], ids="rounds-{}".format)
@pytest.mark.parametrize("view", ["gaussian", "feature_swap"])
@pytest.mark.parametrize("generated_views", ["one", "both"])
def test_a_generator_that_is_never_drawn_from_equals_none(
    tiny_config: DiffAugConfig, generated_views: str, view: str, rounds: int
) -> None:
    settings = {"rounds": rounds, "warmup_view": view, "generated_fraction": 0.0}
    unused, none = (
        trained(changed(tiny_config, train={**settings, "generated_views": kind}))
        for kind in (generated_views, "none")
    )
    assert same(snapshot(unused.encoder, unused.projector), snapshot(none.encoder, none.projector))
    for phase in ("warm_up", "encoder"):
        assert of_phase(unused, phase) == of_phase(none, phase)


def test_the_size_of_a_bank_that_is_never_drawn_from_changes_nothing(tiny_config: DiffAugConfig) -> None:
    encoders = [
        snapshot(
            trained(changed(tiny_config, train={"generated_fraction": 0.0, "bank_size": size})).encoder
        )
        for size in (1, 3)
    ]
    assert same(*encoders)


@pytest.mark.parametrize("name", get_args(Loss))
def test_a_loss_leaves_initial_weights_batches_and_noise_of_views_alone(
    tiny_config: DiffAugConfig, name: Loss
) -> None:
    # BYOL never ends early, so that no other loss may, lest phases differ in length.
    plain = changed(tiny_config, train={"patience": 0, "rounds": 2})
    other = changed(plain, loss={"name": name})
    assert same(initial(plain), initial(other))
    rows, other_rows = recorded(plain)[0], recorded(other)[0]
    assert rows.epochs == other_rows.epochs


@pytest.mark.parametrize("view", ["feature_mask", "feature_swap", "inner_swap"])
def test_a_view_leaves_initial_weights_and_batches_alone(tiny_config: DiffAugConfig, view: str) -> None:
    other = changed(tiny_config, train={"warmup_view": view})
    assert same(initial(tiny_config), initial(other))
    (rows, state), (other_rows, other_state) = recorded(tiny_config), recorded(other)
    assert rows.epochs == other_rows.epochs
    assert of_phase(state, "warm_up") != of_phase(other_state, "warm_up")


def test_the_first_of_two_rounds_is_that_of_a_single_one(tiny_config: DiffAugConfig) -> None:
    once, twice = (trained(changed(tiny_config, train={"rounds": rounds})) for rounds in (1, 2))
    n_events = len(once.history)
    assert without_seconds(twice.history)[:n_events] == without_seconds(once.history)
    assert len(twice.history) > n_events


def test_a_longer_generator_phase_leaves_the_batches_of_the_encoder_alone(
    tiny_config: DiffAugConfig,
) -> None:
    rows, other_rows = (
        recorded(changed(tiny_config, train={"generator_epochs": epochs}))[0] for epochs in (2, 5)
    )
    assert len(other_rows.epochs["generator", 1]) > len(rows.epochs["generator", 1])
    for phase in [("warm_up", 0), ("encoder", 1)]:
        assert rows.epochs[phase] == other_rows.epochs[phase]


def test_another_seed_changes_weights_and_batches(tiny_config: DiffAugConfig) -> None:
    orders = []
    for seed in (0, 1):
        rows = RecordingRows(clustered_rows())
        trained(tiny_config, rows=rows, seed=seed, callbacks=(rows.end_epoch,))
        orders.append(rows.epochs["warm_up", 0])
    assert orders[0] != orders[1]
