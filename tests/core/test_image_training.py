"""Training on pixels: phases, seeds, the bank, and where pixels are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
import torch

from diffaug_bio.config import ImageView
from diffaug_bio.core.batches import DenseRows, HostRows, PixelRows
from diffaug_bio.core.generation import code_rows, generate_bank, standardise_conditions, train_generator
from diffaug_bio.core.state import encode, from_arrays, to_arrays
from diffaug_bio.core.trainer import train_encoder
from tests.conftest import shifted_textures
from tests.core.conftest import (
    CPU,
    changed,
    fit_and_state,
    images_for,
    networks,
    objective_of,
    same,
    snapshot,
    trained,
    values_of,
    without_seconds,
)

if TYPE_CHECKING:
    from diffaug_bio.config import DiffAugConfig
    from diffaug_bio.core.batches import Rows
    from diffaug_bio.core.phases import Fit
    from diffaug_bio.core.state import TrainState

SHAPE = (9, 8, 1)
N_ROWS = 110
KEPT = torch.from_numpy(shifted_textures(N_ROWS, SHAPE, seed=2).reshape(N_ROWS, -1))
ROWS = PixelRows(DenseRows(KEPT))


@pytest.fixture(params=["mlp", "unet"])
def config(images_config: DiffAugConfig, request: pytest.FixtureRequest) -> DiffAugConfig:
    """Decide what is left to the data, with either denoiser."""
    generator = {"backbone": request.param, "width": 8}
    return changed(images_config, generator=generator).for_kind("image")


def path_of(kind: str) -> str:
    """Which linear path an encoder has: networks on pixels see no components that they could keep."""
    return "kept" if kind == "patches" else "learned"


def trained_on_images(config: DiffAugConfig, *, rows: Rows = ROWS, **settings: Any) -> TrainState:
    source, _ = images_for(SHAPE, backbone=config.generator.backbone)
    return trained(config, rows=rows, source=source, **settings)


def fit_on_images(config: DiffAugConfig) -> tuple[Fit, TrainState]:
    source, _ = images_for(SHAPE, backbone=config.generator.backbone)
    return fit_and_state(config, rows=ROWS, source=source)


@pytest.mark.parametrize("bank_size", [1, 2])
def test_the_bank_holds_images_in_one_byte_a_pixel(config: DiffAugConfig, bank_size: int) -> None:
    fit, state = fit_on_images(changed(config, train={"bank_size": bank_size}))
    codes, conditions = code_rows(state, fit.rows), standardise_conditions(fit, state)
    train_generator(fit, state, codes, conditions, round_=1)
    bank = generate_bank(fit, state, codes, conditions, round_=1)
    assert isinstance(bank, PixelRows)
    assert isinstance(bank.kept, DenseRows)
    assert bank.kept.values.dtype == torch.uint8
    assert bank.shape == (bank_size * N_ROWS, 72)
    values, source = values_of(bank), values_of(ROWS).repeat(bank_size, 1)
    assert 0 <= float(values.min()) < float(values.max()) <= 1
    assert not torch.isclose(values, source).all(1).any()
    if bank_size == 2:
        assert not torch.isclose(values[:N_ROWS], values[N_ROWS:]).all(1).any()


def test_phases_called_one_by_one_are_the_training(config: DiffAugConfig) -> None:
    config = changed(config, train={"rounds": 2})
    fit, state = fit_on_images(config)
    objective = objective_of(fit, state)
    codes = code_rows(state, fit.rows)
    train_encoder(fit, state, objective, bank=None, round_=0)
    for round_ in (1, 2):
        conditions = standardise_conditions(fit, state)
        train_generator(fit, state, codes, conditions, round_=round_)
        bank = generate_bank(fit, state, codes, conditions, round_=round_)
        train_encoder(fit, state, objective, bank=bank, round_=round_)
    assert same(networks(state), networks(trained_on_images(config)))


def test_a_seed_fixes_every_weight_and_loss(config: DiffAugConfig) -> None:
    first, again, other = (trained_on_images(config, seed=seed) for seed in (3, 3, 4))
    assert same(networks(first), networks(again))
    assert without_seconds(first.history) == without_seconds(again.history)
    for part in ("encoder", "averaged_denoiser"):
        assert not same(snapshot(getattr(first, part)), snapshot(getattr(other, part)))


def test_pixels_on_the_device_and_on_the_host_train_the_same(config: DiffAugConfig) -> None:
    host = PixelRows(HostRows(KEPT.numpy().__getitem__, shape=(N_ROWS, 72), device=CPU))
    before, state = KEPT.clone(), torch.get_rng_state()
    assert same(networks(trained_on_images(config, rows=host)), networks(trained_on_images(config)))
    assert torch.equal(KEPT, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", ["patches", "convnet", "resnet18"])
def test_networks_survive_the_way_through_arrays(config: DiffAugConfig, kind: str) -> None:
    config = changed(
        config,
        encoder={"kind": kind, "linear_path": path_of(kind)},
        train={"warmup_epochs": 1, "encoder_epochs": 1, "min_steps": 1, "batch_size": 55},
    )
    state = trained_on_images(config)
    arrays = {name: array.copy() for name, array in to_arrays(state).items()}
    assert not [name for name in arrays if "front_end" in name or name.startswith("codec")]
    rebuilt = from_arrays(config, images_for(SHAPE, backbone=config.generator.backbone)[0], arrays)
    kept = (state.encoder, state.projector, state.averaged_denoiser, state.averaged_denoiser)
    assert same(networks(rebuilt), snapshot(*kept))
    assert torch.equal(rebuilt.limits, state.limits)
    embedded = encode(state.encoder, ROWS)
    assert torch.equal(encode(rebuilt.encoder, ROWS), embedded)
    assert rebuilt.n_kept == state.n_kept == (3 if kind == "patches" else 0)
    if kind == "patches":
        components = images_for(SHAPE)[0].front_end.eval()(values_of(ROWS))
        assert torch.equal(embedded[:, :3], components[:, :3])


@pytest.mark.parametrize("view", get_args(ImageView))
def test_the_strength_of_every_view_matters(config: DiffAugConfig, view: str) -> None:
    neighbors = (torch.arange(N_ROWS)[:, None] + torch.tensor([3, 6, 9])) % N_ROWS
    losses = [
        trained_on_images(
            changed(config, train={"warmup_view": view, "view_strength": size, "rounds": 0}),
            neighbors=neighbors,
        )
        .history[0]
        .loss
        for size in (0.2, 0.2, 0.9)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_held_out_loss_of_the_warm_up_falls(config: DiffAugConfig) -> None:
    settings = {"warmup_epochs": 30, "rounds": 0, "learning_rate": 1e-2}
    losses = [event.held_out_loss for event in trained_on_images(changed(config, train=settings)).history]
    assert min(losses) < 0.95 * losses[0]


@pytest.mark.parametrize("kind", ["patches", "convnet"])
def test_bfloat16_trains_on_images(config: DiffAugConfig, kind: str) -> None:
    config = changed(config, encoder={"kind": kind, "linear_path": path_of(kind)})
    exact, rough = (
        trained_on_images(config, precision=precision) for precision in (torch.float32, torch.bfloat16)
    )
    # Three significant digits, over the few steps of the first epoch.
    assert rough.history[0].loss == pytest.approx(exact.history[0].loss, rel=0.05)
    assert rough.history[0].loss != exact.history[0].loss
    assert all(parameter.dtype == torch.float32 for parameter in rough.encoder.parameters())


def test_the_loss_of_the_u_net_falls(images_config: DiffAugConfig) -> None:
    config = changed(
        images_config,
        generator={"backbone": "unet", "width": 8},
        train={"generator_epochs": 20, "learning_rate": 1e-2},
    )
    fit, state = fit_on_images(config)
    train_generator(fit, state, code_rows(state, fit.rows), standardise_conditions(fit, state), round_=1)
    losses = [event.loss for event in state.history]
    assert losses[-1] < 0.8 * losses[0]


def test_what_is_generated_resembles_its_own_image(images_config: DiffAugConfig) -> None:
    config = changed(images_config, train={"generator_epochs": 80, "learning_rate": 1e-2}).for_kind("image")
    fit, state = fit_on_images(config)
    codes, conditions = code_rows(state, fit.rows), standardise_conditions(fit, state)
    train_generator(fit, state, codes, conditions, round_=1)
    bank = values_of(generate_bank(fit, state, codes, conditions, round_=1))
    apart = torch.cdist(bank, values_of(ROWS))
    assert float(apart.diagonal().mean() / apart.mean()) < 0.8


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_training_on_cuda_is_finite_and_repeats(config: DiffAugConfig, precision: torch.dtype) -> None:
    rows = PixelRows(DenseRows(KEPT.cuda()))
    first, again = (trained_on_images(config, rows=rows, precision=precision) for _ in range(2))
    assert encode(first.encoder, rows).isfinite().all()
    # Sums of gradients may go in another order on each run.
    for one, two in zip(first.history, again.history, strict=True):
        assert one.loss == pytest.approx(two.loss, rel=0.05)
