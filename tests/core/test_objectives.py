"""What each objective trains, what it leaves alone, and that its name is its loss."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest
import torch
from torch import Tensor, nn

from diffaug_bio.config import DiffAugConfig, Loss, LossConfig
from diffaug_bio.core.losses import byol, info_nce, nt_xent, soft_contrastive_loss, vicreg
from diffaug_bio.core.objectives import pair_loss, update_average
from tests.core.conftest import (
    N_FEATURES,
    changed,
    clustered_rows,
    fit_and_state,
    objective_of,
    same,
    snapshot,
)

if TYPE_CHECKING:
    from diffaug_bio.core.objectives import Objective
    from diffaug_bio.core.state import TrainState

LOSSES = get_args(Loss)
PAIR_LOSSES = [name for name in LOSSES if name not in {"byol", "reconstruction"}]
# Further networks of an objective, and whether gradients reach each of all.
TRAINED = {
    **{key: [True, True] for key in PAIR_LOSSES},
    "byol": [True, True, True, False],  # encoder, projector, predictor, target
    "reconstruction": [True, True],  # encoder, decoder
}


def objective_and_state(config: DiffAugConfig, name: str) -> tuple[Objective, TrainState]:
    fit, state = fit_and_state(changed(config, loss={"name": name}))
    return objective_of(fit, state), state


def pair(seed: int = 0) -> Tensor:
    """Two noised views of all rows, one below the other."""
    x = clustered_rows().repeat(2, 1)
    return x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


def gradient_sizes(module: nn.Module) -> list[float]:
    """Largest gradient of each parameter, 0 where there is none."""
    return [0.0 if p.grad is None else float(p.grad.abs().max()) for p in module.parameters()]


def test_each_name_of_a_loss_of_pairs_is_its_function() -> None:
    y, z, z_positive = (clustered_rows(8), clustered_rows(8)[:, :4], clustered_rows(8)[:, 4:8])
    config = LossConfig(degrees_y=50.0, degrees_z=5.0, temperature=0.3)
    expected = {
        "soft_contrastive": soft_contrastive_loss(y, z, z_positive, degrees_y=50.0, degrees_z=5.0),
        "hard_contrastive": soft_contrastive_loss(y, z, z_positive, degrees_y=math.inf, degrees_z=5.0),
        "info_nce": info_nce(z, z_positive, temperature=0.3),
        "nt_xent": nt_xent(z, z_positive, temperature=0.3),
        "vicreg": vicreg(z, z_positive),
    }
    assert len({float(value) for value in expected.values()}) == len(expected) == 5
    expected["auto"] = expected["soft_contrastive"]
    assert set(expected) == set(PAIR_LOSSES)
    for name in PAIR_LOSSES:
        assert torch.equal(pair_loss(y, z, z_positive, replace(config, name=name)), expected[name])


ON_SPHERE = LossConfig(degrees_y=50.0, degrees_z=5.0, projection="sphere", radius=3.0)


def three() -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, and projections of two views of very different lengths."""
    z = clustered_rows(20)
    return clustered_rows(20).flip(1), z[:, :6] * torch.linspace(0.1, 9, 20)[:, None], z[:, 6:]


@pytest.mark.parametrize("name", ["soft_contrastive", "hard_contrastive"])
def test_on_the_sphere_only_directions_of_projections_count(name: Loss) -> None:
    config = replace(ON_SPHERE, name=name)
    y, z, z_positive = three()
    found = pair_loss(y, z, z_positive, config)
    on_sphere = (3.0 * part / part.norm(dim=1, keepdim=True) for part in (z, z_positive))
    degrees_y = 50.0 if name == "soft_contrastive" else math.inf
    expected = soft_contrastive_loss(y, *on_sphere, degrees_y=degrees_y, degrees_z=5.0)
    torch.testing.assert_close(found, expected)
    lengths = torch.linspace(0.01, 100, 20)[:, None]
    torch.testing.assert_close(pair_loss(y, lengths * z, z_positive / lengths, config), found)
    free = replace(config, projection="free")
    assert not torch.isclose(pair_loss(y, lengths * z, z_positive, free), pair_loss(y, z, z_positive, free))
    assert not torch.isclose(pair_loss(y, z, z_positive, replace(config, radius=1.0)), found)


