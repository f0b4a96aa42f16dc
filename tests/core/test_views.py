"""Hand-made and generated views: how much they change, and what they leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from diffaug_bio.core import views

if TYPE_CHECKING:
    from collections.abc import Callable

    View = Callable[[Tensor, torch.Generator], Tensor]

SHAPE = (400, 50)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(seed: int = 0) -> Tensor:
    return 2.0 + torch.randn(SHAPE, generator=seeded(seed))


VIEWS: list[View] = [
    lambda x, generator: views.gaussian(x, strength=0.5, generator=generator),
    lambda x, generator: views.feature_mask(x, strength=0.5, generator=generator),
    lambda x, generator: views.neighbor_mix(x, rows(1), strength=0.5, generator=generator),
    lambda x, generator: views.choose_generated(x, rows(1), fraction=0.5, generator=generator),
]
each_view = pytest.mark.parametrize(
    "view", VIEWS, ids=["gaussian", "feature_mask", "neighbor_mix", "choose_generated"]
)


@each_view
def test_views_change_no_argument_and_no_global_random_state(view: View) -> None:
    x = rows()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    view(x, seeded())
    assert torch.equal(x, rows())
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002


@each_view
def test_a_seed_fixes_a_view(view: View) -> None:
    assert torch.equal(view(rows(), seeded(1)), view(rows(), seeded(1)))
    assert not torch.equal(view(rows(), seeded(1)), view(rows(), seeded(2)))


@pytest.mark.parametrize("strength", [0.1, 0.5, 2.0], ids="strength-{}".format)
def test_gaussian_adds_noise_of_the_given_deviation(strength: float) -> None:
    noise = views.gaussian(rows(), strength=strength, generator=seeded()) - rows()
    # 20 000 draws: the deviation is known to 0.5 percent, the mean to 0.7 percent of it.
    assert float(noise.std()) == pytest.approx(strength, rel=0.03)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.03 * strength)


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.7, 1.0], ids="strength-{}".format)
def test_feature_mask_sets_a_share_to_zero_and_leaves_the_rest(strength: float) -> None:
    x = rows()
    masked = views.feature_mask(x, strength=strength, generator=seeded())
    gone = masked == 0
    # A share of 20 000 draws has a standard error below 0.004.
    assert float(gone.float().mean()) == pytest.approx(strength, abs=0.015)
    assert torch.equal(masked[~gone], x[~gone])


@pytest.mark.parametrize("strength", [0.3, 1.0], ids="strength-{}".format)
def test_neighbor_mix_stays_on_the_segment_to_the_neighbor(strength: float) -> None:
    x, neighbors = rows(), rows(1)
    moved = views.neighbor_mix(x, neighbors, strength=strength, generator=seeded())
    way = neighbors - x
    share = ((moved - x) * way).sum(1) / way.square().sum(1)
    torch.testing.assert_close(moved, x + share[:, None] * way, rtol=1e-4, atol=1e-5)
    assert float(share.min()) >= -1e-6
    assert float(share.max()) <= strength + 1e-6
    # Shares are uniform: 400 of them have their mean within 0.05 of the middle at three standard errors.
    assert float(share.mean()) == pytest.approx(strength / 2, abs=0.05)


def test_neighbor_noise_has_the_covariance_of_neighbors_around_a_row() -> None:
    x = torch.zeros((4000, 2))
    shape = torch.tensor([[2.0, 0.0], [0.3, 0.1]])
    first, second = (torch.randn((4000, 2), generator=seeded(seed)) @ shape for seed in (1, 2))
    noise = views.neighbor_noise(x, first, second, strength=0.5)
    # Variances of 4000 draws have a standard error of two percent.
    torch.testing.assert_close(noise.T.cov(), 0.25 * shape.T @ shape, rtol=0.08, atol=1e-3)


def test_neighbor_noise_grows_with_strength_and_vanishes_between_equal_neighbors() -> None:
    x, first, second = rows(), rows(1), rows(2)
    assert torch.equal(views.neighbor_noise(x, first, first, strength=1.0), x)
    once = views.neighbor_noise(x, first, second, strength=1.0) - x
    twice = views.neighbor_noise(x, first, second, strength=2.0) - x
    torch.testing.assert_close(twice, 2 * once, rtol=1e-4, atol=1e-5)


def test_no_generated_row_is_chosen_at_fraction_zero_and_every_one_at_one() -> None:
    x, generated = rows(), rows(1)
    assert torch.equal(views.choose_generated(x, generated, fraction=0.0, generator=seeded()), x)
    assert torch.equal(views.choose_generated(x, generated, fraction=1.0, generator=seeded()), generated)


def test_generated_rows_are_chosen_whole_and_as_often_as_asked_for() -> None:
    x, generated = rows(), rows(1)
    found = views.choose_generated(x, generated, fraction=0.3, generator=seeded())
    chosen = (found == generated).all(1)
    assert torch.equal(found[~chosen], x[~chosen])
    # 400 choices: a standard error of 0.023.
    assert float(chosen.float().mean()) == pytest.approx(0.3, abs=0.08)
