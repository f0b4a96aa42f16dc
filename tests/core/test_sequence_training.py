"""Training on letters: phases, seeds, the bank, and that a switch changes what it says and nothing else."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import pytest
import torch

from diffaug_bio.config import Loss, SequenceView
from diffaug_bio.core import phases
from diffaug_bio.core.batches import DenseRows
from diffaug_bio.core.generation import (
    code_rows,
    generate_bank,
    standardise_conditions,
    train_decoder,
    train_generator,
)
from diffaug_bio.core.sequences import N_BASES, lengths
from diffaug_bio.core.state import encode, from_arrays, to_arrays
from diffaug_bio.core.trainer import train_encoder
from tests.core.conftest import (
    LENGTH,
    N_ROWS,
    changed,
    clustered_tokens,
    fit_and_state,
    letters_for,
    networks,
    objective_of,
    same,
    snapshot,
    trained_on_letters,
    values_of,
    without_seconds,
)

if TYPE_CHECKING:
    from torch import Tensor

    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.phases import Fit
    from diffaug_bio.core.state import TrainState


def fit_on_letters(config: DiffAugConfig) -> tuple[Fit, TrainState]:
    tokens = clustered_tokens()
    return fit_and_state(config, values=tokens, source=letters_for(tokens))


def everything(state: TrainState) -> list[dict[str, Tensor]]:
    return [*networks(state), *snapshot(state.codec)]


def of_phase(state: TrainState, phase: str) -> list[tuple[object, ...]]:
    return [entry for entry in without_seconds(state.history) if entry[0] == phase]


@pytest.mark.parametrize("rounds", [0, 1, 2], ids="rounds-{}".format)
@pytest.mark.parametrize("generated_views", ["one", "none"])
def test_phases_follow_each_other_and_progress_ends_at_one(
    letters_config: DiffAugConfig, generated_views: str, rounds: int
) -> None:
    settings = {"rounds": rounds, "generated_views": generated_views}
    history = trained_on_letters(changed(letters_config, train=settings)).history
    generates = generated_views == "one" and rounds > 0
    expected = [("warm_up", 0, epoch) for epoch in (1, 2)]
    expected += [("decoder", 0, epoch) for epoch in range(1, 21) if generates]
    for round_ in range(1, rounds + 1):
        expected += [("generator", round_, epoch) for epoch in (1, 2) if generates]
        expected += [("encoder", round_, epoch) for epoch in (1, 2)]
    assert [(event.phase, event.round, event.epoch) for event in history] == expected
    assert all(before.progress < after.progress for before, after in pairwise(history))
    steps = [after.progress - before.progress for before, after in pairwise(history)]
    assert steps == pytest.approx([1 / len(history)] * len(steps))
    assert history[-1].progress == pytest.approx(1.0)
    assert all(math.isfinite(event.loss) and math.isfinite(event.held_out_loss) for event in history)


def test_progress_rises_where_phases_end_early(letters_config: DiffAugConfig) -> None:
    settings = {
        "warmup_epochs": 40,
        "generator_epochs": 10,
        "encoder_epochs": 10,
        "patience": 1,
        "learning_rate": 0.1,
    }
    history = trained_on_letters(changed(letters_config, train=settings)).history
    assert len(history) < 100
    assert all(before.progress < after.progress for before, after in pairwise(history))
    assert history[-1].progress == pytest.approx(1.0)
    assert [event.phase for event in history if event.ends_phase] == [
        "warm_up",
        "decoder",
        "generator",
        "encoder",
    ]


@pytest.mark.parametrize("view", get_args(SequenceView))
def test_every_view_of_sequences_trains(letters_config: DiffAugConfig, view: str) -> None:
    config = changed(letters_config, train={"warmup_view": view})
    state = trained_on_letters(config)
    assert encode(state.encoder, DenseRows(clustered_tokens())).isfinite().all()
    assert of_phase(state, "warm_up") != of_phase(
        trained_on_letters(changed(config, train={"view_strength": 0.9})), "warm_up"
    )


@pytest.mark.parametrize("name", get_args(Loss))
def test_every_loss_trains_on_letters(letters_config: DiffAugConfig, name: Loss) -> None:
    state = trained_on_letters(changed(letters_config, loss={"name": name}))
    assert encode(state.encoder, DenseRows(clustered_tokens())).isfinite().all()


@pytest.mark.parametrize("condition", ["y", "z", "none"])
def test_networks_survive_the_way_through_arrays(letters_config: DiffAugConfig, condition: str) -> None:
    config = changed(letters_config, generator={"condition": condition}, encoder={"strand_symmetric": True})
    state = trained_on_letters(config)
    arrays = {name: array.copy() for name, array in to_arrays(state).items()}
    assert not [name for name in arrays if "front_end" in name]  # saved with the preprocessing
    tokens = clustered_tokens()
    rebuilt = from_arrays(config, letters_for(tokens), arrays)
    kept = (state.encoder, state.projector, state.averaged_denoiser, state.averaged_denoiser, state.codec)
    assert same(everything(rebuilt), snapshot(*kept))
    assert torch.equal(rebuilt.limits, state.limits)
    rows = DenseRows(tokens)
    assert torch.equal(encode(rebuilt.encoder, rows), encode(state.encoder, rows))


def test_held_out_loss_of_the_warm_up_falls(letters_config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 30, "rounds": 0, "learning_rate": 1e-2}
    losses = [
        event.held_out_loss for event in trained_on_letters(changed(letters_config, train=settings)).history
    ]
    assert min(losses) < 0.9 * losses[0]


def test_bfloat16_trains_on_letters(letters_config: DiffAugConfig) -> None:
    exact, rough = (
        trained_on_letters(letters_config, precision=precision)
        for precision in (torch.float32, torch.bfloat16)
    )
    # Three significant digits, over the few steps of the first epoch.
    assert rough.history[0].loss == pytest.approx(exact.history[0].loss, rel=0.05)
    assert rough.history[0].loss != exact.history[0].loss
    assert all(parameter.dtype == torch.float32 for parameter in rough.encoder.parameters())


def test_a_seed_fixes_every_weight_and_loss(letters_config: DiffAugConfig) -> None:
    first, again, other = (trained_on_letters(letters_config, seed=seed) for seed in (3, 3, 4))
    assert same(everything(first), everything(again))
    assert without_seconds(first.history) == without_seconds(again.history)
    for part in ("encoder", "averaged_denoiser", "codec"):
        assert not same(snapshot(getattr(first, part)), snapshot(getattr(other, part)))


def test_training_leaves_global_random_states_and_tokens_alone(letters_config: DiffAugConfig) -> None:
    tokens, state = clustered_tokens(), torch.get_rng_state()
    trained_on_letters(letters_config, tokens=tokens)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(tokens, clustered_tokens())
    assert tokens.dtype == torch.uint8


@pytest.mark.parametrize("bank_size", [1, 2])
def test_the_bank_holds_letters_of_the_same_lengths(letters_config: DiffAugConfig, bank_size: int) -> None:
    fit, state = fit_on_letters(changed(letters_config, train={"bank_size": bank_size}))
    train_decoder(fit, state, code_rows(state, fit.rows))
    codes, conditions = code_rows(state, fit.rows), standardise_conditions(fit, state)
    train_generator(fit, state, codes, conditions, round_=1)
    bank = values_of(generate_bank(fit, state, codes, conditions, round_=1))
    source = clustered_tokens().repeat(bank_size, 1)
    assert bank.dtype == torch.uint8
    assert bank.shape == (bank_size * N_ROWS, LENGTH)
    assert torch.equal(lengths(bank), lengths(source))
    assert torch.equal(bank[source >= N_BASES], source[source >= N_BASES])
    assert (bank[source < N_BASES] < N_BASES).all()
    assert not torch.equal(bank, source)
    if bank_size == 2:
        assert not torch.equal(bank[:N_ROWS], bank[N_ROWS:])


def test_phases_called_one_by_one_are_the_training(letters_config: DiffAugConfig) -> None:
    config = changed(letters_config, train={"rounds": 2})
    fit, state = fit_on_letters(config)
    objective = objective_of(fit, state)
    codes = code_rows(state, fit.rows)
    train_encoder(fit, state, objective, bank=None, round_=0)
    train_decoder(fit, state, code_rows(state, fit.rows))
    banks = []
    for round_ in (1, 2):
        conditions = standardise_conditions(fit, state)
        train_generator(fit, state, codes, conditions, round_=round_)
        bank = generate_bank(fit, state, codes, conditions, round_=round_)
        train_encoder(fit, state, objective, bank=bank, round_=round_)
        banks.append(values_of(bank))
    assert not torch.equal(*banks)
    assert same(everything(state), everything(trained_on_letters(config)))


@pytest.mark.parametrize("generated_views", ["one", "both"])
@pytest.mark.parametrize("view", ["mutation", "shift"])
def test_a_generator_that_is_never_drawn_from_equals_none(
    letters_config: DiffAugConfig, generated_views: str, view: str
) -> None:
    settings = {"warmup_view": view, "generated_fraction": 0.0}
    unused, none = (
        trained_on_letters(changed(letters_config, train={**settings, "generated_views": kind}))
        for kind in (generated_views, "none")
    )
    assert same(snapshot(unused.encoder, unused.projector), snapshot(none.encoder, none.projector))
    for phase in ("warm_up", "encoder"):
        assert of_phase(unused, phase) == of_phase(none, phase)


def test_switching_the_generator_off_leaves_the_weights_of_the_warm_up_bit_for_bit(
    letters_config: DiffAugConfig,
) -> None:
    # A fit without rounds ends with what its warm-up gave.
    first, other = (
        trained_on_letters(changed(letters_config, train={"rounds": 0, "generated_views": kind}))
        for kind in ("one", "none")
    )
    assert same(everything(first), everything(other))
    for kind in ("one", "none"):
        whole = trained_on_letters(changed(letters_config, train={"generated_views": kind}))
        assert of_phase(whole, "warm_up") == without_seconds(first.history)


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("train", {"generated_views": "none"}),
        ("train", {"generated_views": "both"}),
        ("train", {"bank_size": 3}),
        ("generator", {"width": 24}),
        ("generator", {"condition": "z"}),
        ("generator", {"noising": 0.4}),
    ],
    ids=["no-generator", "both-views", "bank", "width", "condition", "noising"],
)
def test_settings_of_the_generator_leave_the_warm_up_alone(
    letters_config: DiffAugConfig, section: str, changes: dict[str, Any]
) -> None:
    other_config = changed(letters_config, **{section: changes})
    state, other = trained_on_letters(letters_config), trained_on_letters(other_config)
    assert of_phase(other, "warm_up") == of_phase(state, "warm_up")
    # It does change something: the losses of what follows.
    assert of_phase(other, "encoder") != of_phase(state, "encoder")


def test_a_shorter_decoder_phase_leaves_the_generator_alone(
    letters_config: DiffAugConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained_on_letters(letters_config)
    monkeypatch.setattr(phases, "DECODER_EPOCHS", 5)
    other = trained_on_letters(letters_config)
    assert len(of_phase(first, "decoder")) > len(of_phase(other, "decoder"))
    assert of_phase(first, "generator") == of_phase(other, "generator")
    assert same(snapshot(first.averaged_denoiser), snapshot(other.averaged_denoiser))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_training_on_cuda_gives_finite_embeddings(
    letters_config: DiffAugConfig, precision: torch.dtype
) -> None:
    rows = DenseRows(clustered_tokens().cuda())
    state = trained_on_letters(letters_config, tokens=rows.values, precision=precision)
    embedded = encode(state.encoder, rows)
    assert embedded.device.type == "cuda"
    assert embedded.isfinite().all()
    assert all(math.isfinite(event.held_out_loss) for event in state.history)