@pytest.mark.parametrize("name", ["soft_contrastive", "hard_contrastive"])
def test_on_the_sphere_gradients_only_turn_projections(name: Loss) -> None:
    y, *parts = three()
    z, z_positive = (part.clone().requires_grad_() for part in parts)
    pair_loss(y, z, z_positive, replace(ON_SPHERE, name=name)).backward()  # type: ignore[no-untyped-call]
    for part in (z, z_positive):
        assert part.grad is not None
        lengths = part.grad.norm(dim=1) * part.detach().norm(dim=1)
        assert (lengths > 0).all()
        assert ((part.grad * part.detach()).sum(1).abs() < 1e-4 * lengths).all()


def test_a_projection_of_zeros_gives_a_finite_loss_on_the_sphere() -> None:
    y, z, z_positive = three()
    z[0] = 0
    z.requires_grad_()
    loss = pair_loss(y, z, z_positive, ON_SPHERE)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_projections_in_bfloat16_are_brought_to_the_sphere_in_float32() -> None:
    y, z, z_positive = three()
    rough = pair_loss(y, z.bfloat16(), z_positive.bfloat16(), ON_SPHERE)
    assert rough.dtype == torch.float32
    exact = pair_loss(y, z.bfloat16().float(), z_positive.bfloat16().float(), ON_SPHERE)
    torch.testing.assert_close(rough, exact)


@pytest.mark.parametrize("name", ["info_nce", "nt_xent", "vicreg"])
def test_losses_that_have_lengths_of_their_own_know_no_sphere(name: Loss) -> None:
    y, z, z_positive = three()
    free, on_sphere = (
        pair_loss(y, z, z_positive, replace(ON_SPHERE, name=name, projection=projection))
        for projection in ("free", "sphere")
    )
    assert torch.equal(free, on_sphere)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_reach_the_networks_that_an_objective_trains(
    tiny_config: DiffAugConfig, name: Loss
) -> None:
    objective, state = objective_and_state(tiny_config, name)
    objective.loss(clustered_rows(), pair()).backward()  # type: ignore[no-untyped-call]
    assert objective.trained[0] is state.encoder
    assert len(objective.trained) == len(TRAINED[name])
    for module, reached in zip(objective.trained, TRAINED[name], strict=True):
        sizes = gradient_sizes(module)
        assert (max(sizes) > 0) == reached
        assert all(math.isfinite(size) for size in sizes)
        if reached:
            # Biases before a normalisation over the batch change nothing; every layer's weights do.
            weights = [p for p in module.parameters() if p.ndim > 1]
            assert all(p.grad is not None and bool(p.grad.any()) for p in weights)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_reach_no_other_network(tiny_config: DiffAugConfig, name: Loss) -> None:
    objective, state = objective_and_state(tiny_config, name)
    objective.loss(clustered_rows(), pair()).backward()  # type: ignore[no-untyped-call]
    others = [state.denoiser, state.averaged_denoiser]
    if name == "reconstruction":
        others.append(state.projector)
    else:
        assert objective.trained[1] is state.projector
    assert not any(any(gradient_sizes(module)) for module in others)


@pytest.mark.parametrize("name", LOSSES)
def test_only_byol_does_not_keep_its_lowest_loss(tiny_config: DiffAugConfig, name: Loss) -> None:
    objective, _ = objective_and_state(tiny_config, name)
    assert objective.keeps_best == (name != "byol")


