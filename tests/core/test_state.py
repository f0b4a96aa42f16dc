"""Networks of a fit: how they are made, embed rows, and become arrays and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from diffaug_bio.core.batches import DenseRows
from diffaug_bio.core.generation import standardise_conditions
from diffaug_bio.core.inputs import FeatureInput
from diffaug_bio.core.runtime import eval_mode
from diffaug_bio.core.state import build, check_size, encode, expected_arrays, from_arrays, to_arrays
from diffaug_bio.errors import InputError
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
    snapshot,
    trained,
)

if TYPE_CHECKING:
    from diffaug_bio.config import DiffAugConfig


def test_a_seed_fixes_the_weights_of_all_networks(tiny_config: DiffAugConfig) -> None:
    first, again, other = (build(tiny_config, FEATURES, seed=seed, device=CPU) for seed in (0, 0, 1))
    assert same(networks(first), networks(again))
    assert not same(snapshot(first.encoder), snapshot(other.encoder))
    assert same(snapshot(first.denoiser), snapshot(first.averaged_denoiser))
    assert not any(parameter.requires_grad for parameter in first.averaged_denoiser.parameters())


def test_the_arrays_that_are_expected_are_those_that_are_saved(tiny_config: DiffAugConfig) -> None:
    before = torch.get_rng_state()
    expected = expected_arrays(tiny_config, FEATURES)
    assert torch.equal(torch.get_rng_state(), before)
    saved = to_arrays(build(tiny_config, FEATURES, seed=0, device=CPU))
    assert {name: (array.shape, str(array.dtype)) for name, array in saved.items()} == {
        name: (shape, str(dtype).removeprefix("torch.")) for name, (shape, dtype) in expected.items()
    }


def test_networks_larger_than_any_machine_trains_are_refused(tiny_config: DiffAugConfig) -> None:
    check_size(tiny_config, FEATURES)
    for settings in (
        {"encoder": {"hidden": [16384] * 32}},
        {"generator": {"width": 16384, "n_blocks": 64}},
    ):
        with pytest.raises(InputError, match=r"\d+ weights.*1000000000"):
            check_size(changed(tiny_config, **settings), FEATURES)


@pytest.mark.parametrize(
    ("linear_path", "condition", "width"),
    [
        ("kept", "y", 3),
        ("kept", "z", 8),
        ("kept", "none", 3),
        ("learned", "y", 6),
        ("learned", "z", 8),
        ("none", "none", 6),
    ],
)
def test_condition_is_as_wide_as_what_it_is_taken_from(
    tiny_config: DiffAugConfig, linear_path: str, condition: str, width: int
) -> None:
    settings = {"encoder": {"linear_path": linear_path}, "generator": {"condition": condition}}
    config = changed(tiny_config, **settings)
    assert (config.encoder.n_latent, config.encoder.n_projection) == (6, 8)
    fit, state = fit_and_state(config)
    assert state.n_kept == (3 if linear_path == "kept" else 0)
    assert len(state.condition_mean) == len(state.condition_std) == width
    assert standardise_conditions(fit, state).shape == (N_ROWS, width)
    x, t = clustered_rows(4), torch.arange(4)
    assert state.denoiser(x, t, torch.zeros(4, width)).shape == x.shape


@pytest.mark.parametrize("n_latent", [1, 2, 7, 24, 40])
def test_a_state_knows_how_many_columns_its_encoder_keeps(
    tiny_config: DiffAugConfig, n_latent: int
) -> None:
    config = changed(tiny_config, encoder={"n_latent": n_latent})
    fit, state = fit_and_state(config)
    assert state.n_kept == min(N_FEATURES, n_latent // 2)
    embedded = encode(state.encoder, fit.rows)
    assert embedded.shape == (N_ROWS, n_latent)
    assert torch.equal(embedded[:, : state.n_kept], clustered_rows()[:, : state.n_kept])
    assert len(state.condition_mean) == n_latent - state.n_kept


@pytest.mark.parametrize("linear_path", ["kept", "learned"])
@pytest.mark.parametrize("condition", ["y", "z", "none"])
def test_networks_survive_the_way_through_arrays(
    tiny_config: DiffAugConfig, condition: str, linear_path: str
) -> None:
    generator = {"condition": condition, "whitening": "half"}
    config = changed(tiny_config, encoder={"linear_path": linear_path}, generator=generator)
    rows = DenseRows(2 * clustered_rows())
    state = trained(config, rows=rows)
    arrays = {name: array.copy() for name, array in to_arrays(state).items()}
    rebuilt = from_arrays(config, FEATURES, arrays)
    kept = (state.encoder, state.projector, state.averaged_denoiser, state.averaged_denoiser)
    assert same(networks(rebuilt), snapshot(*kept))
    assert (state.code_scale != 1).all()
    for name in ("condition_mean", "condition_std", "limits", "code_scale"):
        assert torch.equal(getattr(rebuilt, name), getattr(state, name))
    assert torch.equal(encode(rebuilt.encoder, rows), encode(state.encoder, rows))
    assert rebuilt.n_kept == state.n_kept == (3 if linear_path == "kept" else 0)


def test_the_running_variance_of_what_is_learned_is_trained_and_saved(tiny_config: DiffAugConfig) -> None:
    name = "encoder.total_variance.running"
    untrained, state = fit_and_state(tiny_config)[1], trained(tiny_config)
    assert to_arrays(untrained)[name] == 1
    running = float(to_arrays(state)[name].item())
    assert running > 0
    assert running != 1
    rebuilt = from_arrays(tiny_config, FEATURES, to_arrays(state))
    assert to_arrays(rebuilt)[name] == to_arrays(state)[name]
    assert name not in to_arrays(trained(changed(tiny_config, encoder={"linear_path": "learned"})))


def test_arrays_of_other_names_are_passed_over(tiny_config: DiffAugConfig) -> None:
    state = trained(tiny_config)
    arrays = {**to_arrays(state), "features.mean": clustered_rows(1).numpy()}
    rebuilt = from_arrays(tiny_config, FEATURES, arrays)
    assert same(snapshot(rebuilt.encoder), snapshot(state.encoder))


@pytest.mark.parametrize("name", ["limits", "condition.mean", "condition.std"])
def test_a_missing_array_is_named(tiny_config: DiffAugConfig, name: str) -> None:
    _, state = fit_and_state(tiny_config)
    arrays = to_arrays(state)
    del arrays[name]
    with pytest.raises(KeyError, match=name):
        from_arrays(tiny_config, FEATURES, arrays)


def test_everything_of_a_state_moves(tiny_config: DiffAugConfig) -> None:
    state = fit_and_state(tiny_config)[1].to(torch.device("meta"))
    moved = [state.condition_mean, state.condition_std, state.limits, state.code_scale]
    moved += [
        value
        for module in (state.encoder, state.projector, state.denoiser, state.averaged_denoiser)
        for value in module.state_dict().values()
    ]
    assert {value.device.type for value in moved} == {"meta"}


def test_arrays_of_another_shape_are_refused(tiny_config: DiffAugConfig) -> None:
    _, state = fit_and_state(tiny_config)
    with pytest.raises(RuntimeError, match="size mismatch"):
        from_arrays(tiny_config, FeatureInput(N_FEATURES + 1), to_arrays(state))


def test_more_rows_than_a_block_are_embedded_in_order(tiny_config: DiffAugConfig) -> None:
    values = clustered_rows(8200)
    fit, state = fit_and_state(tiny_config, values=values)
    embedded = encode(state.encoder, fit.rows)
    with eval_mode(state.encoder):
        torch.testing.assert_close(embedded, state.encoder(values))


@pytest.mark.gpu
def test_cuda_and_cpu_compute_the_same_with_the_same_weights(tiny_config: DiffAugConfig) -> None:
    on_cpu = build(tiny_config, FEATURES, seed=0, device=CPU)
    on_cuda = build(tiny_config, FEATURES, seed=0, device=torch.device("cuda"))
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
        learned = y[:, on_cpu.n_kept :]
        torch.testing.assert_close(
            on_cuda.denoiser(x.cuda(), t.cuda(), learned.cuda()).cpu(),
            on_cpu.denoiser(x, t, learned),
            rtol=1e-4,
            atol=1e-4,
        )