@pytest.mark.parametrize("name", LOSSES)
def test_an_objective_leaves_the_initial_weights_as_they_are(
    tiny_config: DiffAugConfig, name: Loss
) -> None:
    _, plain = fit_and_state(tiny_config)
    before = torch.get_rng_state()
    _, state = objective_and_state(tiny_config, name)
    assert same(snapshot(state.encoder, state.projector), snapshot(plain.encoder, plain.projector))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["byol", "reconstruction"])
def test_a_seed_fixes_further_networks(tiny_config: DiffAugConfig, name: Loss) -> None:
    first, again = (objective_and_state(tiny_config, name)[0] for _ in range(2))
    assert same(snapshot(*first.trained), snapshot(*again.trained))


def test_reconstruction_does_not_use_the_views(tiny_config: DiffAugConfig) -> None:
    objective, _ = objective_and_state(tiny_config, "reconstruction")
    x = clustered_rows()
    first = objective.loss(x, pair(0))
    assert torch.equal(first, objective.loss(x, torch.full_like(pair(), math.nan)))
    assert not torch.equal(first, objective.loss(x + 1.0, pair(0)))


def test_reconstruction_is_the_squared_error_of_what_is_decoded_from_what_is_learned(
    tiny_config: DiffAugConfig,
) -> None:
    objective, state = objective_and_state(tiny_config, "reconstruction")
    encoder, decoder = objective.trained
    assert state.n_kept == 3  # which it is not told: else it could copy them
    x = clustered_rows()
    rebuilt = decoder(encoder(x)[:, 3:])
    assert rebuilt.shape == (len(x), N_FEATURES)
    torch.testing.assert_close(objective.loss(x, pair()), (rebuilt - x).square().mean())


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "reconstruction"])
def test_other_objectives_use_the_views_alone(tiny_config: DiffAugConfig, name: Loss) -> None:
    objective, _ = objective_and_state(tiny_config, name)
    first = objective.loss(clustered_rows(), pair(0))
    assert torch.equal(first, objective.loss(torch.full_like(clustered_rows(), math.nan), pair(0)))
    assert not torch.equal(first, objective.loss(clustered_rows(), pair(1)))


def test_byol_predicts_each_view_from_the_other(tiny_config: DiffAugConfig) -> None:
    objective, _ = objective_and_state(tiny_config, "byol")
    encoder, projector, predictor, target = objective.trained
    views = pair()
    predicted, (first, other) = predictor(projector(encoder(views))), target(views).chunk(2)
    expected = (byol(predicted[: len(first)], other) + byol(predicted[len(first) :], first)) / 2
    torch.testing.assert_close(objective.loss(clustered_rows(), views), expected)


def test_target_of_byol_starts_as_a_copy_and_moves_by_the_average(tiny_config: DiffAugConfig) -> None:
    objective, _ = objective_and_state(tiny_config, "byol")
    encoder, projector, _, target = objective.trained
    online = nn.Sequential(encoder, projector)
    assert same(snapshot(target), snapshot(online))
    assert not any(parameter.requires_grad for parameter in target.parameters())
    with torch.no_grad():
        for parameter in online.parameters():
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in target.parameters()]
    objective.after_step(0)
    for old, new in zip(before, target.parameters(), strict=True):
        # A hundredth of the way; values of about 1 are rounded at the seventh digit.
        torch.testing.assert_close(new, old + 0.01, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "byol"])
def test_nothing_follows_a_step_of_the_others(tiny_config: DiffAugConfig, name: Loss) -> None:
    objective, _ = objective_and_state(tiny_config, name)
    before = snapshot(*objective.trained)
    objective.after_step(0)
    assert same(snapshot(*objective.trained), before)


def test_average_of_weights_moves_by_its_decay() -> None:
    average, module = nn.Linear(2, 2), nn.Linear(2, 2)
    expected = 0.9 * average.weight.detach() + 0.1 * module.weight.detach()
    update_average(average, module, decay=0.9)
    torch.testing.assert_close(average.weight.detach(), expected)
